"""Positives that fade towards the end of the data: answers that are still on their way."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.data.columns import text_of
from treadle.data.cuts import time_seconds
from treadle.data.finding import Finding
from treadle.data.target import TargetEncoder
from treadle.errors import DataError

_BINS = 60
_FEWEST_POSITIVES = 100
_USUAL = (0.3, 0.8)
_FADED = 0.6
_SURE = 3.5
_MOST_BINS = 24
_UNITS = ((86_400.0, "days"), (3_600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))


def fading(
    frame: pl.DataFrame, target: TargetEncoder, time: str, label_delay_seconds: float
) -> list[Finding]:
    """Return a finding where positives get rarer right at the end, as if they were not known yet.

    The rows are taken in time order, in 60 parts with as many rows each. What is usual is the
    share of positives from the third tenth to the eighth.
    """
    if target.task != "two_classes" or label_delay_seconds:
        return []
    try:
        seconds = time_seconds(frame[time])
    except DataError:
        return []
    known = np.isfinite(seconds)
    positive = (text_of(frame[target.column]) == target.classes[1]).fill_null(False).to_numpy()
    order = np.argsort(seconds[known], kind="stable")
    seconds, positive = seconds[known][order], positive[known][order]
    if positive.sum() < _FEWEST_POSITIVES or len(positive) < 10 * _BINS:
        return []
    found = _fades(seconds, positive)
    if found is None:
        return []
    since, usual, last = found
    return [_told(time, target.classes[1], float(seconds[-1] - since), usual, last)]


def _fades(
    seconds: NDArray[np.float64], positive: NDArray[np.bool_]
) -> tuple[float, float, float] | None:
    """Return (since when, the usual share, the share since then), or None."""
    bins = np.arange(len(positive)) * _BINS // len(positive)
    rows = np.bincount(bins).astype(np.float64)
    share = np.bincount(bins, weights=positive) / rows
    first, last = (int(_BINS * place) for place in _USUAL)
    usual = float(share[first:last].mean())
    chance = np.sqrt(np.maximum(usual * (1 - usual), 1e-12) / rows)
    spread = np.sqrt(chance**2 + float(share[first:last].var(ddof=1)))
    begin = _BINS
    while begin > _BINS - _MOST_BINS and share[begin - 1] < usual - spread[begin - 1]:
        begin -= 1
    if begin == _BINS:
        return None
    tail = slice(begin, _BINS)
    lately = float(share[tail].mean())
    sure = (usual - lately) / float(np.sqrt((spread[tail] ** 2).mean() / (_BINS - begin)))
    ends_lowest = share[-1] <= share[begin : begin + max(1, (_BINS - begin) // 2)].mean()
    if sure < _SURE or min(lately, float(share[-1])) > _FADED * usual or not ends_lowest:
        return None
    start = float(seconds[np.searchsorted(bins, begin)])
    return start, usual, lately


def _told(time: str, positive: str, lasting: float, usual: float, lately: float) -> Finding:
    size, unit = next((u for u in _UNITS if lasting >= 2 * u[0]), _UNITS[-1])
    count = int(np.ceil(lasting / size))
    return Finding(
        severity="warning",
        title="Positives fade towards the end",
        sentence=f"'{positive}' is {100 * usual:.2g} of 100 rows as a rule, but {100 * lately:.2g} "
        f"of 100 in the last {count:,} {unit} of '{time}': for many of these rows the answer is "
        "probably not known yet, and they would teach and test that it is no.",
        evidence={"usual": usual, "last": lately, "seconds": lasting},
        action=f'if answers come late: --label-delay "{count} {unit}"',
    )
