"""What columns say an outcome costs, row by row: cells as float64, and what cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.data.columns import Schema
from treadle.data.recognise import CellFormat, parse_cells
from treadle.errors import DataError, did_you_mean

Array: TypeAlias = NDArray[Any]
PLAIN = CellFormat(reads_as="number")


def read_amounts(
    frame: pl.DataFrame, names: Sequence[str], schema: Schema | None = None
) -> tuple[dict[str, Array], pl.Series]:
    """Return the columns as float64 [N], 0 where a cell holds no amount, and why, String [N].

    schema: how training read the cells, for rows that come as text

    Raises: DataError for columns that are absent.
    """
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise DataError.of(
            [
                (
                    f"The column '{name}' is missing, which says what a mistake costs.",
                    f"{did_you_mean(name, frame.columns)}the model decides by it",
                )
                for name in absent
            ]
        )
    written = {column.name: column.written for column in schema.columns} if schema else {}
    found: dict[str, Array] = {}
    problems = pl.Series("problem", [None] * frame.height, pl.String)
    for name in names:
        values = _numbers(frame[name], written.get(name))
        bad = values.is_null() | ~values.is_finite().fill_null(False)
        told = f"'{name}' says no amount, so what is cheaper is not known."
        problems = problems.zip_with(~(bad & problems.is_null()), pl.Series([told]))
        found[name] = values.set(bad, 0.0).to_numpy()
    return found, problems


def _numbers(cells: pl.Series, written: CellFormat | None) -> pl.Series:
    """Return Float64 [N], null where there is no number."""
    if cells.dtype == pl.String:
        cells, _ = parse_cells(
            cells, written if written and written.reads_as == "number" else PLAIN
        )
    if not (cells.dtype.is_numeric() or cells.dtype == pl.Boolean):
        return pl.Series(cells.name, np.full(cells.len(), np.nan))
    return cells.cast(pl.Float64)
