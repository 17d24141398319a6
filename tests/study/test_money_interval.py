"""Intervals of what rows cost hold what they promise, also where few rows cost anything."""

from __future__ import annotations

import numpy as np
import pytest

from treadle.study.money_interval import mean_interval

TRIES = 400


def held(values: np.ndarray, rows: int, **more: float) -> float:
    """In how many of the draws of so many rows the interval holds the mean of all."""
    draw = np.random.default_rng(0)
    inside = 0
    for _ in range(TRIES):
        low, high = mean_interval(draw.choice(values, rows), **more)
        inside += low <= values.mean() <= high
    return inside / TRIES


def costs(rare: float) -> np.ndarray:
    """Few rows that cost about 500, more that cost 5, most that cost nothing."""
    draw = np.random.default_rng(1)
    dear = draw.gamma(2.0, 250.0, 100_000) * (draw.random(100_000) < rare)
    return dear + 5.0 * (draw.random(100_000) < 0.1)


@pytest.mark.parametrize(("rare", "rows"), [(0.01, 2_000), (0.05, 1_000), (0.3, 500)])
def test_costs_lie_in_their_interval_in_95_of_100_draws(rare: float, rows: int) -> None:
    assert 0.90 <= held(costs(rare), rows, one_more=500.0) <= 0.985


@pytest.mark.parametrize("rows", [1_000, 4_000])
def test_savings_that_are_won_and_lost_at_once_do_too(rows: int) -> None:
    values = 5.0 - costs(0.05) * (np.random.default_rng(2).random(100_000) < 0.4)
    assert 0.90 <= held(values, rows, one_less=500.0) <= 0.985


def test_what_was_not_seen_may_still_come() -> None:
    low, high = mean_interval(np.zeros(1_000), one_more=500.0)
    assert low == 0 and high == pytest.approx(500 * 3.69 / 1_000, rel=0.01)  # the rule of three
    low, high = mean_interval(np.full(1_000, 5.0), one_less=500.0)
    assert high == pytest.approx(5.0) and low < 4.0


def test_rows_that_go_together_make_it_wider() -> None:
    draw = np.random.default_rng(0)
    groups = np.repeat(np.arange(100), 20)
    values = np.repeat(draw.gamma(1.0, 10.0, 100), 20)
    alone, together = mean_interval(values), mean_interval(values, groups)
    assert together[1] - together[0] > 3.5 * (alone[1] - alone[0])


def test_sums_of_groups_that_lean_the_other_way_have_an_upper_end_as_well() -> None:
    draw = np.random.default_rng(3)
    sizes = draw.integers(1, 40, 300)
    groups, rates = np.repeat(np.arange(300), sizes), 1.0 - draw.beta(1, 4, 300)
    values = (draw.random(len(groups)) < rates[groups]).astype(float)
    low, high = mean_interval(values, groups)
    assert high - values.mean() == pytest.approx(values.mean() - low, rel=0.2)


def test_gains_are_the_mirror_of_costs() -> None:
    values = costs(0.05)[:3_000]
    low, high = mean_interval(values, one_more=100.0)
    assert mean_interval(-values, one_less=100.0) == pytest.approx((-high, -low))


def test_one_row_says_nothing() -> None:
    assert mean_interval(np.array([3.0])) == (0.0, float("inf"))
