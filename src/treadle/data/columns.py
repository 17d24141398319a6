"""What each column of a table is: a number, a category, a date, or nothing to learn from."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Literal, TypeAlias

import polars as pl

from treadle.contracts import ColumnKind, Frozen
from treadle.data.dates import parse_dates
from treadle.data.recognise import MISSING_WORDS_IN_TEXT, CellFormat, recognise_date
from treadle.errors import DataError, OptionError, did_you_mean

Dtype: TypeAlias = Literal["number", "yes_no", "text", "date", "other"]
Clock: TypeAlias = Literal["", "seconds", "yyyymmdd"]

_IDENTIFIER = re.compile(r"(^|[_\-. ])(id|uuid|guid)$", re.IGNORECASE)
_CAMEL_IDENTIFIER = re.compile(r"[a-z](ID|Id|UUID)$")
_FEWEST_ROWS_OF_A_COUNTER = 10
_LARGE = 1000
_LONG_TEXT = 40
_EPOCH_SECONDS = (9.4e8, 4.2e9)


class Column(Frozen):
    """One column of a table.

    kind:    number, category and date are learned from; left_out is not
    why:     the reason for the kind, in plain words
    dtype:   what its cells must be when the model is asked later
    written: how its cells were spelled in the file, if that was not plain
    clock:   for dates kept as numbers: what the number counts
    elapsed: for dates: whether the time passed since training began is learned from
    """

    name: str
    kind: ColumnKind
    why: str
    dtype: Dtype
    written: CellFormat | None = None
    clock: Clock = ""
    elapsed: bool = True


class Schema(Frozen):
    """All columns of a table but the target, in the table's order."""

    target: str
    columns: tuple[Column, ...]

    def used(self) -> list[Column]:
        """Return the columns that are learned from."""
        return [column for column in self.columns if column.kind != "left_out"]

    def columns_as_text(self) -> list[str]:
        """Return the columns to read as they are spelled at predict time (`read_tables`)."""
        return [c.name for c in self.used() if c.written is not None or c.dtype == "text"]


def rare_below(num_rows: int) -> int:
    """Return how many training rows a value needs to count as one of its own."""
    for most_rows, count in ((1_000, 2), (20_000, 3), (100_000, 5)):
        if num_rows < most_rows:
            return count
    return 10


def infer_schema(
    frame: pl.DataFrame,
    target: str | None,
    *,
    ignore: Collection[str] = (),
    left_out: Mapping[str, str] | None = None,
    time: str | None = None,
    formats: Mapping[str, CellFormat] | None = None,
) -> Schema:
    """Say of every column what it is and why.

    ignore:   columns the user does not want
    left_out: further columns not to learn from, each with its reason (weights, groups, …)
    time:     the column that a split by time cuts; what lies in its future is not learned from
    formats:  how cells were spelled, from `read_tables`

    Raises: DataError: no such target, nothing left to learn from. OptionError: no such column.
    """
    name = _check_target(frame, target)
    _check_options(frame, [*ignore, *(left_out or {}), *([time] if time else [])])
    reasons = dict.fromkeys(ignore, "left out, as you asked") | dict(left_out or {})
    written = formats or {}
    columns = [
        _left_out(series, reasons[series.name])
        if series.name in reasons
        else _describe(series, is_time=series.name == time, written=written.get(series.name))
        for series in frame.drop(name).iter_columns()
    ]
    schema = Schema(target=name, columns=tuple(columns))
    if not schema.used():
        told = "; ".join(f"'{c.name}': {c.why}" for c in columns[:5]) or "there is no other column"
        raise DataError(f"No column is left to learn '{name}' from ({told}).", "give more columns")
    return schema


def _check_target(frame: pl.DataFrame, target: str | None) -> str:
    listed = ", ".join(f"'{name}'" for name in frame.columns[:40])
    if target is None:
        usual = {"target", "label", "class", "y", "outcome"}
        likely = [n for n in frame.columns if n.lower() in usual] or frame.columns[-1:]
        raise DataError(
            f"Which column should be predicted? The columns are: {listed}.",
            f"name it, for example --target {likely[0]}",
        )
    if target not in frame.columns:
        raise DataError(
            f"There is no column '{target}' to predict.",
            f"{did_you_mean(target, frame.columns)}the columns are: {listed}",
        )
    return target


