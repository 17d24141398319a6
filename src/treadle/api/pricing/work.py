"""The trainings that a price list takes: planned, said, done seed by seed, none of them twice."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from treadle.api.pricing.fork import WHOLE, fit_fork, is_done
from treadle.api.pricing.ground import Ground
from treadle.api.pricing.things import Thing
from treadle.api.pricing.words import plan_words
from treadle.api.training import Observer
from treadle.errors import OptionError
from treadle.study.turns import Turn

FEWEST_SEEDS = 2
OVERHEAD_SECONDS = 0.7


@dataclass
class Work:
    """All trainings in the order of seeds, so that whole seeds are done at any time.

    limit: seconds that all may take; each: that one takes, as far as is known
    """

    ground: Ground
    things: Sequence[Thing]
    turns: Sequence[Turn]
    look: Observer
    limit: float | None = None

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.each = self.ground.recipe.seconds + OVERHEAD_SECONDS
        self.folder = self.ground.folder()

    def say(self, sentences: Sequence[str]) -> None:
        """Tell whoever looks on."""
        for sentence in sentences:
            self.look.line({"topic": "data", "step": 0, "time": "", "sentence": sentence})

    def plan(self) -> None:
        """Say what will be done and how long it takes; fewer seeds where the budget asks for it.

        Raises: OptionError for a budget that not even two seeds fit in.
        """
        if self.limit is not None:
            self._fit_in(self.limit)
        left = self._left(len(self.turns))
        total = len(self.turns) * (1 + len(self.things))
        model, seeds = self.ground.recipe.model, len(self.turns)
        self.say([plan_words(len(self.things), seeds, model, total, left, left * self.each)])

    def _fit_in(self, limit: float) -> None:
        counts = range(len(self.turns), FEWEST_SEEDS - 1, -1)
        fitting = [count for count in counts if self._left(count) * self.each <= limit]
        if not fitting:
            least = self._left(FEWEST_SEEDS) * self.each
            raise OptionError(
                f"--budget: {FEWEST_SEEDS} paired trainings of each thing take about "
                f"{max(1, round(least / 60))} minutes.",
                "Give more time, or name fewer things.",
            )
        if fitting[0] < len(self.turns):
            self.say([f"in the budget there is time for {fitting[0]} paired seeds."])
        self.turns = self.turns[: fitting[0]]

    def _left(self, count: int) -> int:
        return sum(not is_done(place) for _, _, place in self._places(count))

    def _places(self, count: int) -> list[tuple[int, Thing | None, Path]]:
        sides: list[Thing | None] = [None, *self.things]
        return [
            (number, thing, self.folder / f"seed-{number}" / (thing.key if thing else WHOLE))
            for number in range(count)
            for thing in sides
        ]

    def train(self) -> Sequence[Turn]:
        """Train what is not done yet; return the turns of which all is done."""
        waiting = [one for one in self._places(len(self.turns)) if not is_done(one[2])]
        took: list[float] = []
        for place, (number, thing, where) in enumerate(waiting):
            if thing is None and took and number >= FEWEST_SEEDS and self._is_over():
                self.say([f"the budget is used up: {number} paired seeds are done."])
                return self.turns[:number]
            self._show(f"{place + 1} of {len(waiting)}: {_side(thing)}, seed {number + 1}")
            start = time.monotonic()
            fit_fork(self.ground, where, self.turns[number], number, thing, self.look)
            took.append(time.monotonic() - start)
            self.each = float(np.mean(took))
        return self.turns

    def _show(self, sentence: str) -> None:
        self.look.line({"topic": "fork", "step": 0, "sentence": sentence})

    def _is_over(self) -> bool:
        """Tell whether another whole seed does not fit in the budget any more."""
        spent = time.monotonic() - self.began
        more = self.each * (1 + len(self.things))
        return self.limit is not None and spent + more > self.limit


def _side(thing: Thing | None) -> str:
    if thing is None:
        return "as the run has it"
    return f"with {thing.name}" if thing.adds else f"without {thing.name}"
