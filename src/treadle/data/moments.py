"""When rows came, as a column of dates says it: cells as seconds since 1970."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.data.columns import Column
from treadle.data.dates import find_date_spelling, parse_dates
from treadle.data.recognise import parse_cells
from treadle.errors import DataError, did_you_mean


def read_moments(frame: pl.DataFrame, column: Column) -> NDArray[np.float64]:
    """Return seconds float64 [N], NaN where a cell holds no date.

    column: as training read it: text is read as it was spelled then

    Raises: DataError where the column is absent.
    """
    if column.name not in frame.columns:
        raise DataError(
            f"The column '{column.name}' is missing, which says when a case came.",
            f"{did_you_mean(column.name, frame.columns)}the model flags so many in a given time, "
            "and must know it",
        )
    cells = frame[column.name]
    if cells.dtype == pl.String:
        cells = _dates(cells, column)
    if cells.dtype not in (pl.Date, pl.Datetime):
        return np.full(cells.len(), np.nan)
    seconds = cells.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64) / 1e6
    found: NDArray[np.float64] = seconds.fill_null(float("nan")).to_numpy()
    return found


def _dates(cells: pl.Series, column: Column) -> pl.Series:
    """Return text as dates; null where a cell is none."""
    if column.written is not None and column.written.reads_as == "date":
        return parse_cells(cells, column.written)[0]
    spelling = find_date_spelling(cells)
    return cells if spelling is None else parse_dates(cells, spelling.pattern)
