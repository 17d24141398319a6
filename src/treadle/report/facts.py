"""Reading what stands in a run folder without trusting its shape: what does not fit is left out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from treadle.contracts import Json

LARGEST = 1e300


def record(value: Any) -> Json:
    """Return a JSON object, or an empty one."""
    return value if isinstance(value, dict) else {}


def records(value: Any) -> list[Json]:
    """Return the JSON objects of a list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def number(value: Any) -> float | None:
    """Return a finite number that can be drawn, or None. Truth values are no numbers."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < LARGEST else None  # NaN is below nothing


def numbers(value: Any) -> list[float]:
    """Return the finite numbers of a list."""
    found = (number(entry) for entry in value) if isinstance(value, list) else ()
    return [entry for entry in found if entry is not None]


def whole(value: Any) -> int | None:
    """Return a whole number, or None."""
    found = number(value)
    return None if found is None else int(found)


def text(value: Any) -> str:
    """Return a text, other plain values as one, and nothing for the rest.

    Control characters are dropped: a terminal would obey them.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (str, int, float)):
        return "".join(c for c in str(value) if c.isprintable() or c == "\n")
    return ""


def texts(value: Any) -> list[str]:
    """Return the texts of a list, without empty ones."""
    return list(filter(None, map(text, value))) if isinstance(value, list) else []


def pairs(first: Any, second: Any) -> list[tuple[float, float]]:
    """Return what two lists hold at the same places, where both hold numbers."""
    if not (isinstance(first, list) and isinstance(second, list)):
        return []
    both = ((number(a), number(b)) for a, b in zip(first, second, strict=False))
    return [(a, b) for a, b in both if a is not None and b is not None]


def matrix(value: Any, size: int) -> list[list[float]]:
    """Return a square table of numbers of this size, or nothing."""
    rows = [numbers(row) for row in value] if isinstance(value, list) else []
    fits = size > 0 and len(rows) == size and all(len(row) == size for row in rows)
    return rows if fits else []


def thinned(values: list[Any], most: int) -> list[Any]:
    """Return at most `most` of the values, evenly spread, the first and last among them."""
    if len(values) <= most:
        return values
    return [values[round(i * (len(values) - 1) / (most - 1))] for i in range(most)]


def joined(words: Iterable[str], last: str = "and") -> str:
    """Return "a", "a and b" or "a, b and c"."""
    *early, end = [*words] or [""]
    return f"{', '.join(early)} {last} {end}" if early else end
