"""Parts of the validation rows, so that what is chosen on some is judged on others."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
NUM_FOLDS = 5


def folds_of(
    truth: Array,
    *,
    groups: Array | None = None,
    moments: Array | None = None,
    count: int = NUM_FOLDS,
    seed: int = 0,
) -> Array:
    """Return the fold of each row, int64 [N] in 0 … count − 1.

    truth:   class codes, of which each fold gets its share; or values
    groups:  a code for each row: rows of one group lie in one fold
    moments: by time: a fold is one stretch of it
    """
    draw = np.random.default_rng(seed)
    if moments is not None:
        return _cut(np.argsort(moments, kind="stable"), count)
    if groups is not None:
        _, codes = np.unique(groups, return_inverse=True)
        places = draw.permutation(int(codes.max()) + 1) if len(codes) else np.zeros(0, np.int64)
        found: Array = places[codes] % count
        return found
    order = draw.permutation(len(truth))
    if truth.dtype.kind in "iub":
        order = order[np.argsort(truth[order], kind="stable")]
    folds = np.empty(len(truth), np.int64)
    folds[order] = np.arange(len(truth)) % count
    return folds


def _cut(order: Array, count: int) -> Array:
    folds = np.empty(len(order), np.int64)
    folds[order] = np.arange(len(order)) * count // max(1, len(order))
    return folds
