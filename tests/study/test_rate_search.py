"""The search for a learning rate, on valleys whose lowest point is known."""

from __future__ import annotations

import math

import pytest

from treadle.study.rate_search import DRIFT, HIGHEST, LOWEST, Trial, find_rate

NO_DRIFT = {"horizon": 100, "shares": (1.0,)}


class Valley:
    """A loss that is lowest at one factor, worse by the square of the distance in powers of ten."""

    def __init__(self, lowest: float, breaks_at: float = math.inf) -> None:
        self.lowest, self.breaks_at = lowest, breaks_at
        self.tried: list[tuple[float, int]] = []

    def __call__(self, factor: float, steps: int) -> float:
        self.tried.append((factor, steps))
        if factor >= self.breaks_at:
            return math.inf
        return math.exp(0.3 * math.log10(factor / self.lowest) ** 2)


@pytest.mark.parametrize("lowest", [0.004, 0.3, 1.0, 2.5, 700.0])
def test_the_lowest_point_is_found_between_the_rates_that_were_tried(lowest: float) -> None:
    found = find_rate(Valley(lowest), **NO_DRIFT)
    assert found.factor == pytest.approx(lowest, rel=1e-6)


def test_no_rate_is_tried_that_the_way_down_does_not_lead_by() -> None:
    valley = Valley(1.0)
    find_rate(valley, **NO_DRIFT)
    assert sorted(factor for factor, _ in valley.tried) == pytest.approx([10**-0.5, 1.0, 10**0.5])


def test_where_the_usual_rate_diverges_it_is_looked_for_below() -> None:
    found = find_rate(Valley(1e-3, breaks_at=0.05), **NO_DRIFT)
    assert found.factor == pytest.approx(1e-3, rel=1e-6)


def test_a_neighbour_that_diverged_does_not_move_the_best_away() -> None:
    found = find_rate(Valley(1.0, breaks_at=2.0), **NO_DRIFT)
    assert found.factor == pytest.approx(1.0)


def test_where_all_diverge_the_rate_stays_as_it_is() -> None:
    found = find_rate(Valley(1.0, breaks_at=0.0), **NO_DRIFT)
    assert found.factor == 1.0
    assert min(trial.factor for trial in found.trials) < 10 * LOWEST


def test_a_valley_without_end_is_left_at_a_limit() -> None:
    found = find_rate(lambda factor, steps: 1 / factor, **NO_DRIFT)
    assert 1.0 < found.factor <= HIGHEST


def test_later_rounds_are_longer_and_begin_at_the_best_before() -> None:
    found = find_rate(Valley(0.03), horizon=10_000, shares=(0.01, 0.1))
    rounds: dict[int, list[Trial]] = {}
    for trial in found.trials:
        rounds.setdefault(trial.steps, []).append(trial)
    assert list(rounds) == [100, 1_000]
    assert len(rounds[1_000]) == 3


def test_rounds_that_would_hardly_be_longer_are_left_out() -> None:
    found = find_rate(Valley(1.0), horizon=200, shares=(0.01, 0.03, 0.08))
    assert {trial.steps for trial in found.trials} == {20}


def test_a_longer_training_gets_a_lower_rate() -> None:
    found = find_rate(Valley(1.0), horizon=1_000, shares=(0.1,))
    assert found.factor == pytest.approx(10**-DRIFT)


def test_values_below_zero_are_compared_as_they_are() -> None:
    def areas(factor: float, steps: int) -> float:
        return -0.9 + 0.05 * math.log10(factor / 3.0) ** 2

    assert find_rate(areas, **NO_DRIFT).factor == pytest.approx(3.0, rel=1e-6)


def flat_above(factor: float, steps: int) -> float:
    """A valley at a hundredth, and flat land from a twentieth on."""
    return 1.0 if factor > 0.05 else Valley(0.01)(factor, steps) - 0.9


def test_from_flat_land_no_way_leads_down_but_powers_of_ten_do() -> None:
    assert find_rate(flat_above, **NO_DRIFT).factor > 0.1
    found = find_rate(flat_above, **NO_DRIFT, decades=3)
    assert found.factor == pytest.approx(0.01, rel=0.2)
    tried = [trial.factor for trial in found.trials]
    assert len(set(tried)) == len(tried) == 6


def test_a_search_begins_where_it_is_told_to() -> None:
    valley = Valley(0.03)
    found = find_rate(valley, **NO_DRIFT, start=0.03)
    assert found.factor == pytest.approx(0.03, rel=1e-6)
    assert len(valley.tried) == 3
