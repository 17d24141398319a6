"""Reasons for the answers of a table's model: the columns that moved each the most, in words."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.data.cells import typed_cells
from treadle.data.tables import TableEncoder, TargetEncoder
from treadle.errors import OptionError
from treadle.serve.background import Background, places_of
from treadle.serve.reason_words import cell_beside_usual, cells_in_words, reason, usual_in_words
from treadle.serve.shapley import Arrays, AtOnce, Explainer, Part, Value, ranked

Array: TypeAlias = NDArray[Any]
Tell: TypeAlias = Callable[[str], None]

MOST_REASONS = 20
ROWS_AT_ONCE = 256
FIRST_FEW = 10
"""Photos or users after which it is known how long the others take."""
LONG_SECONDS = 20.0
"""From how many seconds on it is said how long the reasons will take."""

SMALLEST = 1e-6
MOST_BEHIND = 2
ABOUT = 0.8
"""Reasons whose sizes are nearer than this are said to be about equal. Of two trainings the first
reason of one led in the other, too, so understood, in 99.7 % of rows of nine tables."""


def check_count(reasons: object) -> None:
    """Raise OptionError unless so many reasons can be asked for."""
    if not isinstance(reasons, int) or isinstance(reasons, bool) or not reasons >= 0:
        raise OptionError(f"reasons={reasons!r} is no number of reasons.", "For example: 3.")
    if reasons > MOST_REASONS:
        raise OptionError(
            f"--reasons {reasons}: {MOST_REASONS} are the most there are.", "3 tell the most."
        )


def reason_names(count: int) -> list[str]:
    """Return reason_1, reason_2 …"""
    return [f"reason_{number + 1}" for number in range(count)]


def tell_how_long(tell: Tell, of: str, done: int, total: int, began: float) -> None:
    """Say how long the rest takes, where that is long.

    of: what reasons are given for: "1,000 rows"; began: when, by the monotonic clock
    """
    left = (total / done - 1) * (time.monotonic() - began)
    if left > LONG_SECONDS:
        took = f"{left:.0f} seconds" if left < 90 else f"{left / 60:.0f} minutes"
        tell(f"the reasons of {of} take about {took}.")


def odds_of(chances: Array) -> Array:
    """Return the log-odds of each class, float64 [M, C], of one in a million at most."""
    others = np.maximum(chances.sum(axis=1, keepdims=True) - chances, SMALLEST)
    if chances.shape[1] == 2:
        others = np.maximum(chances[:, ::-1], SMALLEST)
    found: Array = np.log(np.maximum(chances, SMALLEST)) - np.log(others)
    return found


def chance_by_odds(odds: Array, usual: Array) -> Array:
    """Return by how much chance moves for each unit of log-odds between two of them, [N].

    Source: the rescale rule, Shrikumar, Greenside and Kundaje, Learning important features through
    propagating activation differences, 2017.
    """
    far = np.abs(odds - usual) > SMALLEST
    chance, other = 1 / (1 + np.exp(-odds)), 1 / (1 + np.exp(-usual))
    between = np.where(far, odds - usual, 1.0)
    found: Array = np.where(far, (chance - other) / between, chance * (1 - chance))
    return found


def beside_others(effects: Array, number: int) -> str:
    """Say which reason before this one is about as strong: which leads, another training turns.

    effects: of one row, in the order in which they are told
    """
    size = np.abs(effects[: number + 1])
    near = np.flatnonzero((size[:-1] >= size[-1] * ABOUT) & (size[-1] >= size[:-1] * ABOUT))
    return f", about as much as reason {near[0] + 1}" if len(near) else ""


def num_as_strong_behind(effects: Array, count: int) -> int:
    """Return how many reasons right behind the last that is told are about as strong as it."""
    behind = np.abs(effects[count:])
    near = behind >= ABOUT * max(abs(effects[count - 1]), SMALLEST)
    return int(np.argmin(np.append(near, False)))


class Addend(Protocol):
    """One of the models whose answers add up to chances [M, C], or values [M, 1]."""

    @property
    def value(self) -> Value: ...

    def at_once(self, background: Arrays, groups: dict[str, Array]) -> AtOnce | None:
        """Return a faster way to the answers of mixtures with these rows, where there is one."""
        ...


class Reasons:
    """Gives reasons by what was kept with the model.

    finish: turns the sum of all addends into the answer as it is said
    Two classes: the chance of the positive one is explained. Several: that of the class that was
    said. A number: what the model foretells.
    """

    def __init__(
        self,
        addends: Sequence[Addend],
        finish: Callable[[Array], Array],
        kept: tuple[Background, dict[str, Array]],
        encoder: TableEncoder,
        target: TargetEncoder,
    ) -> None:
        self.facts, background = kept
        self.encoder, self.target = encoder, target
        kinds = {column.name: column.kind for column in encoder.table.used()}
        self.usual = {
            name: usual_in_words(
                self.facts.usual[name], kinds[name] == "date", name in self.facts.years
            )
            for group in self.facts.groups
            for name in group
        }
        helping = set(self.facts.helping)
        self.shown = np.array([not helping or bool(helping & set(g)) for g in self.facts.groups])
        places = places_of(self.facts.groups, encoder)
        parts = [Part(value=a.value, at_once=a.at_once(background, places)) for a in addends]
        self.addends, self.finish = addends, finish
        self.explainer = Explainer(parts, background, places, self.shown, self._explained)
        self.usual_odds = self._explained(self._summed(background)).mean(axis=0)

    def of(
        self,
        frame: pl.DataFrame,
        arrays: dict[str, Array],
        said: Array,
        sound: Array,
        count: int,
        tell: Tell = lambda words: None,
    ) -> list[pl.Series]:
        """Return `reason_1`, `reason_2` …, String [N], the strongest first; fewer leave nulls.

        frame: what the user gave; arrays: the same encoded; said: the class of each answer,
        int64 [N]; sound: which rows could be read; tell: hears where it takes long
        """
        rows = np.flatnonzero(sound)
        asked = said[rows] if self.target.task == "classes" else self._asked(len(rows))
        parts = self._all_parts({name: a[rows] for name, a in arrays.items()}, asked, tell)
        order = ranked(parts, self.shown)
        told: list[list[str | None]] = [[None] * frame.height for _ in range(count)]
        words = self._cells(frame[rows]) if len(rows) else {}
        for place, row in enumerate(rows):
            effects = parts[place, order[place]]
            for number, group in enumerate(order[place, :count]):
                if abs(effects[number]) < SMALLEST * self.scale:
                    break  # the others are nothing, too
                said_so = self._told(words, place, int(group), effects[number], asked[place])
                told[number][row] = said_so + beside_others(effects, number)
            if count > 1 and (last := told[-1][row]):
                behind = order[place, count : count + num_as_strong_behind(effects, count)]
                told[-1][row] = last + self._as_strong(behind)
        return [pl.Series(f"reason_{i + 1}", cells, pl.String) for i, cells in enumerate(told)]

    def _all_parts(self, arrays: dict[str, Array], asked: Array, tell: Tell) -> Array:
        """Return the parts of all rows, some at a time; `tell` hears how long the rest takes."""
        began, found = time.monotonic(), []
        for start in range(0, max(len(asked), 1), ROWS_AT_ONCE):
            some = slice(start, start + ROWS_AT_ONCE)
            found.append(self.parts({n: a[some] for n, a in arrays.items()}, asked[some]))
            if start == 0:
                tell_how_long(tell, f"{len(asked):,} rows", ROWS_AT_ONCE, len(asked), began)
        parts: Array = np.concatenate(found)
        return parts

    def parts(self, arrays: dict[str, Array], asked: Array) -> Array:
        """Return what each group of columns did, float64 [N, G]: equal to the last digits told.

        Chances are parted as log-odds, and all parts of a row brought to chances by one factor:
        they add up to its chance less that of the usual rows' mean log-odds.
        """
        if not len(asked):
            return np.zeros((0, len(self.facts.groups)))
        found = self.explainer.parts(arrays, asked)
        if self.target.task != "number":
            odds = self._explained(self._summed(arrays))[np.arange(len(asked)), asked]
            found = found * chance_by_odds(odds, self.usual_odds[asked])[:, None]
        step = SMALLEST * self.scale
        rounded: Array = np.round(found / step) * step
        return rounded

    def _summed(self, arrays: dict[str, Array]) -> Array:
        total: Array = np.sum([addend.value(arrays) for addend in self.addends], axis=0)
        return total

    def _explained(self, sums: Array) -> Array:
        """Return what is parted, float64 [M, A]: the log-odds of each class, or the number."""
        finished = self.finish(sums)
        return finished if self.target.task == "number" else odds_of(finished)

    def _as_strong(self, groups: Array) -> str:
        """Name what stands behind the last reason and is about as strong: the cut is chance."""
        names = [self.facts.groups[group][0] for group in groups[:MOST_BEHIND]]
        return f"; {' and '.join(names)} about as much" if names else ""

    @property
    def scale(self) -> float:
        """What is large in the answer: the spread of a number's train answers, a whole chance."""
        spread = self.target.scale if self.target.task == "number" else 1.0
        return spread if 0 < spread < math.inf else 1.0

    def _asked(self, rows: int) -> Array:
        return np.full(rows, 0 if self.target.task == "number" else 1, np.int64)

    def _cells(self, frame: pl.DataFrame) -> dict[str, list[str]]:
        typed, _ = typed_cells(frame, self.encoder.table)
        return {name: cells_in_words(typed[name], name in self.facts.years) for name in self.usual}

    def _told(
        self, words: dict[str, list[str]], place: int, group: int, effect: float, asked: int
    ) -> str:
        columns = self.facts.groups[group]
        told = [cell_beside_usual(name, words[name][place], self.usual[name]) for name in columns]
        if self.target.task == "number":
            return reason(told, effect, f"'{self.target.column}'", is_chance=False)
        chance = f"the chance of '{self.target.classes[asked]}'"
        return reason(told, effect, chance, is_chance=True)
