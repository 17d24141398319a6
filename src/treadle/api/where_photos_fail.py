"""Where a model of photos answers worst: by how bright, sharp and large they are, with examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.api.where_it_fails import told, worst_parts
from treadle.contracts import Json
from treadle.data.images import threaded
from treadle.errors import DataError

if TYPE_CHECKING:
    from treadle.api.answers import Answers
    from treadle.api.image_data import ImageData

Array: TypeAlias = NDArray[Any]

MOST_PHOTOS = 1_000
LOOKED_AT_PIXELS = 160
TRAITS = ("brightness", "contrast", "sharpness", "height by width")


def where_photos_fail(
    data: ImageData, answers: Answers, thumbnail: Callable[[Path, str], str]
) -> Json:
    """Return findings.json's "fails" for photos: a look at 1,000 validation photos at most.

    thumbnail: (file, expected hash) → a small picture as a data address
    """
    truth, said, rows = data.truth("validation"), answers.said_validation, data.rows("validation")
    some = np.sort(np.random.default_rng(0).permutation(len(rows))[:MOST_PHOTOS])
    traits = threaded(_traits, [data.files[row] for row in rows[some]], 2)
    seen = np.array([trait is not None for trait in traits], dtype=bool)
    some = some[seen]
    off = (said != truth)[some].astype(np.float64)
    columns = np.array([trait for trait in traits if trait is not None]).reshape(-1, len(TRAITS))
    found = worst_parts(pl.DataFrame(columns, schema=list(TRAITS)), off)
    if found is None:
        return {}
    chances = answers.validation[some, said[some]]

    def example(place: int, _: Sequence[str]) -> Json:
        row = int(rows[some[place]])
        return {
            "file": data.frame["path"][row],
            "data_uri": thumbnail(data.files[row], data.hashes[row]),
            "true": data.classes[truth[some[place]]],
            "predicted": data.classes[said[some[place]]],
            "probability": float(chances[place]),
        }

    return told(found, off, off * chances, example, is_number=False)


def _traits(file: Path) -> tuple[float, float, float, float] | None:
    """Return how bright, contrasting and sharp a photo is, and its shape; None if it is gone."""
    from treadle.data.photo import decode, photo_bytes, photo_size

    try:
        content = photo_bytes(file)
        width, height = photo_size(content)
        scale = min(LOOKED_AT_PIXELS / max(width, height), 1.0)
        size = max(round(width * scale), 2), max(round(height * scale), 2)
        grey = decode(content, size).mean(axis=0)
    except (OSError, DataError):
        return None
    steps = [float(np.abs(np.diff(grey, axis=axis)).mean()) for axis in (0, 1)]
    return float(grey.mean()), float(grey.std()), sum(steps) / 2, height / max(width, 1)
