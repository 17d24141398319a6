"""What more rows of the same kind would bring: a power law through fits on fewer rows, with a band.

The loss on n rows is taken to be a + b·n^-c (a, b, c ≥ 0), so that each doubling of the rows brings
r = 2^-c times what the doubling before it brought. What is unknown (the loss on all rows, what the
last doubling brought, r, and how much fits on equally many rows differ) is weighed on a grid by
how well it explains the fits, and by what curves of other tables are like.

Source: Viering and Loog, The Shape of Learning Curves: A Review (2023), section 4.1, for the law;
what is believed before was chosen by benchmarks/collect/judge.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.goal import Metric

Floats: TypeAlias = NDArray[np.float64]

SURE = 0.8
"""The share of cases in which a band is to hold what comes."""

TAILS = 3.0
"""Fits that go wrong altogether are not rare on few rows: Student's t with so many degrees."""

LEAST_WEIGHT = 1e-4


@dataclass(frozen=True, kw_only=True)
class Beliefs:
    """What is believed of a curve before it is seen, and how wide bands are drawn.

    power, power_spread: the median of c, and the spread of its logarithm
    drop:          the mean share of the loss that the last doubling brought
    noise, noise_spread: the median spread of fits on all rows, as a share of the loss's standard
                   error over the rows it is measured on, and the spread of its logarithm
    noise_power:   that variance falls with the rows to this power
    carry:         what a fit on all rows was lucky by stays with fits on more, over how many times
    bend:          what the law misses, as a share of what it foresees
    floor:         what it misses besides, as a share of the standard error over rows
    few:           so many rows make the square of that twice as large: on few, learning sets in
                   suddenly
    width:         what the band's two halves are multiplied by
    """

    power: float = 0.35
    power_spread: float = 0.3
    drop: float = 0.5
    noise: float = 1.4
    noise_spread: float = 0.6
    noise_power: float = 1.1
    carry: float = 1.0
    bend: float = 0.5
    floor: float = 0.3
    few: float = 150.0
    width: float = 1.05


@dataclass(frozen=True, kw_only=True)
class Band:
    """The loss of one fit on so many times the rows: its median, and the ends of the band."""

    times: float
    middle: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """All curves of the grid and their weights, each float64 [G].

    level: the loss on all rows; drop: what the last doubling brought
    ratio: what the next brings of that; noise: how much fits on all rows differ
    rows:  how many there are; last: the loss that was measured on all of them
    error: its standard error over the rows it was measured on
    """

    level: Floats
    drop: Floats
    ratio: Floats
    noise: Floats
    weight: Floats
    rows: float
    last: float
    error: float
    beliefs: Beliefs

    def expected(self, times: float) -> Floats:
        """Return each curve's loss on so many times the rows, [G]."""
        return self.level - self.drop * _brought(self.ratio, np.log2(times))

    def gain(self, times: float, share: float) -> float:
        """Return how much less the loss is then, at a share of the curves: 0.5 is the median."""
        order = np.argsort(brought := self.drop * _brought(self.ratio, np.log2(times)))
        place = np.searchsorted(np.cumsum(self.weight[order]), share)
        return float(brought[order][min(int(place), len(order) - 1)])

    @property
    def flattening(self) -> float:
        """What a doubling brings of what the one before brought, on average."""
        return float(self.weight @ self.ratio)

    def foreseen(self, times: float) -> tuple[Floats, Floats]:
        """Return what each curve foresees of one fit: its mean and its spread, [G]."""
        believed = self.beliefs
        kept = believed.carry * min(times, 1 / times)
        middle = self.expected(times) + kept * (self.last - self.level)
        fit = self.noise**2 * times**-believed.noise_power
        bend = believed.bend * self.drop * _brought(self.ratio, np.log2(times))
        floor = (believed.floor * self.error) ** 2 * (1 + believed.few / self.rows)
        return middle, np.sqrt(fit + bend**2 + floor)

    def band(self, times: float, sure: float = SURE) -> Band:
        """Return the loss that one fit on so many times the rows will come to."""
        middle, spread = self.foreseen(times)
        width, tail = self.beliefs.width, (1 - sure) / 2
        low, half, high = (_quantile(middle, spread, self.weight, q) for q in (tail, 0.5, 1 - tail))
        ends = half - width * (half - low), half + width * (high - half)
        return Band(times=times, middle=half, low=max(ends[0], 0.0), high=ends[1])


