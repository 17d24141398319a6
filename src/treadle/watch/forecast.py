"""Would longer help? From a curve so far, a band for the best of it at later steps.

What is forecast is the best so far, not the newest value: the best weights always come back, so
that is what a user gets. A band holds the truth with a probability of 80 %. Where it is likely
that nothing more is gained, its lower end is what is there already.

The signs of a curve (`forecast_signs`) are weighed by a table (`forecast_table`) that was learned
by quantile regression from curves of small tasks, and judged on those of other tasks
(benchmarks/forecast). Gains are reckoned as shares of what is left until the metric's bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from treadle.watch.forecast_signs import signs
from treadle.watch.forecast_table import TABLE

Array = NDArray[np.float64]

LEVEL = 0.8
FEWEST = 6
"""Validations below which there is no forecast."""


@dataclass(frozen=True, kw_only=True)
class Band:
    """Where the best validation will be at a later step, in the metric's own units.

    low, high: hold it with a probability of 80 %; low ≤ middle ≤ high, as numbers
    gain:      how much better than now it will be in the mean, never below zero
    """

    step: int
    low: float
    middle: float
    high: float
    gain: float


@dataclass(frozen=True, kw_only=True)
class Target:
    """A later step. decay: by how much of its full size the learning rate falls until there;
    replanned: another, longer plan of the rate leads there."""

    step: int
    decay: float = 0.0
    replanned: bool = False


def forecast(
    steps: Sequence[float],
    values: Sequence[float],
    targets: Sequence[Target],
    *,
    higher_is_better: bool,
    table: Mapping[float, Sequence[float] | Array] = TABLE,
) -> list[Band]:
    """Return a band for each target; none where the curve has too few points.

    values: one metric by validation; those that are not finite are passed over
    """
    sign = -1.0 if higher_is_better else 1.0
    curve = sign * np.asarray(values, dtype=np.float64)
    finite = np.isfinite(curve)
    if finite.sum() < FEWEST or not targets:
        return []
    at = np.asarray(steps, dtype=np.float64)[finite]
    curve = curve[finite]
    bound = _bound(curve, higher_is_better=higher_is_better)
    ahead = np.array([[t.step, t.decay, t.replanned] for t in targets], dtype=np.float64)
    found = signs(at, curve, ahead[:, 0], ahead[:, 1], ahead[:, 2], bound)
    gains = _never_less(_gains(found.values, found.room, table), targets)
    return [
        Band(
            step=target.step,
            low=min(sign * (found.best - low), sign * (found.best - high)),
            middle=sign * (found.best - middle),
            high=max(sign * (found.best - low), sign * (found.best - high)),
            gain=mean,
        )
        for target, (low, middle, high, mean) in zip(targets, gains.tolist(), strict=True)
    ]


def _bound(curve: Array, *, higher_is_better: bool) -> float:
    """Return what no model can be better than, as the numbers seen suggest, where less is better.

    A loss has seldom been below zero, a share never above one; what has is taken for unbounded.
    """
    best = float(curve.min())
    bound = -1.0 if higher_is_better else 0.0
    if best >= bound:
        return bound
    return best - 3 * float(np.ptp(curve))


def _gains(signs: Array, room: float, table: Mapping[float, Sequence[float] | Array]) -> Array:
    """Return (low, middle, high, mean) of the gain at each target, [targets, 4]."""
    levels = sorted(table)
    shares = signs @ np.array([table[level] for level in levels]).T
    shares = np.maximum.accumulate(np.maximum(0.0, shares), axis=1)
    rows = []
    for row in shares:
        middle = _at(levels, row, 0.5)
        low = _at(levels, row, (1 - LEVEL) / 2)
        upper = (1 + LEVEL) / 2
        if low <= 0:  # all that there is below the middle is "no gain": it takes its share alone
            nothing = float(np.interp(0.0, row + np.arange(len(row)) * 1e-12, levels))
            upper -= min(0.1, max(0.0, nothing - 0.1))
        high = _at(levels, row, upper)
        mean = float(np.trapezoid(row, levels)) / (levels[-1] - levels[0])
        rows.append((_real(low, room), _real(middle, room), _real(high, room), _real(mean, room)))
    return np.array(rows)


def _never_less(gains: Array, targets: Sequence[Target]) -> Array:
    """Return the gains, none less than at an earlier target: what was best so far stays so."""
    in_order = np.argsort([target.step for target in targets], kind="stable")
    gains[in_order] = np.maximum.accumulate(gains[in_order], axis=0)
    return gains


def _at(levels: Sequence[float], row: Array, level: float) -> float:
    return float(np.interp(level, levels, row))


def _real(share: float, room: float) -> float:
    """Return the gain that a share of what is left until the bound stands for."""
    return float(room * -np.expm1(-share / room)) if room > 0 else 0.0
