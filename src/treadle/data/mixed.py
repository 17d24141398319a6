"""Columns of several kinds of cells: numbers among texts, dates written in two ways."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from treadle.data.dates import best_date_pattern, parse_dates
from treadle.data.recognise import blank_missing, has_leading_zeros, numbers_in, recognise_number

_SAMPLE_ROWS = 2_000
_LIKELY_SHARE = 0.3
_MOSTLY = 0.5
_MOST_CATEGORIES = 50
_SHORTEST_CODE = 4
_ROWS_KEPT = 5


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """What most cells of a column are, and the first rows that are something else.

    kind:    numbers or dates
    fitting: how many cells are of that kind
    odd:     how many are not
    rows:    the first of these
    example: what the first of them says
    """

    kind: str
    fitting: int
    odd: int
    rows: list[int]
    example: str


def find_mixture(text: pl.Series) -> Mixture | None:
    """Return what a text column mixes, or None: one kind, codes, or few values that come again.

    text: String [N], as `read_tables` leaves what is neither all numbers nor all dates
    """
    if text.dtype != pl.String or recognise_number(text, european=False) is not None:
        return None
    sample = blank_missing(text.gather_every(-(-text.len() // _SAMPLE_ROWS) or 1)).drop_nulls()
    if sample.len() == 0:
        return None
    if numbers_in(sample).drop_nulls().len() >= _LIKELY_SHARE * sample.len():
        return _number_mixture(blank_missing(text))
    pattern = best_date_pattern(sample)
    return _date_mixture(blank_missing(text), pattern) if pattern else None


def _number_mixture(blanked: pl.Series) -> Mixture | None:
    parsed = numbers_in(blanked)
    found = _mixture("numbers", blanked, parsed)
    if found is None or _are_codes(blanked, parsed) or _come_again(blanked):
        return None
    return found


def _date_mixture(blanked: pl.Series, pattern: str) -> Mixture | None:
    return _mixture("dates", blanked, parse_dates(blanked, pattern))


def _mixture(kind: str, blanked: pl.Series, parsed: pl.Series) -> Mixture | None:
    filled = blanked.len() - blanked.null_count()
    fitting = parsed.len() - parsed.null_count()
    if not _MOSTLY * filled <= fitting < filled:
        return None
    rows = (parsed.is_null() & blanked.is_not_null()).arg_true()
    return Mixture(
        kind=kind,
        fitting=fitting,
        odd=rows.len(),
        rows=rows.head(_ROWS_KEPT).to_list(),
        example=str(blanked[int(rows[0])])[:40],
    )


def _are_codes(blanked: pl.Series, parsed: pl.Series) -> bool:
    """Return whether the numbers are codes: begin with 0, or whole, of one length and not short."""
    cells = blanked.filter(parsed.is_not_null())
    if has_leading_zeros(cells) or not bool(cells.str.contains(r"^\d+$").all()):
        return has_leading_zeros(cells)
    lengths = cells.str.len_chars()
    return lengths.n_unique() == 1 and int(lengths[0]) >= _SHORTEST_CODE


def _come_again(blanked: pl.Series) -> bool:
    """Return whether there are few different cells, most of which come several times: classes."""
    counts = blanked.drop_nulls().rename("value").value_counts(name="rows")["rows"]
    return counts.len() <= _MOST_CATEGORIES and float(counts.mean() or 0.0) >= 3  # type: ignore[arg-type]
