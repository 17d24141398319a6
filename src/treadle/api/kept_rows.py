"""What was answered of each test row: kept with a run, so that two runs can be compared row by row.

Who keeps it has not scored the test again: these are the answers of the one scoring.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.data.hashing import hash_values
from treadle.errors import UserError
from treadle.folder import RunFolder

if TYPE_CHECKING:
    from treadle.api.answers import Answers

Array: TypeAlias = NDArray[Any]

NAME = "test_rows.safetensors"
MOST_CLASSES = 50


def keep_answers(
    folder: RunFolder, keys: Sequence[Any], truth: Array, answers: Answers, num_classes: int
) -> None:
    """Keep the test answers: what is true, what was said, and the chance of each class.

    Of numbers, what the model expects stands beside what it says where errors are to cost least.

    keys: what a row is known by in another run of the same data; num_classes: 0 for numbers
    """
    whole = np.int32 if num_classes else np.float64
    columns = {"true": truth.astype(whole), "said": answers.said_test.astype(whole)}
    if not num_classes:
        columns["expected"] = answers.test.astype(np.float64)
    elif num_classes <= MOST_CLASSES:
        columns["chances"] = answers.test.astype(np.float64)
    _write(folder, {"key": _codes(keys)} | columns)


def keep_measures(
    folder: RunFolder, users: Sequence[str], times: Sequence[float], measures: Mapping[str, Array]
) -> None:
    """Keep what each test moment came to in each metric; a moment is known by user and time."""
    keys = [f"{user} {time}" for user, time in zip(users, times, strict=True)]
    _write(folder, {"key": _codes(keys), "user": _codes(users)} | dict(measures))


def kept_rows(folder: RunFolder) -> dict[str, Array] | None:
    """Return what was kept, [N] or [N, C] by name, or None of a run that kept nothing whole."""
    from treadle.tensors import read_tensors

    place = folder.path / NAME
    if not place.exists():
        return None
    try:
        found = {name: tensor.numpy() for name, tensor in read_tensors(place).items()}
    except UserError:
        return None
    keys = found.get("key")
    fits = keys is not None and all(values.shape[:1] == keys.shape for values in found.values())
    return found if fits and keys is not None and keys.dtype == np.int64 else None


def _codes(texts: Sequence[Any]) -> Array:
    """Return 64 bits for each text, as int64 [N]."""
    return hash_values(pl.Series([str(text) for text in texts], dtype=pl.String)).view(np.int64)


def _write(folder: RunFolder, columns: Mapping[str, Array]) -> None:
    from safetensors.numpy import save_file

    place = folder.path / NAME
    aside = place.with_name(f".{NAME}.tmp")
    save_file({name: np.ascontiguousarray(values) for name, values in columns.items()}, aside)
    aside.replace(place)
