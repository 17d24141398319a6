"""A column's part in an answer, in the data's own words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import polars as pl

MOST_LETTERS = 40
MOST_NAMED = 2


def cells_in_words(cells: pl.Series, year: bool) -> list[str]:
    """Return typed cells as people write them: 1,200, 2024-05-01, Berlin; "empty" for nothing."""
    if cells.dtype == pl.String:
        return ["empty" if cell is None else _cut(cell) for cell in cells.to_list()]
    if cells.dtype == pl.Datetime:
        return ["empty" if cell is None else _date(cell) for cell in cells.to_list()]
    return [number_in_words(cell, year) for cell in cells.to_list()]


def usual_in_words(usual: float | str | None, is_date: bool, year: bool) -> str:
    """Return what is usual as `cells_in_words` writes a cell. Raises: ValueError for no date."""
    if usual is None:
        return "empty"
    if isinstance(usual, str):
        return _date(datetime.fromisoformat(usual)) if is_date else _cut(usual)
    return number_in_words(usual, year)


def number_in_words(value: float | None, year: bool = False) -> str:
    """Return 1,200 or 0.25; "empty" for none; a year without its comma."""
    if value is None or not np.isfinite(value):
        return "empty"
    if value == round(value) and abs(value) < 1e15:
        return f"{value:.0f}" if year else f"{value:,.0f}"
    return f"{value:,.6g}"


def cell_beside_usual(column: str, cell: str, usual: str) -> str:
    """Return "income 1,200 (usual 2,900)"."""
    return f"{column} {cell} (as usual)" if cell == usual else f"{column} {cell} (usual {usual})"


def reason(told: Sequence[str], effect: float, explained: str, is_chance: bool) -> str:
    """Return "income 1,200 (usual 2,900): lowers the chance of 'yes' by 12 in 100".

    told: the columns of one group, each beside what is usual; explained: what is raised or lowered
    """
    more = len(told) - MOST_NAMED
    named = " with ".join(told[:MOST_NAMED]) + (f" and {more} more like them" if more > 0 else "")
    size = abs(effect)
    by = f"{_two_digits(100 * size)} in 100" if is_chance else significant(size)
    return f"{named}: {'raises' if effect > 0 else 'lowers'} {explained} by {by}"


def significant(size: float) -> str:
    """Return three digits: 1,230,000, 12.3, 0.00123."""
    if size >= 100:
        return f"{float(f'{size:.3g}'):,.0f}"
    return f"{size:.3g}"


def _two_digits(size: float) -> str:
    return f"{size:.0f}" if size >= 9.95 else f"{size:.2g}"


def _date(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d" if moment.time() == datetime.min.time() else "%Y-%m-%d %H:%M")


def _cut(words: str) -> str:
    return words if len(words) <= MOST_LETTERS else words[: MOST_LETTERS - 1] + "…"
