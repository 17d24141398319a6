"""The fits of collect, with a learner that takes no time: what is fitted, and what is told."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from treadle.api.collecting.fits import Fits
from treadle.api.collecting.ground import Example, Ground, Way
from treadle.api.collecting.plan import FULL, Plan
from treadle.api.collecting.request import request_of
from treadle.api.collecting.words import (
    forecast_of,
    part_sentences,
    sentence_of,
    verdict_of,
    wanted_to_judge,
)
from treadle.api.fewer_rows import in_pieces
from treadle.goal import METRICS
from treadle.study.part_gain import Part

Array = NDArray[Any]
ROWS, HELD = 2000, 500
DIMENSIONS = 30


class Learner:
    """Two kinds of rows, each with a linear law of its own: the second kind has few rows.

    Least squares for each kind alone, so that more rows of a kind help that kind and no other.
    """

    def __init__(self, rare: float = 0.05, noise: float = 0.3) -> None:
        random = np.random.default_rng(0)
        self.law = random.normal(size=(2, DIMENSIONS))
        self.x, self.kind, self.y = self._rows(random, ROWS, rare, noise)
        self.held_x, self.held_kind, self.held_y = self._rows(random, HELD, rare, noise)
        self.fitted: list[int] = []

    def _rows(self, random: Any, count: int, rare: float, noise: float) -> tuple[Array, ...]:
        x = random.normal(size=(count, DIMENSIONS))
        kind = (random.random(count) < rare).astype(int)
        y = (x * self.law[kind]).sum(axis=1) + random.normal(0, noise, count)
        return x, kind, y

    def fit(self, rows: Array, way: Way, seed: int) -> Array:
        self.fitted.append(len(rows))
        said = np.zeros(HELD)
        for kind in (0, 1):
            own = rows[self.kind[rows] == kind]
            x, y = self.x[own], self.y[own]
            found = np.linalg.solve(x.T @ x + 3 * np.eye(DIMENSIONS), x.T @ y)
            here = self.held_kind == kind
            said[here] = self.held_x[here] @ found
        return said

    def ground(self, **more: Any) -> Ground:
        def far(answers: Array) -> tuple[Array, Array]:
            off = np.abs(answers - self.held_y)
            return off, off

        rare = Part(
            where="where 'kind' is rare",
            train=np.flatnonzero(self.kind == 1),
            validation=np.flatnonzero(self.held_kind == 1),
        )
        common = Part(
            where="where 'kind' is common",
            train=np.flatnonzero(self.kind == 0),
            validation=np.flatnonzero(self.held_kind == 0),
        )
        settings: dict[str, Any] = {
            "kind": "table",
            "task": "number",
            "noun": "row",
            "metric": METRICS["mean_absolute_error"],
            "truth": self.held_y,
            "pieces": in_pieces(self.y, None, 0, is_number=True),
            "num_rows": ROWS,
            "ways": [],
            "fit": self.fit,
            "answered": lambda: self.fit(np.arange(ROWS), WAY, 0),
            "far": far,
            "parts": lambda answers: [common, rare],
            "example": lambda part: Example(fields=[("y", "a number")], rows=[["1"]]),
            "facts": {"target": "y"},
        }
        return Ground(**(settings | more))


TODAY = date(2026, 3, 1)
WAY = Way(models=("lines",), length=1.0, seconds=0.1, same=True, words="")
PLAN = Plan(way=WAY, repeats=FULL, num_parts=5, seconds=1.0)


@pytest.fixture(scope="module")
def learner() -> Learner:
    return Learner()


def test_fits_are_on_eighths_quarters_and_halves_and_the_runs_own_counts_for_all(
    learner: Learner,
) -> None:
    learner.fitted.clear()
    curve = Fits(learner.ground(), PLAN, 0, lambda words: None).curve()
    assert [point.rows for point in curve.points] == [250] * 4 + [500] * 4 + [1000] * 2 + [2000]
    assert learner.fitted == [250] * 4 + [500] * 4 + [1000] * 2 + [2000]


def test_a_curve_that_falls_is_said_to_help_and_its_band_holds_twice_the_rows(
    learner: Learner,
) -> None:
    ground = learner.ground()
    curve = Fits(ground, PLAN, 0, lambda words: None).curve()
    now = curve.points[-1].value
    twice = forecast_of(ground, curve, now, 2)
    assert verdict_of(ground, curve) == "helps" and twice.high < 1.02 * now
    words = sentence_of(ground, "helps", now, twice)
    assert words.startswith(
        "More data of the same kind would help. With twice the data (4,000 rows to learn from "
        "instead of 2,000): on average, the prediction of y is off by "
    )
    assert "; now " in words


def test_rows_that_tell_nothing_are_said_to_hardly_help() -> None:
    ground = Learner().ground(
        fit=lambda rows, way, seed: np.zeros(HELD), answered=lambda: np.zeros(HELD)
    )
    curve = Fits(ground, PLAN, 0, lambda words: None).curve()
    assert verdict_of(ground, curve) == "hardly"
    now = curve.points[-1].value
    twice = forecast_of(ground, curve, now, 2)
    assert "will hardly help" in sentence_of(ground, "hardly", now, twice)
    assert request_of(ground, "hardly", now, twice, [], [], None, TODAY) is None


def test_the_part_that_has_too_few_rows_is_found_and_asked_for(learner: Learner) -> None:
    ground = learner.ground()
    fits = Fits(ground, PLAN, 0, lambda words: None)
    curve = fits.curve()
    gains, thin = fits.parts(curve)
    by_name = {gain.part.where: gain for gain in gains}
    rare, common = by_name["where 'kind' is rare"], by_name["where 'kind' is common"]
    assert rare.helps and rare.by.middle > 5 * common.by.middle and thin == []
    assert "Where 'kind' is rare, there are" in part_sentences(ground, gains, thin)[0]
    twice = forecast_of(ground, curve, 1.0, 2)
    request = request_of(ground, "helps", 1.0, twice, gains, [], None, TODAY)
    assert request is not None
    count = len(rare.part.train)
    assert request["title"] == f"Please collect {count:,} more examples where 'kind' is rare"
    assert request["wanted"][-1]["what"] == "examples of every kind, as they come"


def test_the_gain_that_was_told_is_about_what_more_rows_of_the_part_bring() -> None:
    learner = Learner(rare=0.1)
    learner.kind[np.flatnonzero(learner.kind == 1)[:100]] = 2  # kept for later
    rows = np.flatnonzero(learner.kind != 2)
    ground = learner.ground(
        pieces=[
            rows[place : place + 1] for place in np.random.default_rng(0).permutation(len(rows))
        ],
        parts=lambda answers: [
            Part(
                where="rare",
                train=np.flatnonzero(learner.kind == 1),
                validation=np.flatnonzero(learner.held_kind == 1),
            )
        ],
    )
    fits = Fits(ground, PLAN, 0, lambda words: None)
    gains, _ = fits.parts(fits.curve())
    here = learner.held_kind == 1
    before = np.abs(learner.fit(rows, WAY, 0) - learner.held_y)[here].mean()
    learner.kind[learner.kind == 2] = 1
    after = np.abs(learner.fit(np.arange(ROWS), WAY, 0) - learner.held_y)[here].mean()
    assert 0 < gains[0].by.low <= before - after <= gains[0].by.high


def test_parts_of_too_few_rows_are_asked_for_until_they_can_be_judged(learner: Learner) -> None:
    few = Part(where="of the kind fray", train=np.arange(22), validation=np.arange(5))
    ground = learner.ground(parts=lambda answers: [few])
    fits = Fits(ground, PLAN, 0, lambda words: None)
    gains, thin = fits.parts(fits.curve())
    assert gains == [] and thin == [few]
    assert wanted_to_judge(few, ground) == 20 * ROWS // HELD - 22
    assert "too few rows to measure" in part_sentences(ground, gains, thin)[0]


def test_a_curve_beside_the_runs_own_figure_gains_the_same_share(learner: Learner) -> None:
    ground = learner.ground()
    curve = Fits(ground, PLAN, 0, lambda words: None).curve()
    last = curve.points[-1].value
    one, half = forecast_of(ground, curve, last, 2), forecast_of(ground, curve, last / 2, 2)
    assert half.middle == pytest.approx(one.middle / 2)