def _check_options(frame: pl.DataFrame, named: Collection[str]) -> None:
    listed = ", ".join(f"'{name}'" for name in frame.columns[:40])
    problems = [
        (
            f"There is no column '{name}'.",
            f"{did_you_mean(name, frame.columns)}the columns are: {listed}",
        )
        for name in dict.fromkeys(named)
        if name not in frame.columns
    ]
    if problems:
        raise OptionError.of(problems)


def dtype_of(dtype: pl.DataType) -> Dtype:
    """Return what a polars type holds, as the schema puts it."""
    if dtype == pl.Boolean:
        return "yes_no"
    if dtype.is_numeric() or dtype in (pl.Duration, pl.Time):
        return "number"
    if dtype in (pl.Date, pl.Datetime):
        return "date"
    return "text" if dtype in (pl.String, pl.Categorical, pl.Enum) else "other"


def text_of(series: pl.Series) -> pl.Series:
    """Return values as text: 3 and 3.0 alike, stripped, null where there is no value."""
    if series.dtype == pl.Boolean:
        return series.cast(pl.String)
    if series.dtype.is_float():
        filled = series.fill_nan(None)
        whole = filled.cast(pl.Int64, strict=False)
        is_whole = (whole.cast(pl.Float64) == filled).fill_null(False)
        return whole.cast(pl.String).zip_with(is_whole, filled.cast(pl.String))
    if series.dtype.is_numeric():
        return series.cast(pl.String)
    text = series.cast(pl.String).str.strip_chars()
    return text.set(text.is_in(MISSING_WORDS_IN_TEXT).fill_null(False), None)


def missing_words(frame: pl.DataFrame, schema: Schema) -> list[str]:
    """Say which words of text columns count as missing, where there are some."""
    notes = []
    for column in schema.used():
        if column.kind != "category" or column.dtype != "text":
            continue
        text = frame[column.name].cast(pl.String).str.strip_chars()
        lost = text.filter(text.is_in(MISSING_WORDS_IN_TEXT[1:]).fill_null(False))
        if lost.len():
            words = ", ".join(f"'{word}'" for word in lost.unique(maintain_order=True).head(3))
            cells = "1 cell" if lost.len() == 1 else f"{lost.len():,} cells"
            notes.append(f"In the text of '{column.name}', {words} ({cells}) counts as missing.")
    return notes


def _left_out(series: pl.Series, why: str) -> Column:
    return Column(name=series.name, kind="left_out", why=why, dtype=dtype_of(series.dtype))


def _describe(series: pl.Series, *, is_time: bool, written: CellFormat | None) -> Column:
    dtype = dtype_of(series.dtype)
    filled = (series.fill_nan(None) if series.dtype.is_float() else series).drop_nulls()
    if filled.len() == 0 or (dtype == "text" and text_of(filled).null_count() == filled.len()):
        return _left_out(series, "it is empty")
    if dtype == "other":
        return _left_out(series, "it holds lists or other things that are not single values")
    if is_time:
        return _describe_time(series, filled, written)
    if filled.len() == series.len() and filled.n_unique() == 1:
        return _left_out(series, f"every row holds the same: {filled[0]}")
    if dtype == "text":
        return _describe_text(series)
    if dtype == "yes_no":
        return _column(series, "category", "yes or no")
    if dtype == "date":
        return _column(series, "date", "dates", written=written)
    return _describe_number(series, filled, written)


def _column(
    series: pl.Series,
    kind: ColumnKind,
    why: str,
    *,
    written: CellFormat | None = None,
    clock: Clock = "",
    elapsed: bool = True,
) -> Column:
    return Column(
        name=series.name,
        kind=kind,
        why=why,
        dtype=dtype_of(series.dtype),
        written=written,
        clock=clock,
        elapsed=elapsed,
    )


def _describe_time(series: pl.Series, filled: pl.Series, written: CellFormat | None) -> Column:
    why = "the time of the split: hours and weekdays are learned from, its passing is not"
    dtype = dtype_of(series.dtype)
    if dtype == "text":
        found = recognise_date(series, european=False)
        if found is None:
            return _left_out(series, "it orders the rows in time")
        written = found[1]
    if dtype in ("date", "text"):
        return _column(series, "date", why, written=written, elapsed=False)
    if dtype == "number" and (filled.max() or 0) - (filled.min() or 0) >= 86_400:  # type: ignore[operator]
        return _column(series, "date", why, written=written, clock="seconds", elapsed=False)
    return _left_out(series, "it orders the rows in time")


