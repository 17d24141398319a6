"""Where a capacity can hold in each period, what is learned of it, and how it is counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from treadle.api.answers import Part
from treadle.api.each_period import Cases, each_period, flag_each_period, period_facts
from treadle.api.goal_of import EachPeriod, Goal
from treadle.costs import parse_costs
from treadle.decision import Outcomes, TwoClassDecision
from treadle.study.threshold import Chosen

DAY = 86_400.0
COSTS = parse_costs("missed=1 false_alarm=0.01")
EACH = EachPeriod(column="when", count=5, unit="day")


def part(days: float, a_day: int = 50, seed: int = 0, **more: Any) -> Part:
    draw = np.random.default_rng(seed)
    rows = round(days * a_day)
    chance = draw.beta(1, 5, rows)
    return Part(
        truth=(draw.random(rows) < chance).astype(np.int64),
        predicted=np.stack([1 - chance, chance], axis=1),
        rows=pl.DataFrame(height=rows),
        moments=np.sort(draw.uniform(0, days * DAY, rows)),
        **more,
    )


def cases(of: Part) -> Cases:
    return Cases.of(of, Outcomes.of(COSTS, {}, len(of.truth)), of.predicted)


def goal(each: EachPeriod | None = EACH) -> Goal:
    return Goal(costs=COSTS, in_money=True, capacity=0.1, each=each)


def test_it_holds_on_average_where_there_are_too_few_days_to_learn_from() -> None:
    assert each_period(goal(), part(10)) == EACH
    assert each_period(goal(None), part(10)) is None
    assert each_period(goal(), part(1.5)) is None
    assert each_period(goal(), replace(part(10), moments=None)) is None


def test_it_holds_on_average_where_rows_are_no_single_cases() -> None:
    weighted = part(10)
    weighted = replace(weighted, weights=np.ones(len(weighted.truth)))
    assert each_period(goal(), weighted) is None
    thin = EACH.model_copy(update={"sampled": 0.01})
    assert each_period(goal(thin), part(10)) is None


@pytest.mark.parametrize("sampled", [1.0, 0.4])
def test_what_is_kept_is_for_all_cases_and_what_is_measured_for_those_of_the_data(
    sampled: float,
) -> None:
    each = EACH.model_copy(update={"sampled": sampled})
    plain = Chosen(decision=TwoClassDecision(costs=COSTS), flagged=np.ones(500, bool), why="")
    later = part(12, seed=1)
    found = flag_each_period(each, plain, cases(part(10)), cases(later))
    assert later.moments is not None
    a_day = np.bincount((later.moments // DAY).astype(int), weights=found.after)
    assert a_day.max() == 5 * sampled and a_day.mean() > 0.9 * 5 * sampled
    pace = found.decision.pace
    assert pace is not None and pace.count == pytest.approx(5)
    assert pace.cases == pytest.approx(50 / sampled, rel=0.05)


def test_days_that_had_too_many_are_counted() -> None:
    moments = np.repeat(np.arange(4.0), 10) * DAY + 5
    own = np.tile(np.arange(10) < 5, 4)
    fixed = np.concatenate([np.arange(10) < few for few in (2, 9, 6, 3)])
    facts = period_facts(EACH, moments, own, fixed)
    assert facts["periods"] == 4 and facts["over"] == 0 and facts["most"] == 5
    assert facts["used"] == 1.0
    assert facts["fixed"] == {"over": 2, "most": 9, "flagged": [2, 9, 6, 3]}
