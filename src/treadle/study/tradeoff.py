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
    decision: TwoClassDecision, outcomes: Outcomes, probability: Array, truth: Array
) -> Json:
    """Return shares flagged, their cost a case, and where the decision stands among them.

    Cases are flagged in the order that the decision takes them in: most surely worth it first.
    shares, costs: float [P]; probability: of the last flagged case, for costs that are constant
    """
    limited = decision.least is not None
    worth = outcomes.benefit(probability) if limited else outcomes.margin(probability)
    order = np.argsort(-np.nan_to_num(worth, posinf=1e30, neginf=-1e30), kind="stable")
    none = outcomes.paid(truth, np.zeros(len(truth), bool))
    totals = np.append(0.0, np.cumsum(saved_by(outcomes, truth)[order]))
    flagged = int(decision.flags(probability, outcomes).sum())
    counts = _counts(len(truth), flagged)
    reached = np.append(1.0, probability[order])[counts]
    best = int(totals.argmax())
    return {
        "shares": (counts / len(truth)).tolist(),
        "costs": (none.mean() - totals[counts] / len(truth)).tolist(),
        "probabilities": None if decision.costs.columns else reached.tolist(),
        "chosen": {
            "share": flagged / len(truth),
            "cost": float(none.mean() - totals[flagged] / len(truth)),
        },
        "best": {
            "share": best / len(truth),
            "cost": float(none.mean() - totals[best] / len(truth)),
        },
    }


def _counts(rows: int, flagged: int) -> Array:
    """Return how many are flagged at each point: close together where few are."""
    even = np.linspace(0, 1, POINTS)
    shares = np.where(even < 1, np.expm1(4 * even) / np.expm1(4), 1.0)
    return np.unique(np.append(np.round(shares * rows), [flagged]).astype(np.int64))
