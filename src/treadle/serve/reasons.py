"""Reasons for the answers of a table's model: the columns that moved each the most, in words."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.data.cells import typed_cells
from treadle.data.tables import TableEncoder, TargetEncoder
from treadle.errors import OptionError
from treadle.serve.background import Background, places_of
from treadle.serve.reason_words import cell_beside_usual, cells_in_words, reason, usual_in_words
from treadle.serve.shapley import Explainer, ranked

Array: TypeAlias = NDArray[Any]
Tell: TypeAlias = Callable[[str], None]

MOST_REASONS = 20
ROWS_AT_ONCE = 200
LONG_SECONDS = 20.0
"""From how many seconds on it is said how long the reasons will take."""

SMALLEST = 1e-6


def check_count(reasons: object) -> None:
    """Raise OptionError unless so many reasons can be asked for."""
    if not isinstance(reasons, int) or isinstance(reasons, bool) or not reasons >= 0:
        raise OptionError(f"reasons={reasons!r} is no number of reasons.", "For example: 3.")
    if reasons > MOST_REASONS:
        raise OptionError(
            f"--reasons {reasons}: {MOST_REASONS} are the most there are.", "3 tell the most."
        )


class Reasons:
    """Gives reasons by what was kept with the model.

    value: encoded rows → chances [M, C], or values [M, 1]
    Two classes: the chance of the positive one is explained. Several: that of the class that was
    said. A number: what the model foretells.
    """

    def __init__(
        self,
        value: Callable[[dict[str, Array]], Array],
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
        self.explainer = Explainer(value, background, places, self.shown)

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
        order = ranked(parts, self.shown)[:, :count]
        told: list[list[str | None]] = [[None] * frame.height for _ in range(count)]
        words = self._cells(frame[rows]) if len(rows) else {}
        for place, row in enumerate(rows):
            for number, group in enumerate(order[place]):
                effect = float(parts[place, group])
                if abs(effect) < SMALLEST * self.scale:
                    break  # the others are nothing, too
                told[number][row] = self._told(words, place, int(group), effect, asked[place])
        return [pl.Series(f"reason_{i + 1}", cells, pl.String) for i, cells in enumerate(told)]

    def _all_parts(self, arrays: dict[str, Array], asked: Array, tell: Tell) -> Array:
        """Return the parts of all rows, some at a time; `tell` hears how long the rest takes."""
        began, found = time.monotonic(), []
        for start in range(0, max(len(asked), 1), ROWS_AT_ONCE):
            some = slice(start, start + ROWS_AT_ONCE)
            found.append(self.parts({n: a[some] for n, a in arrays.items()}, asked[some]))
            left = (len(asked) / ROWS_AT_ONCE - 1) * (time.monotonic() - began)
            if start == 0 and left > LONG_SECONDS:
                took = f"{left:.0f} seconds" if left < 90 else f"{left / 60:.0f} minutes"
                tell(f"the reasons of {len(asked):,} rows take about {took}.")
        parts: Array = np.concatenate(found)
        return parts

    def parts(self, arrays: dict[str, Array], asked: Array) -> Array:
        """Return what each group of columns did, float64 [N, G]: equal to the last digits told."""
        if not len(asked):
            return np.zeros((0, len(self.facts.groups)))
        found = self.explainer.parts(arrays, asked)
        step = SMALLEST * self.scale
        rounded: Array = np.round(found / step) * step
        return rounded

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
