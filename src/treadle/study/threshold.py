"""From which probability on a case is flagged: chosen on validation for what outcomes cost.

Break-even follows from the costs alone where probabilities are right. Where the validation rows
say otherwise, surely and on rows that the choice did not see, they are followed: the place where
they paid least, in the middle of many draws of them, since the one best place is mostly luck.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.costs import Costs
from treadle.decision import Outcomes, TwoClassDecision

Array: TypeAlias = NDArray[Any]

DRAWS = 60
SURE = 2.0  # standard errors that an own threshold must save
FARTHEST = 5.0  # log-odds from break-even
MOST_BINS = 1_000


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What was chosen, and what the validation rows paid under choices that did not see them.

    flagged: bool [N], cross-fitted
    why:     the choice in one sentence, of validation rows alone
    """

    decision: TwoClassDecision
    flagged: Array
    why: str


def choose_threshold(
    costs: Costs,
    outcomes: Outcomes,
    probability: Array,
    truth: Array,
    folds: Array,
    *,
    capacity: float | None = None,
    by_time: bool = False,
    weights: Array | None = None,
) -> Chosen:
    """Choose when the positive class is said.

    probability: of the positive class, as it will be said, of the validation rows, [N]
    capacity:    the share of all cases that can be looked at
    by_time:     folds are stretches of time, and another threshold must be cheaper in each
    weights:     how many cases each row stands for, [N]; None: one each
    """
    counts = np.ones(len(truth)) if weights is None else weights
    margin, why = _margin(outcomes, probability, truth, folds, counts, by_time=by_time)
    decision = TwoClassDecision(costs=costs, margin=margin)
    flagged = np.empty(len(truth), bool)
    for fold in np.unique(folds):
        here = folds == fold
        others = outcomes[~here], probability[~here], truth[~here], folds[~here], counts[~here]
        inner, _ = _margin(*others, by_time=by_time)
        one = TwoClassDecision(costs=costs, margin=inner)
        one = within(one, outcomes[~here], probability[~here], capacity, counts[~here])
        flagged[here] = one.flags(probability[here], outcomes[here])
    decision = within(decision, outcomes, probability, capacity, counts)
    if decision.least is not None:
        why = "only so many can be looked at, so those are flagged that save most."
    return Chosen(decision=decision, flagged=flagged, why=why)


def saved_by(outcomes: Outcomes, truth: Array) -> Array:
    """Return what flagging each row would have saved, knowing the truth, [N]."""
    saved: Array = np.where(truth.astype(bool), outcomes.gain, -outcomes.price)
    return saved


def _margin(
    outcomes: Outcomes,
    probability: Array,
    truth: Array,
    folds: Array,
    counts: Array,
    *,
    by_time: bool,
) -> tuple[float, str]:
    """Return the log-odds above break-even to flag from, and why."""
    margins, saved = outcomes.margin(probability), saved_by(outcomes, truth) * counts
    gained = np.zeros(len(truth))
    for fold in np.unique(folds):
        here = folds == fold
        own = best_margin(margins[~here], saved[~here])
        gained[here] = saved[here] * (
            (margins[here] > own).astype(np.float64) - (margins[here] > 0.0)
        )
    sure = gained.mean() > SURE * gained.std() / np.sqrt(len(gained))
    if by_time:
        sure &= all(gained[folds == fold].sum() > 0 for fold in np.unique(folds))
    if not sure:
        return 0.0, "a case is flagged where that saves more than it costs, by its probability."
    return best_margin(margins, saved), (
        "on validation another threshold than break-even was surely cheaper: it is taken."
    )


def best_margin(margins: Array, saved: Array, *, seed: int = 0) -> float:
    """Return the margin from which flagging saves most: the median over draws of the rows.

    Rows lie in bins by their margin. What a bin saves in a draw is its sum, give or take the root
    of its sum of squares: as in a bootstrap, without drawing rows.
    """
    free = np.isfinite(margins)
    order = np.argsort(-margins[free], kind="stable")
    ranked, values = margins[free][order], saved[free][order]
    if not len(ranked):
        return 0.0
    lasts = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    lasts = lasts[np.unique(np.linspace(0, len(lasts) - 1, MOST_BINS).round().astype(np.int64))]
    lower = np.append(ranked, ranked[-1] - 1.0)[lasts + 1]
    places = np.append(ranked[0] + 1e-9, (ranked[lasts] + lower) / 2)
    firsts = np.append(0, lasts[:-1] + 1)
    sums, squares = np.add.reduceat(values, firsts), np.add.reduceat(values**2, firsts)
    noise = np.random.default_rng(seed).standard_normal((DRAWS, len(sums)))
    totals = np.cumsum(sums + np.sqrt(squares) * noise, axis=1)
    best = np.column_stack([np.zeros(DRAWS), totals]).argmax(axis=1)
    return float(np.clip(np.median(places[best]), -FARTHEST, FARTHEST))


def within(
    decision: TwoClassDecision,
    outcomes: Outcomes,
    probability: Array,
    capacity: float | None,
    counts: Array,
) -> TwoClassDecision:
    """Return the decision that flags no larger a share of these cases than can be looked at.

    counts: how many cases each row stands for, [N]
    """
    if capacity is None:
        return decision
    flagged = decision.flags(probability, outcomes)
    most = capacity * counts.sum() + 1e-9
    if counts[flagged].sum() <= most:
        return decision
    benefits = outcomes.benefit(probability)[flagged]
    order = np.argsort(-benefits, kind="stable")
    benefits, reached = benefits[order], np.cumsum(counts[flagged][order])
    first_out = benefits[int((reached <= most).sum())]
    kept = benefits[benefits > first_out]
    least = (kept[-1] + first_out) / 2 if len(kept) else benefits[0] + 1e-9
    return decision.model_copy(update={"least": float(least)})
