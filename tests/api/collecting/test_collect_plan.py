"""Which fits are made in a budget: as close to the run as time allows."""

from __future__ import annotations

import pytest

from treadle.api.collecting.ground import Way
from treadle.api.collecting.plan import FULL, LEAN, plan_of
from treadle.errors import OptionError


def way(seconds: float, *, same: bool = False) -> Way:
    return Way(models=("trees",), length=1.0, seconds=seconds, same=same, words="")


def test_quick_fits_are_all_made_and_leave_time_for_parts() -> None:
    plan = plan_of([way(2.0, same=True)], 120)
    assert plan.repeats == FULL and plan.num_fits == 10 and plan.num_parts == 5
    assert 5 < plan.seconds < 25


def test_slow_ones_are_made_less_often_then_another_way() -> None:
    slow, quick = way(30.0, same=True), way(5.0)
    assert plan_of([slow, quick], 120).repeats == LEAN
    assert plan_of([slow, quick], 60).way is quick


def test_a_fit_on_all_rows_is_only_made_where_the_runs_own_is_another() -> None:
    assert plan_of([way(2.0)], 120).num_fits == 1 + plan_of([way(2.0, same=True)], 120).num_fits


def test_too_short_a_budget_says_how_long_it_takes() -> None:
    with pytest.raises(OptionError, match="the shortest way takes about") as refused:
        plan_of([way(100.0)], 30)
    assert '--budget "' in refused.value.hint and "minutes" in refused.value.hint
