"""How many threads a step is turned by: tried from the most downwards, decided, replayed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from treadle.loop import thread_count
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState
from treadle.loop.thread_count import ThreadCount, go_on, is_open

LAST_TRIAL_STEP = 200


class Machine:
    """Threads that are only counted, and a clock that a step moves by what it takes with them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: dict[int, float]) -> None:
        self.threads, self.now, self.seconds = max(seconds), 0.0, seconds
        monkeypatch.setattr(torch, "get_num_threads", lambda: self.threads)
        monkeypatch.setattr(torch, "set_num_threads", self._set)
        monkeypatch.setattr(thread_count.time, "perf_counter", lambda: self.now)

    def _set(self, threads: int) -> None:
        self.threads = threads

    def turn(self, watch: ThreadCount, state: TrainState, until: int) -> Iterator[int]:
        while state.step < until:
            self.now += self.seconds[self.threads]
            yield self.threads
            state.step += 1
            watch(state)


def a_state() -> TrainState:
    return TrainState(model=nn.Linear(1, 1), optimizers={})


def test_fewer_threads_are_tried_as_long_as_they_are_no_slower(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(monkeypatch, {16: 9.0, 8: 4.0, 4: 2.0, 2: 3.0, 1: 5.0})
    state, journal = a_state(), Journal()
    watch = ThreadCount(journal, max_steps=10_000)
    used = list(machine.turn(watch, state, LAST_TRIAL_STEP))
    assert sorted(set(used), reverse=True) == [16, 8, 4, 2], "2 was clearly slower: 1 is not tried"
    assert machine.threads == 4 and not is_open(state)
    assert "4 of 16 threads" in journal.lines[-1]["sentence"]
    watch.close()
    assert machine.threads == 16


def test_all_threads_stay_where_half_of_them_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, {8: 1.0, 4: 1.9})
    state = a_state()
    used = list(machine.turn(ThreadCount(Journal(), max_steps=10_000), state, LAST_TRIAL_STEP))
    assert machine.threads == 8
    assert used.count(4) == thread_count.STEPS_A_TRIAL


@pytest.mark.parametrize(("cores", "steps"), [(2, 10_000), (8, 500)])
def test_few_cores_and_short_trainings_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, cores: int, steps: int
) -> None:
    machine = Machine(monkeypatch, {cores: 1.0})
    state, journal = a_state(), Journal()
    list(machine.turn(ThreadCount(journal, max_steps=steps), state, LAST_TRIAL_STEP))
    assert machine.threads == cores and journal.lines == []


def test_a_resumed_run_turns_each_step_by_as_many_threads_as_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine = Machine(monkeypatch, {8: 4.0, 4: 2.0, 2: 3.0, 1: 9.0})
    state = a_state()
    watch = ThreadCount(Journal(tmp_path), max_steps=10_000)
    used, left = [], None
    for threads in machine.turn(watch, state, LAST_TRIAL_STEP):
        if state.step == 30:
            left = state.snapshot()
        used.append(threads)
    assert left is not None

    machine.seconds = {8: 1.0, 4: 9.0, 2: 99.0, 1: 999.0}  # another clock must not matter
    machine.threads = 8
    again, journal = a_state(), Journal(tmp_path)
    watch = ThreadCount(journal, max_steps=10_000)
    again.restore(*left)
    go_on(again)
    journal.replay_after(again.step)
    assert list(machine.turn(watch, again, LAST_TRIAL_STEP)) == used[30:]
