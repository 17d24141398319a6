"""What flagging more or fewer cases would have cost: the curve that a threshold is a point of."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.contracts import Json
from treadle.decision import Outcomes, TwoClassDecision
from treadle.study.threshold import saved_by

Array: TypeAlias = NDArray[Any]
POINTS = 81


def tradeoff(
    decision: TwoClassDecision,
    outcomes: Outcomes,
    probability: Array,
    truth: Array,
    flagged: Array,
    weights: Array | None = None,
) -> Json:
    """Return shares flagged, their cost a case, and where the decision stands among them.

    Cases are flagged in the order that the decision takes them in: most surely worth it first.
    shares, costs: float [P]; probability: of the last flagged case, for costs that are constant

    flagged: bool [N], as decided: with a capacity of each day these are not the first so many
    weights: how many cases each row stands for, [N]; None: one each
    """
    limited = decision.least is not None or decision.pace is not None
    worth = outcomes.benefit(probability) if limited else outcomes.margin(probability)
    order = np.argsort(-np.nan_to_num(worth, posinf=1e30, neginf=-1e30), kind="stable")
    share = np.full(len(truth), 1 / len(truth)) if weights is None else weights / weights.sum()
    none = float(outcomes.paid(truth, np.zeros(len(truth), bool)) @ share)
    saved = saved_by(outcomes, truth) * share
    totals = np.append(0.0, np.cumsum(saved[order]))
    shares = np.append(0.0, np.cumsum(share[order]))
    counts = _counts(len(truth), int(flagged.sum()))
    reached = np.append(1.0, probability[order])[counts]
    best = int(totals.argmax())
    return {
        "shares": shares[counts].tolist(),
        "costs": (none - totals[counts]).tolist(),
        "probabilities": None if decision.costs.columns else reached.tolist(),
        "chosen": {
            "share": float(share[flagged].sum()),
            "cost": none - float(saved[flagged].sum()),
        },
        "best": {"share": float(shares[best]), "cost": none - float(totals[best])},
    }


def _counts(rows: int, flagged: int) -> Array:
    """Return how many are flagged at each point: close together where few are."""
    even = np.linspace(0, 1, POINTS)
    shares = np.where(even < 1, np.expm1(4 * even) / np.expm1(4), 1.0)
    return np.unique(np.append(np.round(shares * rows), [flagged]).astype(np.int64))
