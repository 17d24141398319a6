"""How many in how long, as `--capacity` and `--volume` say it: "200 a day", "2 million a year"."""

from __future__ import annotations

import math
import re

from treadle.contracts import Frozen
from treadle.errors import OptionError, did_you_mean

DAYS_A_YEAR = 365
A_YEAR = {"hour": 8760.0, "day": 365.0, "week": 365 / 7, "month": 12.0, "year": 1.0}
"""How often a year; a year has 365 days and a day 24 hours, weekends and nights among them."""
LARGE = {"": 1.0, "thousand": 1e3, "k": 1e3, "million": 1e6, "m": 1e6, "billion": 1e9}

_RATE = re.compile(
    r"(?P<count>\d[\d.,]*)\s*(?P<large>[a-z]+)??\s*(?:\b(?:an?|per|each|every)\b|/)\s*"
    r"(?P<unit>[a-z]+)",
    re.IGNORECASE,
)
_SHARE = re.compile(r"(?P<count>\d[\d.,]*)\s*(?:%|of (?P<of>\d[\d.,]*))", re.IGNORECASE)
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")


class Rate(Frozen):
    """So many in a unit of time."""

    count: float
    unit: str

    @property
    def a_year(self) -> float:
        return self.count * A_YEAR[self.unit]

    def __str__(self) -> str:
        article = "an" if self.unit == "hour" else "a"
        return f"{self.count:,.10g} {article} {self.unit}"


def parse_rate(text: str, option: str, example: str) -> Rate:
    """Return what a text such as "200 a day" or "2 million a year" says.

    option, example: for the words of the error. Raises: OptionError.
    """
    written = f'Write for example {option} "{example}".'
    found = _RATE.fullmatch(text.strip())
    if found is None:
        raise OptionError(f"{option} '{text}' was not understood.", written)
    unit = found["unit"].lower().removesuffix("s")
    if unit not in A_YEAR:
        raise OptionError(
            f"{option} '{text}' counts in '{found['unit']}', which is not a unit of time.",
            f"{did_you_mean(unit, A_YEAR)}Units are {', '.join(A_YEAR)}.",
        )
    large = (found["large"] or "").lower()
    if large not in LARGE:
        raise OptionError(
            f"{option} '{text}': '{found['large']}' was not understood.",
            f"{did_you_mean(large, LARGE)}{written}",
        )
    return Rate(count=_count(found["count"], text, option, written) * LARGE[large], unit=unit)


def parse_capacity(text: str) -> Rate | float:
    """Return how many can be looked at: so many in a time, or a share of all (above 0, up to 1).

    Raises: OptionError.
    """
    option, example = "--capacity", "200 a day"
    found = _SHARE.fullmatch(text.strip())
    if found is None:
        return parse_rate(text, option, example)
    written = 'Write for example --capacity "200 a day", "5 %" or "5 of 100".'
    share = _count(found["count"], text, option, written) / (
        _count(found["of"], text, option, written) if found["of"] else 100
    )
    if share > 1:
        raise OptionError(f"--capacity '{text}' is more than all there are.", written)
    return share


def _count(digits: str, text: str, option: str, written: str) -> float:
    """Return a number above zero. Raises: OptionError."""
    try:
        count = float(digits.replace(",", "") if _THOUSANDS.fullmatch(digits) else digits)
    except ValueError:
        count = math.nan
    if not math.isfinite(count) or count <= 0:
        raise OptionError(f"{option} '{text}': '{digits}' is no number above zero.", written)
    return count
