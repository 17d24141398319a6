"""Numbers as one would say them: 70 of 100, 12.3, 4 minutes."""

from __future__ import annotations

import math
from collections.abc import Sequence

SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def count_word(count: int) -> str:
    """Return "ten" for 10 and "1,000" for 1000."""
    return SMALL[count] if 0 <= count < len(SMALL) else f"{count:,}"


def per_words(per: str) -> str:
    """Return what money is told for: "a year", or "for every 1,000 cases"; nothing for nothing."""
    return {"": "", "year": "a year"}.get(per, f"for every {per}")


def plural(count: int, word: str) -> str:
    """Return "1 row" or "1,200 rows"."""
    many = word[:-1] + "ies" if word.endswith("y") else word + "s"
    return f"{count:,} {word if count == 1 else many}"


def of_hundred(shares: Sequence[float | None]) -> tuple[list[str], str]:
    """Return shares (0 … 1) as counts of one and the same round number, and that number.

    Rare things are counted of 1,000 or 10,000. There are just so many decimals that unequal
    values stay apart and nothing short of all is called all.
    """
    known = [abs(share) for share in shares if share is not None]
    largest = max(known, default=1.0)
    whole = 100 if largest >= 0.02 else 1_000 if largest >= 0.002 else 10_000
    scaled = [None if share is None else share * whole for share in shares]
    decimals = _decimals_apart([value for value in scaled if value is not None], whole)
    return ["" if value is None else _shortest(value, decimals) for value in scaled], f"{whole:,}"


def in_units(values: Sequence[float | None]) -> list[str]:
    """Return values with as many digits as it takes to tell them apart, three at least."""
    known = [value for value in values if value is not None]
    for digits in (3, 4, 5, 6):
        said = ["" if value is None else significant(value, digits) for value in values]
        if len({entry for entry in said if entry}) >= len(set(known)):
            break
    return said


def significant(value: float, digits: int = 3) -> str:
    """Return a number with so many significant digits, thousands set apart: 12.3, 1,230,000."""
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if size < -4 or size > 11:
        return f"{value:.{digits}g}"
    rounded = round(value, digits - 1 - size) if size >= digits else value
    return _clean(rounded, max(0, digits - 1 - size))


def raw(value: float) -> str:
    """Return a metric's value as specialists write it: 0.7012, 12.35, 1,234."""
    return f"{value:.4f}" if abs(value) < 10 else significant(value, 4)


def duration(seconds: float) -> str:
    """Return "8 seconds", "4 minutes", "1 hour 20 minutes"."""
    if seconds < 1:
        return "under a second"
    if seconds < 100:
        return plural(round(seconds), "second")
    minutes = round(seconds / 60)
    if minutes < 100:
        return plural(minutes, "minute")
    hours, rest = divmod(minutes, 60)
    return plural(hours, "hour") + (f" {plural(rest, 'minute')}" if rest else "")


def _decimals_apart(values: list[float], whole: int) -> int:
    """Return the fewest decimals, two at most, that keep unequal values and `whole` apart."""
    apart = {round(value, 6) for value in [*values, float(whole), 0.0]}
    for decimals in (0, 1):
        if len({round(value, decimals) for value in apart}) == len(apart):
            return decimals
    return 2


def _shortest(value: float, decimals: int) -> str:
    """Return a whole number without decimals, others with so many."""
    return _clean(value, 0 if abs(value - round(value)) < 1e-6 else decimals)


def _clean(value: float, decimals: int) -> str:
    said = f"{value:,.{decimals}f}"
    return said.removeprefix("-") if not said.strip("-0.,") else said.replace("-", "−")
