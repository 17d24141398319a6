"""What forks are worth beside each other, on the rows that judge and on draws of these rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.api.bootstrap import MOST_CELLS_AT_ONCE, counted
from treadle.api.pricing.fork import WHOLE, Judged, judged
from treadle.api.pricing.ground import Ground
from treadle.api.pricing.things import Thing
from treadle.api.pricing.words import price_sentence
from treadle.contracts import Json
from treadle.study.paired import Difference, differences
from treadle.study.turns import Turn

Array: TypeAlias = NDArray[Any]

CELLS = 40_000_000
LEAST_DRAWS, MOST_DRAWS = 200, 1_000
CASES = 1_000.0
FEWEST_OTHERS = 30


class Judge:
    """Measures forks on the rows that judge, and on draws of them, the same for all."""

    def __init__(self, ground: Ground, turns: Sequence[Turn], folder: Path) -> None:
        self.ground, self.turns, self.folder = ground, turns, folder
        self._said: dict[tuple[str, int], Judged] = {}
        self.rows = np.unique(np.concatenate([turn.judge for turn in turns]))
        self._clusters = np.unique(ground.clusters[self.rows])
        self._draws = int(np.clip(CELLS // max(1, len(self.rows)), LEAST_DRAWS, MOST_DRAWS))

    def entries(self, things: Sequence[Thing]) -> list[Json]:
        """Return the lines of the price list, in the order of the things."""
        earned = differences([self._earned(thing) for thing in things])
        others = dict(self._on_others(things))
        goal = self.ground.goal
        paid = differences([self._paid(t) for t in things]) if goal and goal.in_money else []
        found = []
        for place, thing in enumerate(things):
            entry = self._entry(thing, earned[place])
            if thing.key in others:
                entry["others"] = _ends(others[thing.key])
            if paid:
                entry["money"] = self._in_money(paid[place])
            sentence = price_sentence(entry, self.ground.metric)
            found.append(entry | {"sentence": sentence})
        return found

    def _entry(self, thing: Thing, found: Difference) -> Json:
        plain, side = self.values(None, thing), self.values(thing, thing)
        return {
            "thing": thing.name,
            "label": thing.label,
            "key": thing.key,
            "kind": thing.kind,
            "count": thing.count,
            "adds": thing.adds,
            "seeds": found.seeds,
            **_ends(found),
            "with": float(np.mean(side if thing.adds else plain)),
            "without": float(np.mean(plain if thing.adds else side)),
            "by_seed": (self._sign(thing) * (plain - side)).tolist(),
            "by_rows": found.by_rows,
            "by_seeds": found.by_seeds,
        }

    def values(self, side: Thing | None, thing: Thing | None) -> Array:
        """Return the metric of one side in each turn, float64 [S]; judged as `thing` asks."""
        found = [
            self.ground.metric(self._truth(thing, number), self._of(side, number).predicted)
            for number in range(len(self.turns))
        ]
        return np.array(found)

    def _of(self, thing: Thing | None, number: int) -> Judged:
        key = thing.key if thing else WHOLE
        if (key, number) not in self._said:
            self._said[key, number] = judged(self.folder / f"seed-{number}" / key)
        return self._said[key, number]

    def _truth(self, thing: Thing | None, number: int) -> Array:
        """Return what is true of a turn's judging rows: as corrected, where that is priced."""
        answers = None if thing is None else thing.judged
        return self.ground.truth(self.turns[number].judge, answers)

    def _sign(self, thing: Thing) -> float:
        up = 1.0 if self.ground.metric.higher_is_better else -1.0
        return -up if thing.adds else up

    def _earned(self, thing: Thing, keep: Array | None = None) -> tuple[Array, Array]:
        """Return by how much the side that lacks a thing is worse, [S], and on draws, [S, D].

        keep: which rows of the frame count
        """
        metric, sign = self.ground.metric, self._sign(thing)
        seen, drawn = [], []
        for number, turn in enumerate(self.turns):
            some = slice(None) if keep is None else keep[turn.judge]
            truth = self._truth(thing, number)[some]
            sides = [self._of(side, number).predicted[some] for side in (None, thing)]
            first, second = (counted(metric, truth, side) for side in sides)
            draws = [first(counts) - second(counts) for counts in self._counts(turn.judge[some])]
            drawn.append(sign * np.concatenate(draws))
            seen.append(sign * (metric(truth, sides[0]) - metric(truth, sides[1])))
        return np.array(seen), np.stack(drawn)

    def _on_others(self, things: Sequence[Thing]) -> Iterator[tuple[str, Difference]]:
        """Yield what rows earned where the judging rows are not of their kind, by the key."""
        some = [
            thing
            for thing in things
            if thing.rows is not None
            and thing.rows[self.rows].any()
            and min((~thing.rows[turn.judge]).sum() for turn in self.turns) >= FEWEST_OTHERS
        ]
        pairs = [self._earned(one, None if one.rows is None else ~one.rows) for one in some]
        yield from zip([one.key for one in some], differences(pairs), strict=True)

    def _paid(self, thing: Thing) -> tuple[Array, Array]:
        """Return what the side that lacks a thing costs more a row, [S], and on draws, [S, D]."""
        seen, drawn = [], []
        for number, turn in enumerate(self.turns):
            more = self._of(thing, number).paid - self._of(None, number).paid
            more = -more if thing.adds else more
            draws = [counts @ more / counts.sum(axis=1) for counts in self._counts(turn.judge)]
            drawn.append(np.concatenate(draws))
            seen.append(float(more.mean()))
        return np.array(seen), np.stack(drawn)

    def _in_money(self, found: Difference) -> Json:
        goal = self.ground.goal
        assert goal is not None
        scale = CASES if goal.cases_a_year is None else goal.cases_a_year
        return _ends(found, scale) | {
            "unit": goal.costs.unit,
            "per": "1,000 cases" if goal.cases_a_year is None else "year",
        }

    def _counts(self, rows: Array) -> Iterator[Array]:
        """Yield how often each of some rows was drawn, float64 [D, N], a few draws at a time."""
        draw = np.random.default_rng(0)
        places = np.searchsorted(self._clusters, self.ground.clusters[rows])
        number = len(self._clusters)
        at_once = max(1, MOST_CELLS_AT_ONCE // number)
        for start in range(0, self._draws, at_once):
            counts = np.stack(
                [
                    np.bincount(draw.integers(0, number, number), minlength=number)
                    for _ in range(min(at_once, self._draws - start))
                ]
            )
            yield counts[:, places].astype(np.float64)


def _ends(found: Difference, scale: float = 1.0) -> Json:
    verdict = "earns" if found.low > 0 else "harms" if found.high < 0 else "unclear"
    return {
        "earned": found.value * scale,
        "low": found.low * scale,
        "high": found.high * scale,
        "verdict": verdict,
    }
