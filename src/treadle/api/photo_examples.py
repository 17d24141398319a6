"""A few test photos with the place framed that moved each answer the most, for the report."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from treadle.api.image_data import ImageData
from treadle.contracts import Json
from treadle.data.photo import digest, photo_bytes
from treadle.errors import DataError
from treadle.folder import RunFolder

SHOWN = 6
LONGEST_SIDE = 240


def photo_examples(
    folder: RunFolder, data: ImageData, chances: NDArray[Any], said: NDArray[np.int64]
) -> list[Json]:
    """Return test photos that were answered rightly, the surest of each class in turns.

    chances: float [N, C] of the test photos; said: the class of each answer, int64 [N]
    A photo that changed, or is gone, since it was looked at is passed over.
    """
    from treadle.serve.image_predictor import ImagePredictor
    from treadle.serve.photo_reasons import marked
    from treadle.serve.predictor import load_predictor

    predictor = load_predictor(folder.path / "model")
    assert isinstance(predictor, ImagePredictor)
    finds, rows, shown = predictor.reasons(), data.rows("test"), list[Json]()
    for place in _in_turns(data.truth("test"), chances, said)[:SHOWN]:
        path, code = data.files[rows[place]], int(said[place])
        if not _is_unchanged(path, data.hashes[rows[place]]):
            continue
        found = finds.places(path, code, 1)
        if found:
            stream = io.BytesIO()
            marked(path, found, longest=LONGEST_SIDE).save(stream, "JPEG", quality=80)
            picture = base64.b64encode(stream.getvalue()).decode()
            shown.append(
                {
                    "file": data.frame["path"][int(rows[place])],
                    "data_uri": f"data:image/jpeg;base64,{picture}",
                    "true": data.classes[code],
                    "predicted": data.classes[code],
                    "probability": float(chances[place, code]),
                    "reason": finds.told(found, code, 1)[0],
                }
            )
    return shown


def _in_turns(truth: NDArray[Any], chances: NDArray[Any], said: NDArray[np.int64]) -> list[int]:
    """Return the photos that were answered rightly: the surest of each class, then the next."""
    right = np.flatnonzero(said == truth)
    sure = right[np.argsort(-chances[right, said[right]], kind="stable")]
    turn = np.zeros(len(sure), np.int64)
    for code in np.unique(said[sure]):
        mine = said[sure] == code
        turn[mine] = np.arange(mine.sum())
    order: list[int] = sure[np.argsort(turn, kind="stable")].tolist()
    return order


def _is_unchanged(path: Any, expected: str) -> bool:
    try:
        return digest(photo_bytes(path)) == expected
    except (OSError, DataError):
        return False
