"""label_errors.csv: answers that are probably wrong, for a person to look at and correct."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.data.hashing import hash_rows
from treadle.data.spreadsheet import flat, mark_formulas
from treadle.data.target import TargetEncoder
from treadle.errors import SaveError
from treadle.study.label_errors import Suspects

NAME = "label_errors.csv"
MOST_ROWS = 5_000
_SHOWN_COLUMNS = 12


def row_marks(frame: pl.DataFrame, target: str) -> list[str]:
    """Return 16 hexadecimal digits for each row, of all it holds but the answer."""
    return [f"{mark:016x}" for mark in hash_rows(frame.drop(target))]


def answers_as_text(target: TargetEncoder, values: NDArray[Any]) -> list[str]:
    """Return class codes, or values, as the user's data writes them."""
    if target.task == "number":
        return [f"{value:.6g}" for value in values]
    return [str(value) for value in target.decode(values.astype(np.int64)).to_list()]


def listed(
    frame: pl.DataFrame,
    target: TargetEncoder,
    suspects: Suspects,
    *,
    named: dict[str, list[Any]],
    parts: list[str],
) -> pl.DataFrame:
    """Return one row a suspect, worst first: where it is, what it says, what is suggested.

    frame: the suspects' rows; named: what names each of them (row and mark, or photo)
    """
    count = min(len(suspects.rows), MOST_ROWS)
    given = frame[target.column].cast(pl.String).to_list()[:count]
    digits = 2 if target.task == "number" else 4
    shown = [name for name in frame.columns if name != target.column][:_SHOWN_COLUMNS]
    return pl.DataFrame(
        {
            **{name: values[:count] for name, values in named.items()},
            "column": [target.column] * count,
            "given": given,
            "suggested": answers_as_text(target, suspects.suggested[:count]),
            "corrected": [""] * count,
            "doubt": [round(float(doubt), digits) for doubt in suspects.doubt[:count]],
            "part": parts[:count],
        }
    ).hstack(
        frame.head(count).select(pl.col(name).cast(pl.String).alias(f"({name})") for name in shown)
    )


def write_list(folder: Path, found: pl.DataFrame) -> Path:
    """Write label_errors.csv into a folder and return its path. Raises: SaveError."""
    place = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark_formulas(flat(found)).write_csv(place)
    except OSError as error:
        raise SaveError(f"{place} could not be written: {error}.", "Name another --out.") from error
    return place
