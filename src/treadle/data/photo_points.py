"""A photo as a few numbers: what a quick glance at its colours tells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from treadle.data.photo import decode
from treadle.errors import DataError

SIDE = 8
_FINE = 4
NUM_POINTS = 3 * SIDE * SIDE + 3


def points_of(path: Path) -> NDArray[np.float32]:
    """Return the mean colours of 8 by 8 fields and how much colours vary, float32 [195].

    All are missing (NaN) for a photo that cannot be read any more.
    """
    try:
        pixels = decode(path, (_FINE * SIDE, _FINE * SIDE)).astype(np.float32) / 255
    except (DataError, OSError):
        return np.full(NUM_POINTS, np.nan, np.float32)
    fields = pixels.reshape(3, SIDE, _FINE, SIDE, _FINE)
    within = fields.std(axis=(2, 4)).mean(axis=(1, 2))
    return np.concatenate([fields.mean(axis=(2, 4)).ravel(), within]).astype(np.float32)
