"""What more rows would bring: curves that are known are continued, and the band is honest."""

from __future__ import annotations

import numpy as np
import pytest

from treadle.goal import METRICS
from treadle.study.data_size import Posterior, curve_of, loss_of, value_of

REPEATS = ((8, 4), (4, 4), (2, 2), (1, 1))


def drawn(
    a: float, b: float, c: float, noise: float = 0.003, seed: int = 0, rows: int = 4096
) -> tuple[list[int], list[float]]:
    """Return fits of a known power law a + b·(rows/4096)^-c, with noise."""
    random = np.random.default_rng(seed)
    sizes = [rows // part for part, count in REPEATS for _ in range(count)]
    spread = [noise * (rows / size) ** 0.5 for size in sizes]
    losses = [
        a + b * (size / rows) ** -c + random.normal(0, wide)
        for size, wide in zip(sizes, spread, strict=True)
    ]
    return sizes, losses


def law(times: float, a: float, b: float, c: float) -> float:
    return float(a + b * times**-c)


def found(a: float, b: float, c: float, seed: int = 0) -> Posterior:
    return curve_of(*drawn(a, b, c, seed=seed), error=0.006)


@pytest.mark.parametrize(("a", "b", "c"), [(0.1, 0.1, 0.5), (0.0, 0.2, 0.3), (0.2, 0.02, 0.8)])
def test_bands_hold_what_a_known_law_comes_to_in_about_eight_of_ten(
    a: float, b: float, c: float
) -> None:
    random = np.random.default_rng(1)
    held = 0
    for seed in range(30):
        band = found(a, b, c, seed).band(2)
        truth = law(2, a, b, c) + random.normal(0, 0.003 / 2**0.5)
        held += band.low <= truth <= band.high
    assert held >= 20  # 8 of 10 of all tables; these follow the law, so the band may be too wide


def test_a_steep_curve_goes_on_and_a_flat_one_does_not() -> None:
    steep, flat = found(0.0, 0.3, 0.5), found(0.3, 0.0, 0.5)
    assert steep.band(2).middle < 0.26 < steep.last + 0.01
    assert abs(flat.band(2).middle - 0.3) < 0.01
    assert steep.gain(2, 0.5) > 10 * flat.gain(2, 0.5)


def test_what_is_further_off_is_less_certain_and_brings_more() -> None:
    curve = found(0.1, 0.1, 0.5)
    twice, four = curve.band(2), curve.band(4)
    assert four.middle < twice.middle
    assert four.high - four.low > twice.high - twice.low
    assert curve.gain(4, 0.5) > curve.gain(2, 0.5) > 0


def test_noisy_fits_give_a_wide_band() -> None:
    sure = curve_of(*drawn(0.2, 0.02, 0.5, noise=0.001), error=0.01).band(2)
    noisy = curve_of(*drawn(0.2, 0.02, 0.5, noise=0.02), error=0.01).band(2)
    assert noisy.high - noisy.low > 2 * (sure.high - sure.low)


def test_one_fit_that_went_wrong_does_not_carry_the_curve_away() -> None:
    sizes, losses = drawn(0.1, 0.1, 0.5)
    plain = curve_of(sizes, losses, error=0.006).band(2).middle
    losses[5] = 0.9
    assert abs(curve_of(sizes, losses, error=0.006).band(2).middle - plain) < 0.01


def test_no_loss_falls_below_nothing() -> None:
    band = curve_of([64, 64, 128, 256, 512], [0.4, 0.42, 0.2, 0.1, 0.01], error=0.01).band(8)
    assert 0 <= band.low <= band.middle <= band.high


def test_fits_without_any_error_left_are_no_mishap() -> None:
    band = curve_of([64, 128, 256, 512], [0.0, 0.0, 0.0, 0.0], error=0.0).band(2)
    assert 0 <= band.low <= band.high < 0.1


def test_what_a_doubling_brings_falls_from_one_to_the_next() -> None:
    assert 0.5 < found(0.0, 0.3, 0.5).flattening < 1


@pytest.mark.parametrize(
    ("name", "value", "loss"), [("accuracy", 0.9, 0.1), ("log_loss", 2.0, 2.0)]
)
def test_losses_are_what_is_missing_to_the_best(name: str, value: float, loss: float) -> None:
    assert loss_of(METRICS[name], value) == pytest.approx(loss)
    assert value_of(METRICS[name], loss) == pytest.approx(value)
