"""What several verdicts read off the losses of all batches, and off the validations."""

from __future__ import annotations

import math

import numpy as np

from treadle.watch.evidence import Array, Evidence, Windows

FEWEST_VALIDATIONS = 6


def best_at_end(evidence: Evidence) -> bool:
    """Tell whether the validation loss was lowest in the last quarter: it was still falling.

    The best step may be an early one where the metric that decides only goes by the order.
    """
    held_out = evidence.curve.held_out
    if not len(held_out) or not np.isfinite(held_out).all():
        return (evidence.best_step or 0) > 0.75 * evidence.step
    return float(evidence.curve.steps[int(held_out.argmin())]) > 0.75 * evidence.step


def still_gaining(evidence: Evidence) -> float:
    """Return the share of the validation loss that the last quarter of the training took away."""
    held_out = evidence.curve.held_out
    quarter = max(1, len(held_out) // 4)
    if len(held_out) < FEWEST_VALIDATIONS or not np.isfinite(held_out).all():
        return 0.0
    before = float(held_out[-quarter - 1])
    return (before - float(held_out[-1])) / max(before, 1e-12)


def without_worst(windows: Windows) -> Array:
    """Return the windows' means without the worst batch of each, which may be a broken one."""
    count = windows.batches
    rest = (windows.mean * count - windows.highest) / np.maximum(count - 1, 1)
    return np.where(count > 1, rest, windows.mean)


def fell(evidence: Evidence) -> float:
    """Return by how many standard errors the training loss fell in the second half.

    Of its two quarters each is compared with the one before: a schedule may end in standing still.
    """
    mean = evidence.windows.mean
    if len(mean) < 8:
        return math.inf
    quarters = np.array_split(mean, 4)
    errors = [float(part.std(ddof=1)) / math.sqrt(len(part)) for part in quarters]
    falls = [
        float(quarters[i].mean() - quarters[i + 1].mean())
        / max(math.hypot(errors[i], errors[i + 1]), 1e-12)
        for i in (1, 2)
    ]
    return max(falls)