def _describe_number(series: pl.Series, filled: pl.Series, written: CellFormat | None) -> Column:
    if series.dtype in (pl.Duration, pl.Time):
        return _column(series, "number", "lengths or times of day, in seconds")
    whole = _whole_numbers(filled)
    if whole is None and filled.dtype.is_integer() and filled.n_unique() == series.len():
        return _left_out(series, "an identifier: every row has its own number")
    if whole is None:
        return _column(series, "number", "numbers", written=written)
    if _are_calendar_days(whole):
        return _column(series, "date", "dates written as yyyymmdd", clock="yyyymmdd")
    distinct = whole.n_unique()
    if _is_identifier(series, whole, distinct):
        return _left_out(series, "an identifier: every row has its own number")
    if says_identifier(series.name) and distinct > 2:
        if not _is_repeated(whole, series.len()):
            return _left_out(series, f"an identifier of {distinct:,} things that hardly come again")
        return _column(series, "category", f"an identifier of {distinct:,} things that come again")
    return _column(series, "number", "whole numbers", written=written)


def _whole_numbers(filled: pl.Series) -> pl.Series | None:
    """Return numbers as Int64 if none has a fraction and all fit, else None."""
    if not filled.dtype.is_integer() and not bool((filled == filled.round(0)).all()):
        return None
    whole = filled.cast(pl.Int64, strict=False)
    return None if whole.null_count() else whole


def says_identifier(name: str) -> bool:
    """Return whether a column is called what identifiers are called."""
    return bool(_IDENTIFIER.search(name) or _CAMEL_IDENTIFIER.search(name))


def _is_identifier(series: pl.Series, whole: pl.Series, distinct: int) -> bool:
    """Return whether whole numbers only count or name the rows."""
    if distinct < series.len() or distinct < _FEWEST_ROWS_OF_A_COUNTER:
        return False
    if says_identifier(series.name):
        return True
    low, high = int(whole.min()), int(whole.max())  # type: ignore[arg-type]
    if low >= _EPOCH_SECONDS[0] and high <= _EPOCH_SECONDS[1] and high - low >= distinct * 2:
        return False
    span = high - low + 1
    return span == distinct or (span <= 2 * distinct and (distinct >= _LARGE or whole.is_sorted()))


def _are_calendar_days(whole: pl.Series) -> bool:
    """Return whether whole numbers such as 20251231 are all days of the calendar."""
    if int(whole.min()) < 19_000_101 or int(whole.max()) > 21_001_231:  # type: ignore[arg-type]
        return False
    days = whole.unique()
    return days.len() >= 3 and parse_dates(days.cast(pl.String), "%Y%m%d").null_count() == 0


def _is_repeated(values: pl.Series, num_rows: int) -> bool:
    """Return whether most rows hold a value that comes often enough to learn from."""
    counts = values.rename("value").value_counts(name="rows")["rows"]
    return int(counts.filter(counts >= rare_below(num_rows)).sum()) >= 0.5 * values.len()


def _describe_text(series: pl.Series) -> Column:
    date = recognise_date(series.cast(pl.String), european=False)
    if date is not None:
        return _column(series, "date", "dates", written=date[1])
    text = text_of(series)
    filled = text.drop_nulls()
    distinct = filled.n_unique()
    if distinct < 2 and filled.len() in (0, series.len()):
        return _left_out(series, "every row holds the same")
    if _is_repeated(filled, series.len()):
        return _column(series, "category", f"text with {distinct:,} different values")
    if 0.01 * series.len() <= text.null_count():
        why = "mostly different texts: whether it is filled in, and its frequent values, count"
        return _column(series, "category", why)
    length = float(filled.str.len_chars().mean() or 0.0)  # type: ignore[arg-type]
    spaced = float(filled.str.contains(r"\s").mean() or 0.0)  # type: ignore[arg-type]
    if distinct == filled.len() and length <= _LONG_TEXT and spaced < 0.5:
        return _left_out(series, "an identifier: every row has its own text")
    return _left_out(
        series, f"free text: {distinct:,} different texts in {series.len():,} rows, too few alike"
    )
