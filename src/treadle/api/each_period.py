"""A capacity that holds in every hour, day or week: learned, measured, and told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.api.goal_of import EachPeriod, Goal
from treadle.contracts import Json
from treadle.decision import Outcomes, TwoClassDecision
from treadle.pace import SECONDS, STEPS, Pace, steps_of
from treadle.study.threshold import Chosen

if TYPE_CHECKING:
    from treadle.api.answers import Part

Array: TypeAlias = NDArray[Any]
LEAST_PERIODS = 2.0
INNER = slice(1, -1)  # the first and the last period are cut by the split


@dataclass(frozen=True, kw_only=True)
class Cases:
    """One part's cases: when they came, float64 [N], and how probable the positive class is, [N].

    benefit: what flagging each is expected to save, [N]
    """

    moments: Array
    outcomes: Outcomes
    probability: Array
    benefit: Array

    @classmethod
    def of(cls, part: Part, outcomes: Outcomes, probabilities: Array) -> Cases:
        assert part.moments is not None, "the cases have no dates"
        chance = probabilities[:, 1]
        return cls(
            moments=part.moments,
            outcomes=outcomes,
            probability=chance,
            benefit=outcomes.benefit(chance),
        )


@dataclass(frozen=True, kw_only=True)
class Paced:
    """What is kept with the model, and which cases it flags before and after the cut, bool [N]."""

    decision: TwoClassDecision
    before: Array
    after: Array
    why: str


def each_period(goal: Goal, part: Part) -> EachPeriod | None:
    """Return the capacity of each period, where the part is long enough to learn its pace from."""
    if goal.each is None or part.moments is None or not len(part.moments):
        return None
    if part.weights is not None or goal.each.count * goal.each.sampled < 1:
        return None
    span = float(np.nanmax(part.moments) - np.nanmin(part.moments))
    return goal.each if span >= LEAST_PERIODS * SECONDS[goal.each.unit] else None


def flag_each_period(each: EachPeriod, chosen: Chosen, before: Cases, after: Cases) -> Paced:
    """Flag cases as they come, never more in a period than can be looked at.

    What the pace learns of cases is how many come and what flagging them is expected to save; how
    they ended is not looked at.
    """
    first = Pace.learned(
        each.column, each.count * each.sampled, each.unit, before.moments, before.benefit
    )
    decision = chosen.decision.model_copy(update={"pace": first})
    later = first
    if np.ptp(after.moments) >= LEAST_PERIODS * SECONDS[each.unit]:
        later = first.later(after.moments, after.benefit)
    return Paced(
        decision=decision.model_copy(update={"pace": later.times(1 / each.sampled)}),
        before=first.flags(before.moments, before.benefit, chosen.flagged),
        after=decision.flags(after.probability, after.outcomes, after.moments),
        why=f"no {each.unit} has more cases flagged than can be looked at, as they come.",
    )


def period_facts(each: EachPeriod, moments: Array, flagged: Array, fixed: Array) -> Json:
    """Return how well a capacity held and was used, beside one threshold for all.

    moments, flagged, fixed: of the test rows, [N]
    """
    count = each.count * each.sampled
    periods = steps_of(moments, each.unit) // STEPS
    _, places = np.unique(periods, return_inverse=True)
    own, plain = (np.bincount(places, weights=part.astype(np.float64)) for part in (flagged, fixed))
    whole = own[INNER] if len(own) > 2 else own
    return {
        "unit": each.unit,
        "count": each.count,
        "sampled": each.sampled,
        "periods": len(own),
        "over": int((own > np.ceil(count)).sum()),
        "most": int(own.max()),
        "mean": float(whole.mean()),
        "used": float(whole.mean() / count),
        "flagged": own.astype(int).tolist(),
        "fixed": {
            "over": int((plain > np.ceil(count)).sum()),
            "most": int(plain.max()),
            "flagged": plain.astype(int).tolist(),
        },
    }
