"""By how many threads a round of trees is turned: tried, looked at again, decided, replayed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from torch import nn

from treadle.loop import round_threads
from treadle.loop.journal import Journal
from treadle.loop.round_threads import AGAIN_AFTER, RoundThreads, threads_of
from treadle.loop.state import TrainState


class Machine:
    """A clock that a round moves by what it takes with the threads it is turned by."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, most: int, seconds: Callable[[int, int], float]
    ) -> None:
        self.most, self.seconds, self.now = most, seconds, 0.0
        monkeypatch.setattr(round_threads.time, "perf_counter", lambda: self.now)

    def turn(self, watch: RoundThreads, state: TrainState, until: int) -> list[int]:
        """Return by how many threads each round was turned."""
        used = []
        while state.step < until:
            used.append(threads_of(state, self.most))
            self.now += self.seconds(used[-1], state.step)
            state.step += 1
            watch(state)
        return used


def a_state() -> TrainState:
    return TrainState(model=nn.Linear(1, 1), optimizers={})


def test_all_threads_stay_where_they_are_the_fastest(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, 2, lambda threads, _: 2.0 / threads)
    used = machine.turn(RoundThreads(Journal(), threads=2), a_state(), 500)
    assert used.count(1) == round_threads.ROUNDS_A_TRIAL


def test_one_thread_is_taken_where_two_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, 2, lambda threads, _: {1: 0.01, 2: 0.5}[threads])
    journal = Journal()
    used = machine.turn(RoundThreads(journal, threads=2), a_state(), 100)
    assert used[:6] == [2] * 6 and set(used[6:]) == {1}
    assert journal.lines[-1]["sentence"] == (
        "each round is turned by 1 of 2 threads: 10 ms against 500 ms by 2."
    )


def test_more_threads_are_tried_again_ever_more_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, 2, lambda threads, _: {1: 0.01, 2: 0.5}[threads])
    used = machine.turn(RoundThreads(Journal(), threads=2), a_state(), 10 * AGAIN_AFTER)
    again = used[2 * round_threads.ROUNDS_A_TRIAL :].count(2)
    assert again == 3 * round_threads.FEWEST_ROUNDS, "a hopeless round ends its trial early"


def test_all_threads_come_back_once_the_machine_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    def seconds(threads: int, step: int) -> float:
        return {1: 0.01, 2: 0.5 if step < 50 else 0.006}[threads]

    machine = Machine(monkeypatch, 2, seconds)
    used = machine.turn(RoundThreads(Journal(), threads=2), a_state(), 2 * AGAIN_AFTER)
    assert used[49] == 1 and used[-1] == 2


def test_fewer_threads_are_tried_once_rounds_become_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    def seconds(threads: int, step: int) -> float:
        return {1: 0.01, 2: 0.006 if step < 50 else 0.5}[threads]

    machine = Machine(monkeypatch, 2, seconds)
    used = machine.turn(RoundThreads(Journal(), threads=2), a_state(), 100)
    assert used[49] == 2 and used[-1] == 1


def test_a_resumed_run_turns_each_round_by_as_many_threads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    busy = Machine(monkeypatch, 4, lambda threads, step: threads * (1 + step % 7))
    used = busy.turn(RoundThreads(Journal(tmp_path), threads=4), a_state(), 300)
    journal = Journal(tmp_path)
    journal.replay_after(-1)
    quiet = Machine(monkeypatch, 4, lambda threads, _: 1 / threads)
    assert quiet.turn(RoundThreads(journal, threads=4), a_state(), 300) == used


def test_one_thread_is_never_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, journal = Machine(monkeypatch, 1, lambda _, step: 1.0 + step), Journal()
    assert set(machine.turn(RoundThreads(journal, threads=1), a_state(), 300)) == {1}
    assert not journal.lines
