"""What was answered of each test row: kept with a run, so that two runs can be compared row by row.

Who keeps it has not scored the test again: these are the answers of the one scoring.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.errors import RunError
from treadle.folder import RunFolder

if TYPE_CHECKING:
    from treadle.api.answers import Answers

Array: TypeAlias = NDArray[Any]

NAME = "test_rows.parquet"
MOST_CLASSES = 50
MOST_BYTES = 2_000_000_000


def keep_answers(
    folder: RunFolder, keys: Sequence[Any], truth: Array, answers: Answers, names: Sequence[str]
) -> None:
    """Keep the test answers: what is true, what was said, and the chance of each class.

    Of numbers, what the model expects stands beside what it says where errors are to cost least.

    keys: what a row is known by in another run of the same data; names: of the classes, if any
    """
    whole = np.int32 if names else np.float64
    columns = {"true": truth.astype(whole), "said": answers.said_test.astype(whole)}
    if not names:
        columns["expected"] = answers.test.astype(np.float64)
    elif len(names) <= MOST_CLASSES:
        columns |= {f"chance of {n}": answers.test[:, i] for i, n in enumerate(names)}
    _write(folder, {"key": [str(key) for key in keys]} | columns)


def keep_measures(folder: RunFolder, keys: Sequence[Any], measures: Mapping[str, Array]) -> None:
    """Keep what each test moment came to in each metric. keys: as in `keep_answers`."""
    _write(folder, {"key": [str(key) for key in keys]} | dict(measures))


def _write(folder: RunFolder, columns: Mapping[str, Any]) -> None:
    place = folder.path / NAME
    aside = place.with_name(f".{NAME}.tmp")
    pl.DataFrame(columns).write_parquet(aside)
    aside.replace(place)


def kept_rows(folder: RunFolder) -> pl.DataFrame | None:
    """Return what was kept, or None of a run that kept nothing. Raises: RunError."""
    place = folder.path / NAME
    if not place.exists():
        return None
    try:
        if place.stat().st_size > MOST_BYTES:
            raise RunError(f"{place} is larger than any test part: it was not written by a fit.")
        found = pl.read_parquet(place)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise RunError(f"{place} cannot be read: {error}") from error
    if "key" not in found.columns or found.schema["key"] != pl.String:
        raise RunError(f"{place} does not say which rows it holds: it was not written by a fit.")
    return found.unique("key", keep="none", maintain_order=True)
