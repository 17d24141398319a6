"""A capacity that holds day by day, as cases come: kept with the model as JSON.

A day is taken in 24 steps. What came in a step is looked at together; the cases flagged of it are
those that save most, just so many that as good ones, which the rest of the day is expected to
bring, still find room. So no day has more than can be looked at, nothing later is needed to
decide, and a late rush meets what was kept for it.

How good later cases will be follows from the latest days, so the bar moves with them. Of a first
day that began before the rows do, the part that is not there is taken to have had its share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat, model_validator

from treadle.contracts import Frozen

Array: TypeAlias = NDArray[Any]
Unit: TypeAlias = Literal["hour", "day", "week"]

STEPS = 24
SECONDS: dict[str, float] = {"hour": 3_600.0, "day": 86_400.0, "week": 604_800.0}
MONDAY = 4 * 86_400.0  # 1970 began on a Thursday
MOST = 1e12
RECENT = 7  # periods that the bar follows
LEVELS = np.concatenate([[0.0], np.geomspace(1e-4, 1.0, 160)])
NEARLY = 0.6  # of a place: waiting for a case that most likely does not come wastes room
PRIOR = 0.25  # of a usual period: how much the usual pace counts beside today's


class Pace(Frozen):
    """How many can be looked at in each period, and what the latest periods were like.

    column: when a case came; count: how many can be looked at in a period
    cases:  how many cases a period usually has
    before: of a usual period's cases, the share that came before each of its 24 steps began
    bars:   what the best cases of late are expected to save at least, for each share in LEVELS
    """

    column: str
    count: FiniteFloat = Field(gt=0, le=MOST)
    unit: Unit
    cases: FiniteFloat = Field(gt=0, le=MOST)
    before: tuple[FiniteFloat, ...] = Field(min_length=STEPS, max_length=STEPS)
    bars: tuple[FiniteFloat, ...] = Field(min_length=len(LEVELS), max_length=len(LEVELS))

    @model_validator(mode="after")
    def _in_order(self) -> Pace:
        """Refuse bars and shares, from a file, that no days could have."""
        if (np.diff(self.bars) > 0).any() or (np.diff([*self.before, 1.0]) < 0).any():
            raise ValueError("a pace's bars or shares are not in order")
        return self

    @classmethod
    def learned(cls, column: str, count: float, unit: Unit, seconds: Array, worth: Array) -> Pace:
        """Return the pace of rows that came before: seconds and expected saving, float64 [N]."""
        places = steps_of(seconds, unit)
        periods = places // STEPS
        length = max(1.0, float(np.ptp(seconds)) / SECONDS[unit])
        late = periods > periods.max() - 1 - RECENT
        often = np.bincount(places % STEPS, minlength=STEPS) / len(places)
        return cls(
            column=column,
            count=count,
            unit=unit,
            cases=len(seconds) / length,
            before=tuple(np.append(0.0, np.cumsum(often)[:-1]).tolist()),
            bars=tuple(_bars(worth[late]).tolist()),
        )

    def later(self, seconds: Array, worth: Array) -> Pace:
        """Return this pace as it stands after more rows."""
        return Pace.learned(self.column, self.count, self.unit, seconds, worth)

    def times(self, factor: float) -> Pace:
        """Return the pace where so many times as many cases come, and can be looked at."""
        return self.model_copy(update={"count": self.count * factor, "cases": self.cases * factor})

    def flags(self, seconds: Array, worth: Array, wanted: Array) -> Array:
        """Return bool [N]: which cases are flagged, at most `count` in a period.

        seconds: when each came, float64 [N], in any order
        worth:   what flagging each is expected to save; wanted: bool [N], the others never are
        """
        found = np.zeros(len(seconds), bool)
        order = np.lexsort((-worth, steps_of(seconds, self.unit)))
        places = steps_of(seconds, self.unit)[order]
        recent = _Recent(self, float(self.cases), np.array(self.bars))
        for period, rows in _runs(places // STEPS):
            room = int(np.floor(self.count * (period + 1)) - np.floor(self.count * period))
            self._period(found, order[rows], places[rows] % STEPS, worth, wanted, recent, room)
            recent.saw(period, worth[order[rows]])
        return found

    def _period(
        self,
        found: Array,
        rows: Array,
        steps: Array,
        worth: Array,
        wanted: Array,
        recent: _Recent,
        room: int,
    ) -> None:
        """Flag the cases of one period, step after step, `room` of them at most."""
        until = np.append(np.array(self.before), 1.0)
        started = float(until[steps[0]]) if recent.is_first else 0.0
        room, seen = round(room * (1 - started)), 0
        for step, here in _runs(steps):
            seen += here.stop - here.start
            usual = recent.cases * (until[step + 1] - started)
            pace = (seen + PRIOR * recent.cases) / (usual + PRIOR * recent.cases)
            to_come = pace * recent.cases * (1 - until[step + 1])
            asked = rows[here][wanted[rows[here]]]
            as_good = to_come * recent.share_from(worth[asked])
            fits = np.arange(1, len(asked) + 1) + as_good <= room + NEARLY
            taken = asked[: int(fits.sum())]
            found[taken] = True
            room -= len(taken)


@dataclass
class _Recent:
    """What the periods before were like: those of the rows, and of the pace while these are few."""

    pace: Pace
    cases: float
    bars: Array
    is_first: bool = True

    def __post_init__(self) -> None:
        self._days: list[tuple[int, Array]] = []

    def saw(self, period: int, worth: Array) -> None:
        """Take a period's cases in. Of the first, how many there were says nothing: it was cut."""
        self._days = [*self._days, (0 if self.is_first else len(worth), worth)][-RECENT:]
        whole = [count for count, _ in self._days if count]
        own = RECENT - len(whole)
        self.cases = (sum(whole) + own * self.pace.cases) / RECENT
        some = np.concatenate([rows for _, rows in self._days])
        weight = min(1.0, len(some) / (RECENT * self.pace.cases))
        mixed = weight * _bars(some) + (1 - weight) * np.array(self.pace.bars)
        self.bars = np.minimum.accumulate(mixed)
        self.is_first = False

    def share_from(self, worth: Array) -> Array:
        """Return which share of cases saves at least so much, [N]."""
        found: Array = np.interp(-worth, -self.bars, LEVELS)
        return found


def steps_of(seconds: Array, unit: Unit) -> Array:
    """Return the place of each moment among all steps of all periods, int64 [N]."""
    found: Array = np.floor((seconds - MONDAY) * (STEPS / SECONDS[unit])).astype(np.int64)
    return found


def _bars(worth: Array) -> Array:
    """Return what is reached by each share in LEVELS, descending."""
    bars: Array = np.minimum.accumulate(np.quantile(worth, 1 - LEVELS))
    return bars


def _runs(values: Array) -> Iterator[tuple[int, slice]]:
    """Yield each value of an ascending array and where it stands."""
    if not len(values):
        return
    starts = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    ends = np.append(starts[1:], len(values))
    for start, end in zip(starts, ends, strict=True):
        yield int(values[start]), slice(int(start), int(end))
