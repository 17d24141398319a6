"""Which fits `treadle collect` makes within a budget of time, and how long they take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treadle.api.collecting.ground import Way
from treadle.errors import OptionError
from treadle.watch.forecast_words import duration

FULL = ((8, 4), (4, 4), (2, 2))
LEAN = ((8, 2), (4, 2), (2, 2))
"""(the part of the rows, how many fits on other such parts). Two halves are always fitted: what
doubling one slice brings is seen on them."""

FIXED = 0.15
"""The share of a fit's time that does not fall with the rows."""

CURVE_SHARE = 0.6
MOST_PARTS = 5
FEWEST_ROWS, FEWEST_PIECES = 8 * 16, 8 * 5
DEFAULT_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is fitted.

    repeats:   (the part of the rows, how many fits)
    num_parts: how many parts of the data are doubled, at the most
    seconds:   about how long all of it takes
    """

    way: Way
    repeats: tuple[tuple[int, int], ...]
    num_parts: int
    seconds: float

    @property
    def num_fits(self) -> int:
        """How many fits the curve takes."""
        return sum(count for _, count in self.repeats) + (not self.way.same)


def plan_of(ways: Sequence[Way], budget_seconds: float) -> Plan:
    """Return the first way, as close to the run's own as can be, that fits into a budget.

    Raises: OptionError when none does.
    """
    for way in ways:
        for repeats in (FULL, LEAN):
            curve = _seconds(way, repeats)
            if curve <= CURVE_SHARE * budget_seconds:
                of_part = 2 * _of_fit(way, 0.5)
                parts = min(MOST_PARTS, int((budget_seconds - curve) / max(of_part, 1e-9)))
                seconds = curve + parts * of_part
                return Plan(way=way, repeats=repeats, num_parts=parts, seconds=seconds)
    least = min(_seconds(way, LEAN) for way in ways) / CURVE_SHARE
    minutes = max(1, round(least / 60 + 0.5))
    raise OptionError(
        f"--budget: {duration(budget_seconds / 60)} is too short: the shortest way takes about "
        f"{duration(least / 60)}.",
        f'Give it that: --budget "{minutes} minute{"" if minutes == 1 else "s"}".',
    )


def _seconds(way: Way, repeats: Sequence[tuple[int, int]]) -> float:
    known = sum(count * _of_fit(way, 1 / part) for part, count in repeats)
    return known + (0.0 if way.same else _of_fit(way, 1.0))


def _of_fit(way: Way, share: float) -> float:
    return way.seconds * (FIXED + (1 - FIXED) * share)
