"""Forecasts of a curve: bands that hold, in the metric's own units, whatever its direction."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.watch.forecast import FEWEST, Band, Target, forecast
from treadle.watch.forecast_signs import NAMES, deviation
from treadle.watch.forecast_table import TABLE

STEPS = np.arange(1, 61) * 10


def one(values: np.ndarray, target: int, **options: bool) -> Band:
    asked = {"higher_is_better": False} | options
    (band,) = forecast(list(STEPS[: len(values)]), list(values), [Target(step=target)], **asked)
    return band


def a_power_law(steps: np.ndarray, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    curve = 0.3 + 2.0 * steps**-0.5
    return np.asarray(curve + noise * np.random.default_rng(seed).normal(size=len(steps)))


@pytest.mark.parametrize("multiple", [2, 5])
def test_bands_of_smooth_curves_hold_the_truth(multiple: int) -> None:
    held = []
    for power in (0.2, 0.35, 0.5, 0.7, 1.0):
        curve = 0.1 + 2.0 * STEPS ** -float(power)
        band = one(curve, int(STEPS[-1] * multiple))
        held.append(band.low <= 0.1 + 2.0 * (STEPS[-1] * multiple) ** -power <= band.high)
    assert sum(held) >= 4


def test_a_curve_that_stands_still_is_not_foretold_to_rise_again() -> None:
    chance = np.random.default_rng(1)
    curve = np.where(STEPS < 200, 2.0 - STEPS / 200, 1.0) + 0.01 * chance.normal(size=len(STEPS))
    band = one(curve, 3_000)
    assert band.gain < 0.05
    assert band.high <= curve.min() + 1e-12


def test_an_overfitting_curve_keeps_its_best() -> None:
    curve = 1 + (STEPS / 200 - 1) ** 2
    band = one(curve, 1_200)
    assert band.high == pytest.approx(curve.min())
    assert band.low == pytest.approx(curve.min(), abs=0.02)


def test_a_longer_way_brings_no_less_and_is_no_surer() -> None:
    values = list(a_power_law(STEPS, 0.01))
    targets = [Target(step=step) for step in (700, 1_200, 3_000)]
    bands = forecast(list(STEPS), values, targets, higher_is_better=False)
    assert bands[0].gain <= bands[1].gain <= bands[2].gain
    assert all(b.low <= b.middle <= b.high for b in bands)
    assert bands[0].high - bands[0].low < bands[2].high - bands[2].low


@pytest.mark.parametrize("noise", [0.01, 0.03])
def test_a_later_target_never_ends_lower_than_an_earlier_one(noise: float) -> None:
    steps = np.arange(1, 25) * 10
    for seed in range(60):  # for about one in forty the signs alone would have it end lower
        draw = np.random.default_rng(seed)
        values = 0.8 - 0.2 / steps**0.7 + noise * draw.normal(size=24)
        targets = [Target(step=480, decay=0.1), Target(step=1_200, decay=0.9)]
        earlier, later = forecast(steps, values, targets, higher_is_better=True)
        assert later.low >= earlier.low
        assert later.middle >= earlier.middle
        assert later.high >= earlier.high


def test_more_is_better_is_the_mirror_image_of_less_is_better() -> None:
    loss = a_power_law(STEPS, 0.01) / 10
    down = one(loss, 1_200)
    up = one(1 - loss, 1_200, higher_is_better=True)
    assert up.low == pytest.approx(1 - down.high)
    assert up.high == pytest.approx(1 - down.low)
    assert up.gain == pytest.approx(down.gain)


def test_a_share_is_never_foretold_above_one_nor_a_loss_below_zero() -> None:
    rising = np.minimum(0.999, STEPS / 600)
    assert one(rising, 60_000, higher_is_better=True).high <= 1
    assert one(1 - rising, 60_000).low >= 0


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(
        st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=40
    ),
    higher=st.booleans(),
    multiple=st.floats(1.0, 50.0),
)
def test_any_curve_gives_a_finite_band_around_its_best_or_none(
    values: list[float], higher: bool, multiple: float
) -> None:
    steps = list(range(1, len(values) + 1))
    target = Target(step=max(len(values) + 1, int(len(values) * multiple)), decay=0.5)
    bands = forecast(steps, values, [target], higher_is_better=higher)
    finite = [value for value in values if np.isfinite(value)]
    assert len(bands) == (len(finite) >= FEWEST)
    for band in bands:
        best = max(finite) if higher else min(finite)
        assert np.isfinite([band.low, band.middle, band.high, band.gain]).all()
        assert band.low <= band.middle <= band.high
        slack = 1e-6 * (1 + abs(best))
        assert (band.low >= best - slack) if higher else (band.high <= best + slack)


def test_the_units_of_a_metric_do_not_matter() -> None:
    values = a_power_law(STEPS, 0.01)
    small, large = one(values, 1_200), one(1_000 * values, 1_200)
    assert large.middle == pytest.approx(1_000 * small.middle)
    assert large.low == pytest.approx(1_000 * small.low)


def test_a_curve_that_flew_apart_once_is_forecast_like_any_other() -> None:
    values = a_power_law(STEPS)
    apart = values.copy()
    apart[:3] = 1e12
    first, second = one(values, 1_200), one(apart, 1_200)
    assert second.low == pytest.approx(first.low, abs=0.05)
    assert second.high == pytest.approx(first.high, abs=0.05)


def test_values_that_are_not_finite_are_passed_over() -> None:
    values = a_power_law(STEPS)
    broken = values.copy()
    broken[20] = np.nan
    kept = np.delete(values, 20)
    expected = forecast(
        list(np.delete(STEPS, 20)), list(kept), [Target(step=1_200)], higher_is_better=False
    )
    assert [one(broken, 1_200)] == expected


def test_noise_is_read_off_a_falling_curve_without_its_fall() -> None:
    noisy = a_power_law(np.arange(1.0, 401.0), 0.05)
    assert deviation(noisy) == pytest.approx(0.05, rel=0.35)


def test_the_table_has_a_weight_for_every_sign() -> None:
    assert {len(weights) for weights in TABLE.values()} == {len(NAMES)}
    assert {0.1, 0.5, 0.9} <= TABLE.keys()


@pytest.mark.slow
def test_a_forecast_of_a_long_curve_takes_milliseconds() -> None:
    steps = np.arange(1, 5_001)
    values, targets = list(a_power_law(steps.astype(float), 0.01)), [Target(step=10_000)]
    forecast(list(steps), values, targets, higher_is_better=False)
    began = time.perf_counter()
    for _ in range(20):
        forecast(list(steps), values, targets, higher_is_better=False)
    assert (time.perf_counter() - began) / 20 < 0.5  # a bound on the order of magnitude alone
