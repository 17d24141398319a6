"""Intervals of paired differences: they hold the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from treadle.study.paired import differences

SEEDS, DRAWS = 5, 400


def drawn_case(
    draw: np.random.Generator, truth: float, by_row: float, by_seed: float, *, same_rows: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return d_s of seeds on rows, and on draws of these rows, around a known truth."""
    rows = 60
    of_rows = draw.normal(0, by_row, (1 if same_rows else SEEDS, rows))
    each = truth + draw.normal(0, by_seed, (SEEDS, 1)) + np.broadcast_to(of_rows, (SEEDS, rows))
    drawn = []
    for _ in range(DRAWS // 4):
        if same_rows:
            drawn.append(each[:, draw.integers(0, rows, rows)].mean(axis=1))
        else:
            drawn.append([row[draw.integers(0, rows, rows)].mean() for row in each])
    return each.mean(axis=1), np.array(drawn).T


@pytest.mark.parametrize("same_rows", [True, False])
@pytest.mark.parametrize(("by_row", "by_seed"), [(1.0, 0.0), (1.0, 0.2), (0.1, 1.0)])
def test_the_interval_holds_the_truth_as_often_as_it_says(
    by_row: float, by_seed: float, same_rows: bool
) -> None:
    draw = np.random.default_rng(int(by_row * 10 + by_seed * 100) + same_rows)
    held = 0
    for _ in range(150):
        (found,) = differences([drawn_case(draw, 0.3, by_row, by_seed, same_rows=same_rows)])
        held += found.low <= 0.3 <= found.high
    assert held >= 0.9 * 150


def test_what_other_things_tell_of_seeds_narrows_an_interval_and_keeps_its_word() -> None:
    draw = np.random.default_rng(7)
    held, alone, together = 0, 0.0, 0.0
    for _ in range(100):
        cases = [drawn_case(draw, 0.3, 0.3, 0.3, same_rows=False) for _ in range(4)]
        found = differences(cases)
        held += sum(one.low <= 0.3 <= one.high for one in found)
        together += sum(one.high - one.low for one in found)
        alone += sum(one.high - one.low for case in cases for one in differences([case]))
    assert together < 0.95 * alone
    assert 0.91 <= held / 400 <= 1.0


def test_luck_of_seeds_is_told_apart_from_that_of_rows() -> None:
    draw = np.random.default_rng(3)
    seen, drawn = drawn_case(draw, 0.0, 0.01, 1.0, same_rows=True)
    (found,) = differences([(seen, drawn)])
    assert found.by_seeds > 5 * found.by_rows
    assert found.value == pytest.approx(float(seen.mean()))


def test_one_seed_or_draws_that_cannot_be_measured_give_no_interval() -> None:
    one = differences([(np.array([1.0]), np.ones((1, 10)))])[0]
    lost = differences([(np.array([1.0, 2.0]), np.full((2, 10), np.nan))])[0]
    assert np.isnan([one.low, one.high, lost.low, lost.high]).all()
    assert one.value == 1.0 and lost.value == 1.5
