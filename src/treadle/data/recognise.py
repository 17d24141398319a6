"""Text cells that are really numbers or dates, as spreadsheets write them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

import polars as pl
from polars import selectors

from treadle.contracts import Frozen
from treadle.data.dates import (
    DateSpelling,
    could_be_dates,
    find_date_spelling,
    is_day_first,
    parse_dates,
    spell,
)

MISSING_WORDS = (
    *("", "NA", "N/A", "n/a", "na", "n.a.", "#N/A", "#NA", "<NA>", "NULL", "null", "Null"),
    *("NaN", "nan", "NAN", "-nan", "None", "none", "NONE", "?", "-", "--", ".", "#VALUE!"),
    *("#DIV/0!", "#REF!", "NaT", "(null)", "\\N", "missing"),
)
"""Spellings of "no value here" in a column of numbers or dates."""

MISSING_WORDS_IN_TEXT = ("", "NULL", "null", "NaN", "nan", "N/A", "n/a", "#N/A", "<NA>", "\\N")
"""The same in a column of text, where "NA", "None", "-" and "?" may well be answers."""

_SIGN = r"^[+-]?"
_PLAIN = _SIGN + r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_COMMA_DECIMAL = _SIGN + r"(\d+|\d{1,3}([. ']\d{3})+)(,\d+)?$"
_COMMA_THOUSANDS = _SIGN + r"(\d+|\d{1,3}([, ']\d{3})+)(\.\d+)?$"
_DOT_THOUSANDS = _SIGN + r"\d{1,3}(\.\d{3})+$"
_UNITS = r"^[€$£¥]\s*|\s*([€$£¥%]|EUR|USD|GBP|CHF)$"
_LEADING_ZERO = r"^[+-]?0\d+$"
_MOST_ODD_WORDS, _MOST_ODD_SHARE = 5, 0.05
_SAMPLE_SIZE = 1000
_EXACT_INTEGERS = 2.0**53
_NAN_WORDS = ("NaN", "nan", "NAN", "-nan", "+nan", "-NaN")
_ROWS_KEPT = 5


class CellFormat(Frozen):
    """How a column's cells were written, to read later files the same way.

    reads_as:      what a cell becomes
    decimal:       the sign between whole part and fraction
    date_pattern:  strftime pattern in polars' dialect
    missing_words: words of this column that stand for "no value", beside MISSING_WORDS
    """

    reads_as: Literal["number", "date"]
    decimal: Literal[".", ","] = "."
    date_pattern: str = ""
    missing_words: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Recognised:
    """A frame whose number-like and date-like text columns were turned, and what was turned.

    not_numbers: column → the first rows whose cell says NaN rather than being empty
    ambiguous:   column → the first row whose date could have the day first or the month
    """

    frame: pl.DataFrame
    formats: dict[str, CellFormat] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    not_numbers: dict[str, list[int]] = field(default_factory=dict)
    ambiguous: dict[str, int] = field(default_factory=dict)


def blank_missing(text: pl.Series, extra_words: Collection[str] = ()) -> pl.Series:
    """Strip the cells of a text column and turn those that mean "missing" into null."""
    stripped = text.str.strip_chars()
    return stripped.set(stripped.is_in([*MISSING_WORDS, *extra_words]).fill_null(False), None)


def _to_number(text: pl.Series, decimal: str) -> pl.Series:
    """Read stripped text as Float64 [N]; null where it is no number in this spelling."""
    if decimal == ".":
        plain = text.cast(pl.Float64, strict=False)
        if plain.null_count() == text.null_count():
            return plain
    bare = text.str.replace_all(_UNITS, "").str.replace(r"^([+-]?)[€$£¥]", "$1")
    bare = bare.str.replace_all("[\u00a0\u202f]", " ").str.replace_all("\u2212", "-")
    if decimal == ",":
        allowed = bare.str.contains(_COMMA_DECIMAL)
        ungrouped = bare.str.replace_all(r"[. ']", "").str.replace(",", ".", literal=True)
    else:
        allowed = bare.str.contains(_COMMA_THOUSANDS) | bare.str.contains(_PLAIN)
        ungrouped = bare.str.replace_all(r"[, ']", "")
    return ungrouped.set(~allowed.fill_null(False), None).cast(pl.Float64, strict=False)


def numbers_in(blanked: pl.Series) -> pl.Series:
    """Return what a column's stripped cells say as numbers, null elsewhere: Float64 [N].

    Of decimal point and decimal comma, the one that reads more cells.
    """
    with_point, with_comma = (_to_number(blanked, decimal) for decimal in (".", ","))
    return with_point if with_point.null_count() <= with_comma.null_count() else with_comma


def _decimal_sign(blanked: pl.Series, *, european: bool) -> Literal[".", ","]:
    """Return the decimal sign that the cells of a column show."""
    bare = blanked.str.replace_all(_UNITS, "")
    commas = bare.filter(bare.str.contains(r"\d,\d"))
    if european:
        dots = bare.filter(bare.str.contains(r"\d\.\d"))
        all_grouped = dots.len() == 0 or dots.str.contains(_DOT_THOUSANDS).all()
        return "," if commas.len() or all_grouped else "."
    return "." if commas.len() == 0 or commas.str.contains(_COMMA_THOUSANDS).all() else ","


def parse_cells(text: pl.Series, written: CellFormat) -> tuple[pl.Series, pl.Series]:
    """Read text cells in a known written.

    Returns (Float64 or Datetime [N], Boolean [N]: true where a non-missing cell could not be read).
    """
    blanked = blank_missing(text, written.missing_words)
    if written.reads_as == "date":
        parsed = parse_dates(blanked, written.date_pattern)
    else:
        parsed = _to_number(blanked, written.decimal)
    return parsed, parsed.is_null() & blanked.is_not_null()


def uses_decimal_comma(text: pl.Series) -> bool:
    """Return whether a text column is of numbers that only a decimal comma explains (12,5)."""
    if not text.str.contains(",", literal=True).any():
        return False
    filled = blank_missing(text).drop_nulls().str.replace_all(_UNITS, "")
    if filled.len() == 0 or not filled.str.contains(_COMMA_DECIMAL).all():
        return False
    return bool((filled.str.contains(r",\d+$") & ~filled.str.contains(_COMMA_THOUSANDS)).any())


def has_leading_zeros(text: pl.Series) -> bool:
    """Return whether cells such as 00123 show that the column holds codes, not amounts."""
    return bool(text.str.strip_chars().str.contains(_LEADING_ZERO).any())


def _odd_words(blanked: pl.Series, parsed: pl.Series) -> list[str] | None:
    """Return the few words among numbers ([]: there are none); None where there are too many."""
    odd = blanked.filter(parsed.is_null() & blanked.is_not_null())
    words = odd.unique(maintain_order=True)
    few = words.len() <= _MOST_ODD_WORDS and odd.len() <= _MOST_ODD_SHARE * blanked.len()
    if words.len() and (not few or words.str.contains(r"\d").any()):
        return None
    return words.to_list()


def _as_whole_numbers(parsed: pl.Series) -> pl.Series:
    fits = (parsed == parsed.round(0)) & (parsed.abs() < _EXACT_INTEGERS)
    whole = parsed.len() > parsed.null_count() and fits.drop_nulls().all()
    return parsed.cast(pl.Int64) if whole else parsed


def _could_be_numbers(text: pl.Series) -> bool:
    """Return, from the first rows, whether a full look is worth its time."""
    head = blank_missing(text.head(_SAMPLE_SIZE)).drop_nulls()
    with_digits = int(head.str.contains(r"\d").sum())
    return with_digits >= (1 - _MOST_ODD_SHARE) * head.len()


def recognise_number(text: pl.Series, *, european: bool) -> tuple[pl.Series, CellFormat] | None:
    """Return (the column as numbers, how it was written), or None if it is not of numbers."""
    if not _could_be_numbers(text):
        return None
    blanked = blank_missing(text)
    if blanked.null_count() == blanked.len() or has_leading_zeros(blanked):
        return None
    decimal = _decimal_sign(blanked, european=european)
    parsed = _to_number(blanked, decimal)
    words = _odd_words(blanked, parsed)
    if words is None or parsed.null_count() == parsed.len():
        return None
    written = CellFormat(reads_as="number", decimal=decimal, missing_words=tuple(words))
    return _as_whole_numbers(parsed), written


def recognise_date(
    text: pl.Series, *, european: bool
) -> tuple[pl.Series, CellFormat, DateSpelling] | None:
    """Return (the column as Datetime, how it was written, the spelling), or None: no dates."""
    if not could_be_dates(text):
        return None
    blanked = blank_missing(text)
    spelling = find_date_spelling(blanked, prefer_day_first=european)
    if spelling is None:
        return None
    parsed = parse_dates(blanked, spelling.pattern)
    words = _odd_words(blanked, parsed)
    if words is None:
        return None
    written = CellFormat(reads_as="date", date_pattern=spelling.pattern, missing_words=tuple(words))
    return parsed, written, spelling


def _date_note(name: str, pattern: str, ambiguous: bool) -> str:
    order = "day first" if is_day_first(pattern) else "month first"
    if ambiguous:
        other = "month first" if is_day_first(pattern) else "day first"
        return (
            f"The dates of '{name}' could be read {order} or {other}; they are read {order} "
            f"({spell(pattern)}). Write them as 2025-12-31 if that is wrong."
        )
    if is_day_first(pattern):
        return f"The dates of '{name}' are read day first ({spell(pattern)})."
    return ""


def _number_notes(text: pl.Series, parsed: pl.Series, written: CellFormat) -> list[str]:
    stripped = text.str.strip_chars()
    words = stripped.filter(parsed.is_null() & stripped.is_not_null() & (stripped != ""))
    if words.len() == 0:
        return []
    spelled = ", ".join(f"'{word}'" for word in words.unique(maintain_order=True).head(3))
    cells = "1 cell" if words.len() == 1 else f"{words.len():,} cells"
    return [f"'{text.name}' is a column of numbers; {spelled} ({cells}) counts as missing there."]


def recognise(
    frame: pl.DataFrame,
    *,
    numbers: bool,
    european: bool = False,
    as_text: Collection[str] = (),
) -> Recognised:
    """Turn text columns that are really dates, and with `numbers` those of numbers.

    NaN becomes null: one spelling of "missing" for all that follows.

    european: the file uses decimal commas or semicolons, so 1.234 is 1234 and 03/04 is 3 April
    as_text:  columns to leave as they are written
    """
    result = Recognised(frame=frame)
    turned: list[pl.Series] = []
    commas: list[str] = []
    for column in frame.select(pl.col(pl.String).exclude(list(as_text) or "")).iter_columns():
        number = recognise_number(column, european=european) if numbers else None
        if number is not None:
            turned.append(number[0])
            result.formats[column.name] = number[1]
            result.notes += _number_notes(column, *number)
            _keep_rows(result, column.name, column.str.strip_chars().is_in(_NAN_WORDS))
            if number[1].decimal == "," and column.str.contains(r"\d[.,]\d").any():
                commas.append(column.name)
            continue
        date = recognise_date(column, european=european)
        if date is not None:
            turned.append(date[0])
            result.formats[column.name] = date[1]
            note = _date_note(column.name, date[2].pattern, date[2].ambiguous)
            result.notes += [note] if note else []
            if date[2].ambiguous and not european:
                result.ambiguous[column.name] = _first_of_two_readings(column)
    for column in frame.select(selectors.float()).iter_columns():
        _keep_rows(result, column.name, column.is_nan())
    result.frame = frame.with_columns(turned).with_columns(selectors.float().fill_nan(None))
    if commas:
        result.notes.insert(0, _comma_note(commas))
    return result


def _first_of_two_readings(column: pl.Series) -> int:
    parts = column.str.strip_chars().str.extract_groups(r"^(\d+)\D(\d+)\D")
    differ = parts.struct.field("1").cast(pl.Int64) != parts.struct.field("2").cast(pl.Int64)
    return int(differ.fill_null(False).arg_max() or 0)


def _keep_rows(result: Recognised, name: str, says_nan: pl.Series) -> None:
    """Remember the first rows that say NaN."""
    if says_nan.any():
        result.not_numbers[name] = says_nan.arg_true().head(_ROWS_KEPT).to_list()


def _comma_note(names: list[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:5]) + (", …" if len(names) > 5 else "")
    return f"Numbers are read with a decimal comma (1.234,56 is 1234.56) in {shown}."
