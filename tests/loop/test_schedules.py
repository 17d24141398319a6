"""Every schedule is a pure function of (step, horizon, scale) with a factor in [0, scale]."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.contracts import Schedule
from treadle.errors import OptionError
from treadle.loop.schedules import (
    SCHEDULES,
    by_name,
    constant,
    one_cycle,
    plateau,
    warmup_cosine,
    warmup_stable_decay,
)

EVERY: dict[str, Callable[[], Schedule]] = {
    **SCHEDULES,
    "cosine without warm-up": lambda: warmup_cosine(warmup=0.0),
    "cosine to a floor": lambda: warmup_cosine(floor=0.1),
    "one-cycle, short": lambda: one_cycle(warmup=0.1, start=0.5, end=0.2),
    "all decay": lambda: warmup_stable_decay(warmup=0.0, decay=1.0),
    "no decay": lambda: warmup_stable_decay(decay=0.0),
    "plateau without warm-up": plateau,
}
every = pytest.mark.parametrize("make", EVERY.values(), ids=EVERY.keys())


@every
@given(step=st.integers(0, 10**6), horizon=st.integers(1, 10**6), scale=st.floats(1e-6, 10))
def test_factor_lies_between_zero_and_scale(
    make: Callable[[], Schedule], step: int, horizon: int, scale: float
) -> None:
    assert 0 <= make()(step, horizon, scale) <= scale * (1 + 1e-12)


@every
def test_is_a_pure_function(make: Callable[[], Schedule]) -> None:
    schedule, other = make(), make()
    forwards = [schedule(step, 50, 0.7) for step in range(70)]
    backwards = [other(step, 50, 0.7) for step in reversed(range(70))]
    assert forwards == backwards[::-1]


@every
def test_scale_multiplies(make: Callable[[], Schedule]) -> None:
    for step in range(60):
        assert make()(step, 50, 0.25) == pytest.approx(0.25 * make()(step, 50, 1.0))


@every
def test_the_last_value_holds_beyond_the_horizon(make: Callable[[], Schedule]) -> None:
    schedule = make()
    assert {schedule(step, 50, 1.0) for step in (50, 51, 80, 10**6)} == {schedule(50, 50, 1.0)}


@every
def test_learns_from_the_first_step_on(make: Callable[[], Schedule]) -> None:
    for horizon in (1, 2, 10, 1_000):
        assert make()(0, horizon, 1.0) > 0


@every
def test_reaches_the_full_rate(make: Callable[[], Schedule]) -> None:
    assert max(make()(step, 100, 1.0) for step in range(100)) == pytest.approx(1.0, abs=0.02)


def test_cosine_rises_then_falls_by_its_formula() -> None:
    schedule = warmup_cosine(warmup=0.1, floor=0.2)
    assert [schedule(step, 100, 1.0) for step in (0, 4, 10)] == pytest.approx([1 / 11, 5 / 11, 1])
    middle = 0.2 + 0.8 * 0.5 * (1 + math.cos(math.pi * 45 / 90))
    assert schedule(55, 100, 1.0) == pytest.approx(middle)
    assert schedule(100, 100, 1.0) == pytest.approx(0.2)


def test_stable_decay_stays_full_and_falls_as_one_minus_root() -> None:
    schedule = warmup_stable_decay(warmup=0.1, decay=0.2)
    assert {schedule(step, 100, 1.0) for step in range(10, 81)} == {1.0}
    assert schedule(90, 100, 1.0) == pytest.approx(1 - math.sqrt(0.5))
    assert schedule(100, 100, 1.0) == 0


def test_one_cycle_peaks_after_its_warm_up_and_ends_low() -> None:
    schedule = one_cycle(warmup=0.3, end=0.001)
    factors = [schedule(step, 100, 1.0) for step in range(101)]
    assert factors.index(max(factors)) == 30
    assert factors[100] == pytest.approx(0.001)


def test_constant_and_plateau_need_no_horizon() -> None:
    assert constant()(5, 0, 0.5) == plateau()(5, 0, 0.5) == 0.5


def test_a_schedule_without_a_horizon_is_refused_in_words() -> None:
    with pytest.raises(OptionError, match="horizon is 0") as raised:
        warmup_cosine()(3, 0, 1.0)
    assert "TrainState" in raised.value.hint


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(OptionError) as raised:
        by_name("cosin")
    assert "did you mean 'cosine'" in raised.value.hint
