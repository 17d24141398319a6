"""A capacity of each day: never exceeded, used, decided with what is known by then."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from treadle.pace import SECONDS, STEPS, Pace, steps_of

Array = NDArray[Any]
DAY = SECONDS["day"]
CAN_LOOK_AT = 10


def stream(days: int, a_day: int, seed: int = 0, first: float = 0.0) -> tuple[Array, Array]:
    """Return moments through some days, and what flagging each case would save."""
    draw = np.random.default_rng(seed)
    moments = np.sort(draw.uniform(first * DAY, days * DAY, round((days - first) * a_day)))
    return moments, draw.exponential(size=len(moments))


def pace_of(moments: Array, worth: Array, count: float = CAN_LOOK_AT) -> Pace:
    return Pace.learned("when", count, "day", moments, worth)


def a_day(moments: Array, flagged: Array) -> Array:
    return np.bincount(np.floor(moments / DAY).astype(int), weights=flagged.astype(float))


@pytest.mark.parametrize("rush", [0.2, 1.0, 6.0])
def test_no_day_has_more_than_can_be_looked_at_however_many_come(rush: float) -> None:
    pace = pace_of(*stream(8, 200))
    moments, worth = stream(20, round(200 * rush), seed=1)
    flagged = pace.flags(moments, worth, np.ones(len(worth), bool))
    assert a_day(moments, flagged).max() == CAN_LOOK_AT
    assert a_day(moments, flagged).mean() > 0.94 * CAN_LOOK_AT


def test_what_is_flagged_saves_nearly_what_the_best_of_each_day_would() -> None:
    moments, worth = stream(40, 300, seed=2)
    flagged = pace_of(*stream(8, 300)).flags(moments, worth, np.ones(len(worth), bool))
    days = np.floor(moments / DAY).astype(int)
    best = sum(np.sort(worth[days == day])[-CAN_LOOK_AT:].sum() for day in range(40))
    assert worth[flagged].sum() > 0.9 * best
    by_order = sum(worth[days == day][:CAN_LOOK_AT].sum() for day in range(40))
    assert worth[flagged].sum() > 2 * by_order


def test_the_bar_follows_when_all_cases_become_better_or_worse() -> None:
    pace = pace_of(*stream(8, 200))
    for factor in (0.3, 3.0):
        moments, worth = stream(30, 200, seed=3)
        flagged = pace.flags(moments, factor * worth, np.ones(len(worth), bool))
        late = moments > 10 * DAY
        chosen = worth[late & flagged]
        days = np.floor(moments[late] / DAY).astype(int)
        best = sum(np.sort(worth[late][days == day])[-CAN_LOOK_AT:].sum() for day in range(10, 30))
        assert chosen.sum() > 0.88 * best


def test_nothing_that_comes_later_is_needed_to_decide() -> None:
    pace = pace_of(*stream(8, 200))
    moments, worth = stream(6, 200, seed=4)
    wanted = np.ones(len(worth), bool)
    whole = pace.flags(moments, worth, wanted)
    for hour in (5, 50, 100):
        known = moments < hour * DAY / STEPS
        assert (pace.flags(moments[known], worth[known], wanted[known]) == whole[known]).all()


def test_the_order_of_the_rows_does_not_matter() -> None:
    pace = pace_of(*stream(8, 200))
    moments, worth = stream(6, 200, seed=5)
    wanted = np.ones(len(worth), bool)
    order = np.random.default_rng(0).permutation(len(worth))
    mixed = pace.flags(moments[order], worth[order], wanted)
    assert (mixed == pace.flags(moments, worth, wanted)[order]).all()


def test_of_cases_that_are_only_dated_the_best_of_each_day_are_flagged() -> None:
    moments, worth = stream(12, 100, seed=6)
    dated = np.floor(moments / DAY) * DAY
    flagged = pace_of(dated, worth).flags(dated, worth, np.ones(len(worth), bool))
    for day in range(12):
        here = dated == day * DAY
        assert worth[here & flagged].min() >= np.sort(worth[here])[-CAN_LOOK_AT]
        assert (here & flagged).sum() == CAN_LOOK_AT


def test_of_a_day_that_began_before_the_rows_do_only_the_rest_is_given_away() -> None:
    pace = pace_of(*stream(8, 200))
    moments, worth = stream(2, 200, seed=7, first=0.5)
    flagged = pace.flags(moments, worth, np.ones(len(worth), bool))
    assert a_day(moments, flagged).tolist() == [CAN_LOOK_AT / 2, CAN_LOOK_AT]


def test_cases_that_are_not_worth_it_are_never_flagged() -> None:
    moments, worth = stream(5, 200, seed=8)
    wanted = worth > 3.5
    flagged = pace_of(*stream(8, 200)).flags(moments, worth, wanted)
    assert flagged.any() and not (flagged & ~wanted).any()


def test_less_than_one_a_day_is_one_every_few_days() -> None:
    moments, worth = stream(40, 50, seed=9)
    flagged = pace_of(moments, worth, count=0.5).flags(moments, worth, np.ones(len(worth), bool))
    assert 15 <= flagged.sum() <= 20 and a_day(moments, flagged).max() == 1


def test_no_rows_are_no_trouble() -> None:
    pace = pace_of(*stream(8, 200))
    assert len(pace.flags(np.zeros(0), np.zeros(0), np.zeros(0, bool))) == 0


def test_weeks_begin_on_monday() -> None:
    monday = np.datetime64("2024-01-01").astype("datetime64[s]").astype(float)
    weeks = steps_of(np.array([monday - 1, monday, monday + 7 * DAY - 1]), "week") // STEPS
    assert weeks[0] + 1 == weeks[1] == weeks[2]


def test_a_pace_from_a_file_is_read_or_refused() -> None:
    pace = pace_of(*stream(8, 200))
    facts = pace.model_dump(mode="json")
    assert Pace.model_validate(facts) == pace
    for broken in (
        {"bars": facts["bars"][::-1]},
        {"bars": facts["bars"][:5]},
        {"count": 0},
        {"count": 1e300},
        {"cases": float("nan")},
        {"unit": "century"},
        {"before": [0.9, *facts["before"][1:]]},
    ):
        with pytest.raises(ValidationError):
            Pace.model_validate(facts | broken)
