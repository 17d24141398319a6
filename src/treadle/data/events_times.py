"""Times of any spelling as seconds since 1970."""

from __future__ import annotations

import polars as pl

from treadle.data.dates import DateSpelling, find_date_spelling, parse_dates, spell
from treadle.errors import DataError

_SHOWN_ROWS = 5
_UNITS = ((1e17, 1e9, "nanoseconds"), (1e14, 1e6, "microseconds"), (1e11, 1e3, "milliseconds"))
_FIRST_USUAL_SECOND = 1e8  # March 1973
_LAST_SECOND = 253_402_300_800.0  # the end of the year 9999


def seconds(times: pl.Series) -> tuple[pl.Series, list[str]]:
    """Return Float64 [N] seconds since 1970 (null stays null), and sentences on what was assumed.

    Dates count as they are; numbers as seconds, or milli-, micro- or nanoseconds by their size;
    numbers such as 20250131 as days; text in any usual spelling of dates.

    Raises: DataError: cells that are no times, with their row numbers.
    """
    if times.dtype.is_temporal():
        return _of_dates(times), []
    if times.dtype == pl.String:
        return _of_text(times)
    if not times.dtype.is_numeric():
        raise _not_times(times, times.is_not_null())
    return _of_numbers(times.cast(pl.Float64))


def _of_dates(times: pl.Series) -> pl.Series:
    if times.dtype == pl.Time or times.dtype == pl.Duration:
        raise _not_times(times, times.is_not_null())
    return times.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64) / 1e6


def _of_text(times: pl.Series) -> tuple[pl.Series, list[str]]:
    bare = times.str.strip_chars()
    bare = bare.set(bare == "", None)
    numbers = bare.cast(pl.Float64, strict=False)
    if numbers.null_count() == bare.null_count():
        return _of_numbers(numbers)
    spelling = _spelling(bare)
    parsed = parse_dates(bare, spelling.pattern) if spelling else numbers
    unread = parsed.is_null() & bare.is_not_null()
    if spelling is None or unread.any():
        raise _not_times(times, unread)
    note = f"Times of '{times.name}' are read as in {spell(spelling.pattern)}."
    if spelling.ambiguous:
        note += " Day and month could also be the other way round."
    return _of_dates(parsed), [note]


def _spelling(bare: pl.Series) -> DateSpelling | None:
    """Return the spelling of the cells that hold digits, or else of the first of them alone."""
    dated = bare.drop_nulls().filter(bare.drop_nulls().str.contains(r"\d"))
    return find_date_spelling(dated) or find_date_spelling(dated.head(1))


def _of_numbers(times: pl.Series) -> tuple[pl.Series, list[str]]:
    if not (finite := times.is_finite().fill_null(True)).all():
        raise _not_times(times, ~finite)
    days = _of_day_numbers(times)
    if days is not None:
        return days, [f"Numbers of '{times.name}' are read as days, such as 20250131."]
    # by the middle one: a single mistyped time must not move all others by a factor of a thousand
    middle = float(str(times.abs().median() or 0.0))
    for bound, per_second, unit in _UNITS:
        if middle >= bound:
            note = f"Numbers of '{times.name}' are read as {unit} since 1970."
            return _within_years(times, times / per_second), [note]
    _within_years(times, times)
    largest = float(str(times.abs().max() or 0.0))
    if largest < _FIRST_USUAL_SECOND:
        return times, [
            f"Numbers of '{times.name}' are too small for a clock: their order is what counts, "
            "and each is taken as one second."
        ]
    return times, []


def _within_years(times: pl.Series, seconds: pl.Series) -> pl.Series:
    """Return the seconds. Raises: DataError for such as are beyond the year 9999."""
    beyond = seconds.abs() > _LAST_SECOND
    if beyond.any():
        raise _not_times(times, beyond)
    return seconds


def _of_day_numbers(times: pl.Series) -> pl.Series | None:
    """Read numbers such as 20250131 as days, or return None if not all are such."""
    filled = times.drop_nulls()
    if not len(filled) or not bool(
        (filled.is_between(19000101, 21001231) & (filled % 1 == 0)).all()
    ):
        return None
    text = times.cast(pl.Int64).cast(pl.String)
    parsed = text.str.to_date("%Y%m%d", strict=False)
    return _of_dates(parsed) if parsed.null_count() == times.null_count() else None


def _not_times(times: pl.Series, bad: pl.Series) -> DataError:
    rows = bad.fill_null(False).arg_true()
    shown = ", ".join(f"row {row + 1:,} ({times[row]!r})" for row in rows.head(_SHOWN_ROWS))
    more = f" and {len(rows) - _SHOWN_ROWS:,} more" if len(rows) > _SHOWN_ROWS else ""
    return DataError(
        f"{len(rows):,} of {len(times):,} cells of the time column '{times.name}' are no times: "
        f"{shown}{more} (rows counted from 1, without the header).",
        "Expected dates such as 2025-12-31 18:30 or numbers since 1970; mend the cells, or name "
        "another column with --time.",
    )
