"""What doubling one part of the rows brings, seen where it was halved.

Two halves A and B of the train rows are learned from as they are, and again with the other half's
rows of one part beside them: that part is doubled, all else stays. What that mends, on validation
rows, is what the last doubling of that part brought. The next one brings less: how much less is not
seen, so it is taken to lie between how the whole curve flattens (data_size.py) and a steep fall, as
of rows that hardly sufficed for what is to be learned of them.

Source: Tae and Whang, Slice Tuner: A Selective Data Acquisition Framework (2021), for estimating
a curve of each slice; here by adding to a slice alone, so that no other slice's rows help along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Places: TypeAlias = NDArray[np.int64]

SURE = 0.8
FEWEST_MEASURED = 20
STEEP = 0.4
"""The least that a doubling brings of what the one before brought."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some of the rows.

    where:      in words
    train:      places among the train rows, ascending; validation: among the validation rows
    is_answer:  it is a class, so that more of it shifts how often each answer is right
    """

    where: str
    train: Places
    validation: Places
    is_answer: bool = False


@dataclass(frozen=True, kw_only=True)
class Gain:
    """By how much answers in a part get less far off, on average, where its rows are doubled.

    low, high: the ends of an 80 % interval, over rows and over the two halves, wider for having
               looked at several parts
    """

    middle: float
    low: float
    high: float


def with_part(half: Places, other: Places, part: Places) -> Places:
    """Return a half with the other half's rows of a part, ascending."""
    return np.union1d(half, np.intersect1d(other, part)).astype(np.int64)


def gain_of(before: Sequence[Array], after: Sequence[Array], *, ratio: float, tried: int) -> Gain:
    """Return the gain of the next doubling.

    before, after: of each half, how far off each measured row's answer is, without and with the
                   part doubled, float64 [N]
    ratio: what a doubling brings of what the one before brought
    tried: how many parts are looked at: the best of many looks better by luck
    """
    less = np.stack([b - a for b, a in zip(before, after, strict=True)])
    of_rows = float(less.mean(axis=0).std()) / max(less.shape[1], 1) ** 0.5
    halves = less.mean(axis=1)
    of_halves = float(halves.std(ddof=1)) / len(halves) ** 0.5 if len(halves) > 1 else 0.0
    return next_gain(float(less.mean()), float(np.hypot(of_rows, of_halves)), ratio, tried)


def next_gain(last: float, error: float, ratio: float, tried: int) -> Gain:
    """Return the next doubling's gain, from that of the last one and its standard error."""
    reach = reach_for(tried) * error
    ends = [r * end for r in (min(STEEP, ratio), ratio) for end in (last - reach, last + reach)]
    return Gain(middle=(min(STEEP, ratio) + ratio) / 2 * last, low=min(ends), high=max(ends))


def reach_for(tried: int) -> float:
    """Return how many standard errors an interval reaches, for each of so many to hold at 80 %."""
    from scipy.special import ndtri

    return float(ndtri(1 - (1 - SURE) / 2 / max(tried, 1)))
