"""A 95 % interval for what rows cost on average, where few rows cost anything and some much.

What test rows cost is a sum of rare, unequal amounts. The percentiles of a bootstrap are too low
at their upper end then: what did not happen in the test rows cannot be drawn. A gamma
distribution of the same mean and variance has the right lean, and its upper end allows for one
more event than was seen.

Source: Fay and Feuer, Confidence Intervals for Directly Standardized Rates, Statistics in Medicine
1997, with the variance about the mean; for what is won and lost at once: Zou and Donner,
Construction of Confidence Limits about Effect Measures, Statistics in Medicine 2008.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Ends: TypeAlias = tuple[float, float]

OUTSIDE = 0.025


def mean_interval(
    values: Array,
    clusters: Array | None = None,
    *,
    one_more: float = 0.0,
    one_less: float = 0.0,
) -> tuple[float, float]:
    """Return the ends of a 95 % interval of the mean of `values`, float64 [N].

    clusters: a code int64 [N]: rows of one cluster are not independent
    one_more: what one row above zero may hold of which none was seen; one_less: one below
    """
    if not len(values):
        return float("nan"), float("nan")
    up, down = np.maximum(values, 0.0), np.maximum(-values, 0.0)
    won = _gamma(*_by_cluster(up, clusters), one_more)
    if not down.any() and not one_less:
        return won
    lost = _gamma(*_by_cluster(down, clusters), one_less)
    if not up.any() and not one_more:
        return -lost[1], -lost[0]
    apart = float(np.hypot(_error(up, clusters), _error(down, clusters)))
    together = _error(values, clusters) / apart if 0 < apart < float("inf") else 1.0
    mean = float(values.mean())
    return (
        mean - together * float(np.hypot(up.mean() - won[0], lost[1] - down.mean())),
        mean + together * float(np.hypot(won[1] - up.mean(), down.mean() - lost[0])),
    )


def _by_cluster(values: Array, clusters: Array | None) -> tuple[Array, Array]:
    """Return the sum and the number of rows of each cluster."""
    if clusters is None:
        return values.astype(np.float64), np.ones(len(values))
    _, codes = np.unique(clusters, return_inverse=True)
    return np.bincount(codes, weights=values), np.bincount(codes).astype(np.float64)


def _error(values: Array, clusters: Array | None) -> float:
    return _standard_error(*_by_cluster(values, clusters))


def _standard_error(sums: Array, sizes: Array) -> float:
    """Return the standard error of the mean over rows, clusters drawn."""
    count, rows = len(sums), sizes.sum()
    if count < 2:
        return float("inf")
    off = sums - sums.sum() / rows * sizes
    return float(np.sqrt(count / (count - 1) * (off**2).sum()) / rows)


def _gamma(sums: Array, sizes: Array, one_more: float) -> Ends:
    """Return the ends for amounts of 0 or more."""
    from scipy.stats import gamma

    rows = sizes.sum()
    mean, variance = float(sums.sum() / rows), _standard_error(sums, sizes) ** 2
    if not np.isfinite(variance):
        return 0.0, float("inf")
    off = (sums - mean * sizes) / rows
    lean = max(0.0, float((off**3).sum())) / variance if variance > 0 else 0.0
    step = max(lean / 2, one_more / rows)
    low = 0.0
    if mean > 0 and variance > 0:
        low = float(gamma.ppf(OUTSIDE, mean**2 / variance) * variance / mean)
    elif variance == 0:
        low = mean
    if step <= 0 and variance == 0:
        return low, mean
    upper, spread = mean + step, variance + step * max(step, lean / 2)
    high = gamma.ppf(1 - OUTSIDE, upper**2 / spread) * spread / upper
    return low, max(mean, float(high))
