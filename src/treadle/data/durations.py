"""Lengths of time as people write them: "7 days", "12 hours", "1 day 6 hours"."""

from __future__ import annotations

import re

from treadle.errors import OptionError

_SECONDS = {
    "second": 1.0,
    "minute": 60.0,
    "hour": 3_600.0,
    "day": 86_400.0,
    "week": 604_800.0,
    "month": 30.0 * 86_400.0,
    "year": 365.0 * 86_400.0,
}
_SHORT = {"s": "second", "sec": "second", "m": "minute", "min": "minute", "h": "hour"}
_SHORT |= {"hr": "hour", "d": "day", "w": "week", "y": "year"}
_PIECE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*(?:,|and\b)?")


def parse_duration(text: str, option: str = "--label-delay") -> float:
    """Return a length of time in seconds; a month is 30 days, a year 365.

    >>> parse_duration("1 day 12 hours")
    129600.0

    Raises: OptionError when it is no length of time.
    """
    total, position = 0.0, 0
    while position < len(text.rstrip()):
        piece = _PIECE.match(text, position)
        unit = piece[2].lower() if piece else ""
        unit = _SHORT.get(unit, unit.removesuffix("s"))
        if piece is None or unit not in _SECONDS:
            position = 0
            break
        total += float(piece[1]) * _SECONDS[unit]
        position = piece.end()
    if position == 0:
        raise OptionError(
            f'{option} "{text}" is no length of time.',
            f'write it as {option} "7 days" or "12 hours"',
        )
    return total


def spell_duration(seconds: float) -> str:
    """Return a length of time in its largest whole unit: 604800 is "7 days"."""
    for unit in ("day", "hour", "minute"):
        count = seconds / _SECONDS[unit]
        if count >= 1 and count == round(count):
            return f"{count:.0f} {unit}{'s' if count != 1 else ''}"
    return f"{seconds:g} seconds"
