"""By how much a foretold number is moved where being too high and too low cost unequally.

Errors on validation say below which move a given share of true values lies; the share follows
from the costs. The move is the same for all, or grows with the number foretold, as errors often
do: whichever was cheaper on rows that it was not read from; none where none was surely cheaper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.costs import Costs
from treadle.decision import SMALLEST, Columns, NumberDecision

Array: TypeAlias = NDArray[Any]
Way = Literal["add", "multiply"]

LEVELS = np.linspace(0.005, 0.995, 199)
LEAST_ROWS = 30


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What was chosen; values: the validation rows, cross-fitted; why: in one sentence."""

    decision: NumberDecision
    values: Array
    why: str


def choose_move(
    costs: Costs,
    columns: Columns,
    predicted: Array,
    truth: Array,
    folds: Array,
    weights: Array | None = None,
) -> Moved:
    """Choose how a number is moved, on validation rows: predicted and truth float [N].

    weights: how many cases each row stands for, [N]; None: one each
    """
    counts = np.ones(len(truth)) if weights is None else weights
    still = NumberDecision(costs=costs, levels=(0.5,), moves=(0.0,))
    best = Moved(
        decision=still,
        values=predicted.astype(np.float64),
        why="no move of what is foretold was cheaper on validation.",
    )
    if len(truth) < LEAST_ROWS:
        return best
    ways: tuple[Way, ...] = ("add", "multiply") if (predicted > 0).all() else ("add",)
    least = float(still.paid(truth, best.values, columns) @ counts)
    for way in ways:
        values = _crossed(costs, columns, predicted, truth, folds, counts, way)
        paid = float(still.paid(truth, values, columns) @ counts)
        if paid < least:
            least = paid
            decision = _fitted(costs, predicted, truth, counts, way)
            best = Moved(decision=decision, values=values, why=_why(decision, columns, truth))
    return best


def _crossed(
    costs: Costs,
    columns: Columns,
    predicted: Array,
    truth: Array,
    folds: Array,
    counts: Array,
    way: Way,
) -> Array:
    values = np.empty(len(truth), np.float64)
    for fold in np.unique(folds):
        here = folds == fold
        decision = _fitted(costs, predicted[~here], truth[~here], counts[~here], way)
        own = {name: amounts[here] for name, amounts in columns.items()}
        values[here] = decision.answer(predicted[here], own)
    return values


def _fitted(
    costs: Costs, predicted: Array, truth: Array, counts: Array, way: Way
) -> NumberDecision:
    errors = truth.astype(np.float64) - predicted
    if way == "multiply":
        errors = errors / np.maximum(np.abs(predicted), SMALLEST)
    if (counts == counts[0]).all():
        moves = np.quantile(errors, LEVELS)
    else:
        moves = np.quantile(errors, LEVELS, weights=counts, method="inverted_cdf")
    return NumberDecision(
        costs=costs, way=way, levels=tuple(LEVELS.tolist()), moves=tuple(moves.tolist())
    )


def _why(decision: NumberDecision, columns: Columns, truth: Array) -> str:
    level = float(decision.level(columns, len(truth)).mean())
    move = float(np.interp(level, np.array(decision.levels), np.array(decision.moves)))
    size = abs(move)
    way = f"{100 * size:.3g} % of it" if decision.way == "multiply" else f"{size:.4g}"
    way = f"{'plus' if move >= 0 else 'less'} {way}"
    own = ", on average: each row has its own costs" if decision.costs.columns else ""
    return (
        f"what is predicted is what is foretold {way}, so that {100 * level:.3g} of 100 true "
        f"values lie below it{own}."
    )
