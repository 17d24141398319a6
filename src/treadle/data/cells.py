"""A table's cells brought to the types that training saw, and what cannot be."""

from __future__ import annotations

from typing import Literal

import polars as pl

from treadle.data.columns import Column, Schema, dtype_of, text_of
from treadle.data.dates import parse_dates
from treadle.data.recognise import CellFormat, blank_missing, parse_cells, recognise_date
from treadle.errors import DataError, did_you_mean

_ALL_UNREADABLE_ROWS = 3
_PLAIN = CellFormat(reads_as="number")


def typed_cells(frame: pl.DataFrame, schema: Schema) -> tuple[pl.DataFrame, pl.Series]:
    """Bring the used columns to their types: numbers Float64, dates Datetime, categories String.

    Raises: DataError for columns that are absent or of another type, all together.
    """
    problems = column_problems(frame, schema)
    series: list[pl.Series] = []
    unread: list[pl.Series] = []
    given = set(frame.columns)  # once: a frame makes its names anew each time it is asked
    for column in schema.used():
        if column.name not in given:
            continue
        cells, bad = _typed_column(frame[column.name], column)
        series.append(cells)
        if bad is not None and bad.any():
            unread.append(_told(frame[column.name], column, bad))
            if other := _other_decimal(frame[column.name], column, bad):
                problems.append(other)
            elif _ALL_UNREADABLE_ROWS <= bad.sum() == _filled(frame[column.name]):
                problems.append(_type_problem(frame[column.name], column))
    if problems:
        raise DataError.of(problems)
    told = pl.Series("problem", [None] * frame.height, pl.String)
    if unread:
        told = pl.DataFrame(unread).select(
            pl.concat_str(pl.all(), separator=" ", ignore_nulls=True).alias("problem")
        )["problem"]
        told = told.set(told == "", None)
    return pl.DataFrame(series), told


def column_problems(frame: pl.DataFrame, schema: Schema) -> list[tuple[str, str]]:
    """Return which used columns are absent or hold another type, each with what to do."""
    problems = []
    kinds = frame.schema  # once: a frame makes it anew each time it is asked
    needed = {column.name for column in schema.used()}
    others = [name for name in frame.columns if name not in needed]  # what may be misspelled
    for column in schema.used():
        if column.name not in kinds:
            hint = did_you_mean(column.name, others)
            problems.append(
                (f"The column '{column.name}' is missing.", f"{hint}the model needs it")
            )
        elif not _fits(kinds[column.name], column):
            problems.append(_type_problem(frame[column.name], column))
    return problems


def _fits(dtype: pl.DataType, column: Column) -> bool:
    if dtype == pl.Null:
        return True
    got = dtype_of(dtype)
    if column.kind == "category":
        return got in ("text", "number", "yes_no")
    if column.kind == "date" and not column.clock:
        return got in ("date", "text")
    return got in ("number", "text", "yes_no")


def _type_problem(series: pl.Series, column: Column) -> tuple[str, str]:
    expected = {"number": "numbers", "date": "dates", "category": "text", "left_out": ""}
    filled = series.drop_nulls()
    example = f", such as '{str(filled[0])[:40]}'" if filled.len() else ""
    return (
        f"The column '{column.name}' should hold {expected[column.kind]}, as in training; "
        f"it holds something else{example}.",
        "give it in the form the model was trained on",
    )


def _filled(cells: pl.Series) -> int:
    blanked = blank_missing(cells) if cells.dtype == pl.String else cells
    return blanked.len() - blanked.null_count()


def _other_decimal(cells: pl.Series, column: Column, bad: pl.Series) -> tuple[str, str] | None:
    """Tell of numbers written with the decimal sign that training's numbers did not have.

    Where some cells say so, others may read wrongly without a word: is 1.500 more than 1000?
    """
    if column.kind != "number" or cells.dtype != pl.String:
        return None
    known = (column.written or _PLAIN).decimal
    other: Literal[".", ","] = "." if known == "," else ","
    parsed, _ = parse_cells(cells.filter(bad), CellFormat(reads_as="number", decimal=other))
    if parsed.null_count():
        return None
    words = {".": "a decimal point", ",": "a decimal comma"}
    return (
        f"The numbers of '{column.name}' have {words[other]}, such as '{cells.filter(bad)[0]}'; in "
        f"training they had {words[known]}.",
        "write them as in training",
    )


def _told(series: pl.Series, column: Column, bad: pl.Series) -> pl.Series:
    what = "date" if column.kind == "date" else "number"
    cells = series.cast(pl.String).str.slice(0, 40)
    told = f"'{column.name}': '" + cells + f"' is not a {what}."
    return told.set(~bad, None).alias(column.name)


def _typed_column(series: pl.Series, column: Column) -> tuple[pl.Series, pl.Series | None]:
    """Return (cells of the type that the kind asks for, true [N] where a cell is unreadable)."""
    if column.kind == "category":
        text = text_of(series)
        return text.str.to_lowercase() if column.dtype == "yes_no" else text, None
    bad = None
    if series.dtype == pl.String:
        series, bad = parse_cells(series, column.written or _likely_format(series, column))
    if column.kind == "date":
        return _as_datetime(series, column), bad
    if series.dtype == pl.Duration:
        return (series.dt.total_microseconds() / 1e6), bad
    if series.dtype == pl.Time:
        return (series.cast(pl.Int64) / 1e9), bad
    return series.cast(pl.Float64), bad


def _likely_format(text: pl.Series, column: Column) -> CellFormat:
    """Return how cells are written where training saw no text: plain numbers, or dates as found."""
    if column.kind != "date" or column.clock:
        return _PLAIN
    found = recognise_date(text, european=False)
    return found[1] if found else CellFormat(reads_as="date", date_pattern="%Y-%m-%d")


def _as_datetime(series: pl.Series, column: Column) -> pl.Series:
    """Return Datetime("us") without zone, on the clock of the cell's own zone."""
    if column.clock == "seconds":
        return (series.cast(pl.Float64) * 1e6).round(0).cast(pl.Int64).cast(pl.Datetime("us"))
    if column.clock == "yyyymmdd":
        return parse_dates(series.cast(pl.Int64).cast(pl.String), "%Y%m%d")
    if isinstance(series.dtype, pl.Datetime) and series.dtype.time_zone:
        series = series.dt.replace_time_zone(None)
    return series.cast(pl.Datetime("us"))
