"""Dates written as text: which spelling a column uses, and reading it."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

_DAY_PARTS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d.%m.%y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%d %B %Y",
    "%d-%b-%y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%b %d %Y",
)
_CLOCK_PARTS = ("%H:%M:%S%.f", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
_ZONED_CLOCK_PARTS = ("%H:%M:%S%.f%#z", "%H:%M%#z")
_LOOKS_LIKE_DATE = r"^\d{1,4}[-./ ][0-9A-Za-z]{1,9}[-./ ]\d{1,4}|^[A-Za-z]{3,9} \d{1,2},? \d{4}"
_SAMPLE_SIZE = 500
_LIKELY_SHARE = 0.9
_FIRST_YEAR, _LAST_YEAR = 1000, 3000


@dataclass(frozen=True, kw_only=True)
class DateSpelling:
    """How a column spells its dates.

    pattern:   strftime pattern in polars' (chrono's) dialect
    ambiguous: day-first and month-first both read every cell; the pattern is then a guess
    failures:  different cells that the pattern does not read
    """

    pattern: str
    ambiguous: bool
    failures: int


def _all_patterns() -> list[str]:
    patterns = list(_DAY_PARTS)
    for day in _DAY_PARTS:
        patterns += [f"{day} {clock}" for clock in _CLOCK_PARTS]
    for day in _DAY_PARTS[:2]:
        patterns += [f"{day}T{clock}" for clock in _CLOCK_PARTS[:2]]
        patterns += [f"{day}{gap}{clock}" for gap in "T " for clock in _ZONED_CLOCK_PARTS]
    return patterns


def could_be_dates(text: pl.Series) -> bool:
    """Return, from the first rows, whether a full look for dates is worth its time."""
    head = text.head(_SAMPLE_SIZE).drop_nulls()
    return head.len() == 0 or bool(head.str.contains(_LOOKS_LIKE_DATE.replace("^", r"^\s*")).any())


def is_day_first(pattern: str) -> bool:
    """Return whether the pattern puts the day before a month in digits."""
    return pattern[:2] == "%d" and pattern[3:5] == "%m"


def _is_month_first(pattern: str) -> bool:
    return pattern[:2] == "%m"


def parse_dates(text: pl.Series, pattern: str) -> pl.Series:
    """Read text cells as dates: Datetime("us") without zone, null where the pattern fails.

    Cells with a zone become UTC.

    text: String [N]
    """
    stripped = text.str.strip_chars()
    if "%#z" in pattern:
        parsed = stripped.str.to_datetime(pattern, time_unit="us", time_zone="UTC", strict=False)
        parsed = parsed.dt.replace_time_zone(None)
    elif "%H" in pattern or "%I" in pattern:
        parsed = stripped.str.to_datetime(pattern, time_unit="us", strict=False)
    else:
        parsed = stripped.str.to_date(pattern, strict=False).cast(pl.Datetime("us"))
    # A four-digit %Y also reads "13" as the year 13.
    year = parsed.dt.year()
    return parsed.set(~year.is_between(_FIRST_YEAR, _LAST_YEAR).fill_null(True), None)


def find_date_spelling(text: pl.Series, *, prefer_day_first: bool = False) -> DateSpelling | None:
    """Return how the non-null cells of a text column spell dates, or None if they are not dates.

    text: String [N], cells that mean "missing" already null
    """
    sample = text.drop_nulls().head(_SAMPLE_SIZE)
    likely = sample.filter(sample.str.strip_chars().str.contains(_LOOKS_LIKE_DATE))
    if likely.len() == 0 or likely.len() < _LIKELY_SHARE * sample.len():
        return None
    likely = likely.unique(maintain_order=True)
    filled = text.drop_nulls().unique(maintain_order=True)
    fitting = [p for p in _all_patterns() if parse_dates(likely, p).null_count() == 0]
    unread = {pattern: parse_dates(filled, pattern).null_count() for pattern in fitting}
    if not unread:
        return None
    fewest = min(unread.values())
    best = [pattern for pattern in fitting if unread[pattern] == fewest]
    first_choice = is_day_first if prefer_day_first else _is_month_first
    ambiguous = _differ(filled, best)
    pattern = next(filter(first_choice, best), best[0]) if ambiguous else best[0]
    return DateSpelling(pattern=pattern, ambiguous=ambiguous, failures=fewest)


def best_date_pattern(sample: pl.Series) -> str | None:
    """Return the pattern that reads most cells of a sample, if it reads half of them at least.

    sample: String [N] without nulls
    """
    likely = sample.filter(sample.str.strip_chars().str.contains(_LOOKS_LIKE_DATE))
    if likely.len() < 0.5 * sample.len():
        return None
    counts = {p: sample.len() - parse_dates(sample, p).null_count() for p in _all_patterns()}
    best = max(counts, key=lambda pattern: counts[pattern])
    return best if counts[best] >= 0.5 * sample.len() else None


def _differ(filled: pl.Series, patterns: list[str]) -> bool:
    """Return whether day-first and month-first are both among `patterns` and read other days."""
    day_first = next(filter(is_day_first, patterns), None)
    month_first = next(filter(_is_month_first, patterns), None)
    if day_first is None or month_first is None:
        return False
    return bool((parse_dates(filled, day_first) != parse_dates(filled, month_first)).any())


def spell(pattern: str) -> str:
    """Return the last day of 2025 in this pattern, to show a person how dates were read."""
    moment = pl.Series(["2025-12-31T18:30:00"]).str.to_datetime("%Y-%m-%dT%H:%M:%S")
    return str(moment.dt.strftime(pattern.replace("%#z", "+00:00").replace("%.f", ""))[0])
