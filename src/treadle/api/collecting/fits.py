"""The fits of `treadle collect`: on parts of the rows, and with one part of the data doubled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from treadle.api.collecting.ground import Array, Ground, Places
from treadle.api.collecting.plan import Plan
from treadle.api.fewer_rows import taken
from treadle.study.data_size import Posterior, curve_of
from treadle.study.part_gain import FEWEST_MEASURED, Gain, Part, gain_of, next_gain, with_part

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Point:
    """One fit: on how many rows, and what the metric came to on the validation rows."""

    rows: int
    value: float


@dataclass(frozen=True, kw_only=True)
class Curve:
    """All fits, and what they tell of more rows.

    full: the answers of the fit on all rows; halves: two halves of the rows, and the answers of
    the fits on them
    """

    points: list[Point]
    posterior: Posterior
    full: Array
    halves: list[tuple[Places, Array]]


@dataclass(frozen=True, kw_only=True)
class PartGain:
    """What more of one part would bring.

    wrong:      how far off answers in it are now, as people count it, on average
    by:         by how much less, were its rows doubled; finer: the same in a finer measure
    everywhere: by how much the metric's loss falls over all validation rows
    """

    part: Part
    wrong: float
    by: Gain
    finer: Gain
    everywhere: Gain

    @property
    def helps(self) -> bool:
        """Whether it surely does: a class must help the whole, as it shifts all answers."""
        return self.everywhere.low > 0 if self.part.is_answer else self.finer.low > 0


class Fits:
    """Makes the fits of a plan, each once. seed: of the run."""

    def __init__(self, ground: Ground, plan: Plan, seed: int, say: Say) -> None:
        self.ground, self.plan, self.seed, self.say = ground, plan, seed, say

    def curve(self) -> Curve:
        """Fit on parts of the rows and on all of them; the smallest first."""
        points, halves = [], []
        for part, rows in self._stretches():
            answers = self.ground.fit(rows, self.plan.way, self.seed)
            points.append(self._point(len(rows), answers))
            if part == 2:
                halves.append((rows, answers))
        points.append(self._point(self.ground.num_rows, self.full))
        losses = [self.ground.loss_of(point.value) for point in points]
        posterior = curve_of([point.rows for point in points], losses, self.ground.error(self.full))
        return Curve(points=points, posterior=posterior, full=self.full, halves=halves)

    @cached_property
    def full(self) -> Array:
        """The answers of a fit on all rows: the run's own, where the plan fits as it did."""
        if self.plan.way.same:
            return self.ground.answered()
        every = taken(self.ground.pieces, 0.0, 1.0)
        return self.ground.fit(every, self.plan.way, self.seed)

    def parts(self, curve: Curve) -> tuple[list[PartGain], list[Part]]:
        """Double the parts that may want more rows, as many as the plan allows.

        Returns (what came of it; parts of too few rows for that)
        """
        found = self.ground.parts(self.full)
        wanted = [part for part in found if len(part.validation) >= FEWEST_MEASURED]
        wanted = [part for part in wanted if len(part.train)][: self.plan.num_parts]
        thin = [part for part in found if len(part.validation) < FEWEST_MEASURED]
        return [self._doubled(part, curve, len(wanted)) for part in wanted], thin

    def _stretches(self) -> Iterator[tuple[int, Places]]:
        for part, count in self.plan.repeats:
            for place in range(count):
                yield part, taken(self.ground.pieces, place / part, (place + 1) / part)

    def _point(self, rows: int, answers: Array) -> Point:
        value = float(self.ground.metric(self.ground.truth, answers))
        self.say(f"{rows:,} {self.ground.noun}s: {self.ground.metric.name} {value:.4f}")
        return Point(rows=rows, value=value)

    def _doubled(self, part: Part, curve: Curve, tried: int) -> PartGain:
        (first, said_first), (second, said_second) = curve.halves[:2]
        after = [
            self.ground.fit(with_part(half, other, part.train), self.plan.way, self.seed)
            for half, other in ((first, second), (second, first))
        ]
        before, ratio = [said_first, said_second], curve.posterior.flattening
        gain = self._gain(before, after, part, ratio, tried)
        self.say(f"{part.where}: seen with half and with all of its {self.ground.noun}s")
        return gain

    def _gain(
        self, before: Sequence[Array], after: Sequence[Array], part: Part, ratio: float, tried: int
    ) -> PartGain:
        far = self.ground.far
        here = part.validation
        was, now = [far(one) for one in before], [far(one) for one in after]
        plain, finer = (
            gain_of(
                [one[i][here] for one in was],
                [one[i][here] for one in now],
                ratio=ratio,
                tried=tried,
            )
            for i in (0, 1)
        )
        return PartGain(
            part=part,
            wrong=float(far(self.full)[0][here].mean()),
            by=plain,
            finer=finer,
            everywhere=self._everywhere(before, after, ratio, tried),
        )

    def _everywhere(
        self, before: Sequence[Array], after: Sequence[Array], ratio: float, tried: int
    ) -> Gain:
        """Return by how much the metric's loss falls, with its spread over draws of the rows."""
        draws = [
            self.ground.drawn(old) - self.ground.drawn(new)
            for old, new in zip(before, after, strict=True)
        ]
        kept = np.isfinite(draws).all(axis=0)
        return spread_of([one[kept] for one in draws], ratio=ratio, tried=tried)


def spread_of(draws: Sequence[Array], *, ratio: float, tried: int) -> Gain:
    """Return a gain from what each draw of the rows gave, [D] for each half."""
    less = np.stack(draws)
    if less.shape[1] < 2:
        return Gain(middle=0.0, low=-np.inf, high=np.inf)
    halves = less.mean(axis=1)
    error = float(np.hypot(less.mean(axis=0).std(), halves.std(ddof=1) / len(halves) ** 0.5))
    return next_gain(float(less.mean()), error, ratio, tried)