def loss_of(metric: Metric, value: float) -> float:
    """Return what a metric's value falls short of the best there is; of losses, they themselves."""
    return 1 - value if metric.higher_is_better else value


def value_of(metric: Metric, loss: float) -> float:
    """Return the value of the metric at that loss."""
    return 1 - loss if metric.higher_is_better else loss


def curve_of(
    rows: Sequence[float],
    losses: Sequence[float],
    error: float,
    beliefs: Beliefs | None = None,
) -> Posterior:
    """Return what fits on fewer and on all rows tell of the curve.

    rows, losses: of each fit; the largest of `rows` are all rows there are
    error: the standard error of the loss over the rows it is measured on
    """
    beliefs = beliefs or Beliefs()
    found = np.asarray(losses, np.float64)
    back = np.log2(max(rows) / np.asarray(rows, np.float64))
    last = float(found[back == 0].mean())
    scale = max(last, 0.01 * float(np.abs(found).max()), 1e-9)
    error = max(error, 1e-3 * scale)
    axes = _axes(beliefs, last, scale, error)
    ratio, drop, noise, level = (one.ravel() for one in np.meshgrid(*axes, indexing="ij"))
    log_weight = _believed(ratio, drop / scale, noise / error, beliefs)
    for loss, steps in zip(found, back, strict=True):
        width = noise * 2.0 ** (beliefs.noise_power / 2 * steps)
        off = (loss - level - drop * _lost(ratio, float(steps))) / width
        log_weight -= (TAILS + 1) / 2 * np.log1p(off**2 / TAILS) + np.log(width)
    log_weight[level < drop * ratio / (1 - ratio)] = -np.inf  # no loss falls below nothing
    best = log_weight.max()
    weight = np.exp(log_weight - best) if np.isfinite(best) else np.ones_like(level)
    kept = weight > LEAST_WEIGHT * weight.max()
    return Posterior(
        level=level[kept],
        drop=drop[kept],
        ratio=ratio[kept],
        noise=noise[kept],
        weight=weight[kept] / weight[kept].sum(),
        rows=float(max(rows)),
        last=last,
        error=error,
        beliefs=beliefs,
    )


def _axes(
    beliefs: Beliefs, last: float, scale: float, error: float
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the values that are tried of r, the last drop, the noise and the loss on all rows."""
    powers = beliefs.power * np.exp(beliefs.power_spread * np.linspace(-2.2, 2.2, 9))
    drops = scale * np.concatenate([[0.0], np.geomspace(1e-3, 0.8, 28)])
    noises = error * np.geomspace(0.05, 4.0, 12)
    levels = last + error * np.linspace(-3.0, 3.0, 31)
    return 2.0**-powers, drops, noises, levels[levels > 0]


def _believed(ratio: Floats, drop: Floats, noise: Floats, beliefs: Beliefs) -> Floats:
    """Return the logarithm of what is believed of each curve.

    drop: in shares of the loss; noise: in shares of its standard error over rows. The grid is even
    in the logarithms of c, drop and noise, so that these are weighed.
    """
    of_power = np.log(-np.log2(ratio) / beliefs.power) / beliefs.power_spread
    of_noise = np.log(noise / beliefs.noise) / beliefs.noise_spread
    least = 1e-3 / beliefs.drop
    of_drop = np.log(np.maximum(drop / beliefs.drop, least)) - drop / beliefs.drop
    found: Floats = -0.5 * of_power**2 - 0.5 * of_noise**2 + of_drop
    return found


def _lost(ratio: Floats, doublings: float) -> Floats:
    """Return how much more the loss is so many doublings back, in units of the last drop."""
    found: Floats = ratio * (ratio**-doublings - 1) / (1 - ratio)
    return found


def _brought(ratio: Floats, doublings: float) -> Floats:
    """Return how much less it is so many doublings on, in units of the last drop."""
    found: Floats = ratio * (1 - ratio**doublings) / (1 - ratio)
    return found


def _quantile(middle: Floats, spread: Floats, weight: Floats, share: float) -> float:
    """Return where a mixture of normal distributions reaches a share, by halving."""
    from scipy.special import ndtr

    low = float((middle - 8 * spread).min())
    high = float((middle + 8 * spread).max())
    for _ in range(60):
        half = (low + high) / 2
        if float(weight @ ndtr((half - middle) / spread)) < share:
            low = half
        else:
            high = half
    return (low + high) / 2
