"""Which rows learn, which choose and which judge in each turn, where rows take turns at judging.

A rule, as the split itself: by a hash of what a row holds, in its class's order, so that equal
rows (or those of one group) go together and each turn has its share of each class. Of five turns
each row judges once; from the sixth on the order is another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.data.hashing import hash_text, mixed

Places: TypeAlias = NDArray[np.int64]
Hashes: TypeAlias = NDArray[np.uint64]

TURNS = 5
CHOOSE = 0.15


@dataclass(frozen=True, kw_only=True)
class Turn:
    """Places int64, ascending: no row in two of them.

    choose: tells when training should stop, and what is chosen after it
    """

    learn: Places
    choose: Places
    judge: Places


def turns_of(keys: Hashes, kinds: NDArray[Any], count: int, *, seed: int = 0) -> list[Turn]:
    """Return so many turns over N rows.

    keys:  uint64 [N]: rows of one key go together; kinds: a code [N] of which each turn gets its
           share; all the same where keys are groups
    """
    found = []
    for turn in range(count):
        place = _places(mixed(keys ^ np.uint64(hash_text(f"turn {turn // TURNS}", seed))), kinds)
        start = (turn % TURNS) / TURNS
        judges = _within(place, start, 1 / TURNS)
        chooses = _within(place, start + 1 / TURNS, CHOOSE) & ~judges
        found.append(
            Turn(
                learn=np.flatnonzero(~judges & ~chooses),
                choose=np.flatnonzero(chooses),
                judge=np.flatnonzero(judges),
            )
        )
    return found


def _places(keys: Hashes, kinds: NDArray[Any]) -> NDArray[np.float64]:
    """Return where each row stands in its kind's order, between 0 and 1; equal keys at one place.

    A key's place is the middle of its rows, so that a large group is not taken for a small one.
    """
    found = np.empty(len(keys))
    for kind in np.unique(kinds):
        rows = np.flatnonzero(kinds == kind)
        _, codes, sizes = np.unique(keys[rows], return_inverse=True, return_counts=True)
        middles = (np.cumsum(sizes) - sizes / 2) / sizes.sum()
        found[rows] = middles[codes]
    return found


def _within(place: NDArray[np.float64], start: float, share: float) -> NDArray[np.bool_]:
    """Tell which places lie in a stretch of the circle from 0 to 1, its start included."""
    off = np.round((place - start) % 1.0, 9) % 1.0
    found: NDArray[np.bool_] = off < round(share, 9)
    return found
