"""How many rows come in a time, by when enough have come, and how that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from treadle.api.collecting.ground import Array
from treadle.data.finding import begun_large, of_100
from treadle.rates import DAYS_A_YEAR, parse_rate

SECONDS_A_DAY = 86_400.0
RECENT_SHARE = 0.25
LONGEST_DAYS = 365 * 20


@dataclass(frozen=True, kw_only=True)
class Inflow:
    """Rows a day, and in words where that comes from."""

    a_day: float
    words: str


def inflow_of(said: str | None, moments: Array | None, noun: str) -> Inflow | None:
    """Return the inflow that the user names, else that of the last quarter of the time in the data.

    said: such as "200 a week"; moments: seconds since 1970, NaN where unknown. Raises: OptionError.
    """
    if said is not None:
        rate = parse_rate(said, "--inflow", "200 a week")
        return Inflow(a_day=rate.a_year / DAYS_A_YEAR, words=f"at {rate}, as you say")
    known = moments[np.isfinite(moments)] if moments is not None else np.zeros(0)
    if len(known) < 2 or np.ptp(known) < SECONDS_A_DAY:
        return None
    start = known.max() - RECENT_SHARE * np.ptp(known)
    days = (known.max() - start) / SECONDS_A_DAY
    a_day = float((known >= start).sum()) / days
    return Inflow(
        a_day=a_day,
        words=f"at the pace of the last {_days(days)} of the data ({_a_time(a_day, noun)})",
    )


def share_of(inflow: Inflow | None, share: float) -> Inflow | None:
    """Return the inflow of a part that so large a share of all rows belongs to."""
    if inflow is None:
        return None
    words = f"{inflow.words}, of which about {of_100(share)} of 100 are such,"
    return Inflow(a_day=share * inflow.a_day, words=words)


def when(count: int, inflow: Inflow | None, today: date) -> str:
    """Return in one sentence by when so many have come."""
    if inflow is None or inflow.a_day <= 0:
        return "By when is open: please say how many you can collect in a week."
    days, start = count / inflow.a_day, begun_large(inflow.words).removesuffix(",")
    if days > LONGEST_DAYS:
        return f"{start}, that would take more than 20 years: look for another source."
    ends = today + timedelta(days=max(1, round(days)))
    return f"{start}, that takes about {_days(days)}: by {_spelled(ends)}."


def _a_time(a_day: float, noun: str) -> str:
    for unit, days in (("day", 1.0), ("week", 7.0), ("month", 365 / 12), ("year", 365.0)):
        if a_day * days >= 2 or unit == "year":
            return f"about {a_day * days:,.0f} {noun}s a {unit}"
    return ""


def _days(days: float) -> str:
    for unit, size, most in (("day", 1.0, 21), ("week", 7.0, 84), ("month", 365 / 12, 730)):
        if days <= most:
            count = max(1, round(days / size))
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{days / 365:.2g} years"


def _spelled(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


MONTHS: Sequence[str] = (
    "January February March April May June July August September October November December"
).split()
