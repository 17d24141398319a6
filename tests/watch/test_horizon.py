"""The horizon: measured at fixed steps, decided, replayed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from torch import nn

from treadle.loop.journal import Journal
from treadle.loop.state import TrainState
from treadle.watch.horizon import LOOKS, Horizon


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(time, "monotonic", found)
    return found


def turn(horizon: Horizon, state: TrainState, clock: Clock, steps: int, seconds: float) -> None:
    for _ in range(steps):
        clock.now += seconds
        state.step += 1
        horizon(state)


def test_lays_the_plan_out_for_the_steps_that_the_time_holds(clock: Clock) -> None:
    state, journal = TrainState(model=nn.Linear(1, 1), horizon=10_000), Journal()
    horizon = Horizon(journal, max_steps=10_000, max_seconds=100)
    turn(horizon, state, clock, 20, 0.5)
    assert state.horizon == pytest.approx(200, abs=2)
    assert "500 ms" in journal.lines[0]["sentence"]


def test_never_plans_for_more_steps_than_were_asked(clock: Clock) -> None:
    state = TrainState(model=nn.Linear(1, 1), horizon=10_000)
    turn(Horizon(Journal(), max_steps=50, max_seconds=1e6), state, clock, 20, 0.01)
    assert state.horizon == 50


def test_a_pace_as_planned_changes_nothing(clock: Clock) -> None:
    state = TrainState(model=nn.Linear(1, 1), horizon=205)
    turn(Horizon(Journal(), max_steps=10_000, max_seconds=100), state, clock, 20, 0.5)
    assert state.horizon == 205


def test_the_first_step_which_warms_up_is_not_counted(clock: Clock) -> None:
    state = TrainState(model=nn.Linear(1, 1), horizon=10_000)
    horizon = Horizon(Journal(), max_steps=10_000, max_seconds=100)
    turn(horizon, state, clock, 1, 30.0)
    turn(horizon, state, clock, 19, 0.5)
    assert state.horizon == pytest.approx(20 + (100 - 30 - 9.5) / 0.5, abs=2)


def test_just_resumed_the_pace_of_all_attempts_counts(clock: Clock) -> None:
    state = TrainState(model=nn.Linear(1, 1), horizon=10_000, step=LOOKS[1] - 1)
    state.seconds_before = 49.5
    turn(Horizon(Journal(), max_steps=1e9, max_seconds=100), state, clock, 1, 0.5)
    assert state.horizon == pytest.approx(200, abs=2)


def test_a_resumed_run_replays_what_was_decided(tmp_path: Path, clock: Clock) -> None:
    state = TrainState(model=nn.Linear(1, 1), horizon=10_000)
    turn(Horizon(Journal(tmp_path), max_steps=1e9, max_seconds=100), state, clock, 20, 0.5)
    decided = state.horizon
    journal = Journal(tmp_path)
    journal.replay_after(0)
    again = TrainState(model=nn.Linear(1, 1), horizon=10_000)
    turn(Horizon(journal, max_steps=1e9, max_seconds=100), again, clock, 20, 3.0)
    assert again.horizon == decided
