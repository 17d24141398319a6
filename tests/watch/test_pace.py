"""How long it will take: said once, as soon as the first steps tell."""

from __future__ import annotations

import math
import time

import pytest
from torch import nn

from treadle.contracts import Validation
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState
from treadle.watch.forecast_words import duration
from treadle.watch.pace import Pace


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(time, "monotonic", found)
    return found


def turned(
    clock: Clock, steps: int, seconds: float, *, max_steps: float, checks: int = 0
) -> Journal:
    journal, state = Journal(), TrainState(model=nn.Linear(1, 1))
    pace = Pace(journal, max_steps=max_steps, max_seconds=math.inf, validate_every=10)
    state.history = [Validation(step=n, epoch=0, metrics={}) for n in range(checks)]
    for _ in range(steps):
        clock.now += seconds
        state.step += 1
        pace(state)
    return journal


def test_says_after_two_seconds_how_long_it_will_take(clock: Clock) -> None:
    (line,) = turned(clock, 100, 0.1, max_steps=1_000).lines
    assert line["step"] == 21
    assert "a step takes 100 ms here" in line["sentence"]
    assert "98 seconds" not in line["sentence"] and "2 minutes more at most" in line["sentence"]


def test_a_short_training_is_over_before_anything_is_said(clock: Clock) -> None:
    assert turned(clock, 100, 0.01, max_steps=100).lines == []


def test_slow_steps_are_told_in_seconds(clock: Clock) -> None:
    first = turned(clock, 20, 2.5, max_steps=1_000).lines[0]
    assert "a step takes 2.5 seconds here" in first["sentence"]


def test_an_unbounded_training_promises_no_time(clock: Clock) -> None:
    (line,) = turned(clock, 50, 0.1, max_steps=math.inf).lines
    assert "not known yet" in line["sentence"]


def test_after_a_minute_says_when_there_will_be_a_first_forecast(clock: Clock) -> None:
    lines = turned(clock, 40, 2.0, max_steps=100, checks=3).lines
    assert [line["step"] for line in lines] == [4, 31]
    assert "there are 3; in about 60 seconds" in lines[1]["sentence"]


def test_is_silent_after_a_minute_where_there_is_a_forecast_already(clock: Clock) -> None:
    assert len(turned(clock, 40, 2.0, max_steps=100, checks=9).lines) == 1


def test_short_times_are_said_as_people_do() -> None:
    words = [duration(seconds / 60) for seconds in (0.2, 1.0, 20.0)]
    assert words == ["under a second", "1 second", "20 seconds"]
