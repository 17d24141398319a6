"""Taking over: begun where enough is ahead, decided at a step, replayed at the same one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from treadle.capture.background import Captured, Refused, can_fork
from treadle.contracts import Json
from treadle.loop import takeover
from treadle.loop.compiled import ENGINE
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState
from treadle.loop.takeover import TakeOver

pytestmark = pytest.mark.skipif(not can_fork(), reason="children are forked on Linux alone")

CODE = Captured(
    key="k", path=Path("k.so"), was_cached=False, is_random=False, notes={}, seconds=12.0
)


class Child:
    """Answers at its `after`-th poll."""

    def __init__(self, answer: Captured | Refused, after: int) -> None:
        self.answer, self.left, self.waited, self.stopped = answer, after, False, False

    def poll(self) -> Captured | Refused | None:
        self.left -= 1
        return self.answer if self.left < 0 else None

    def wait(self) -> Captured | Refused:
        self.waited = True
        return self.answer

    def stop(self) -> None:
        self.stopped = True


class Step:
    """A step that is captured when it is told to be."""

    def __init__(self, answer: Captured | Refused = CODE, after: int = 2) -> None:
        self.child = Child(answer, after)
        self.pinned = self.refused = self.is_engaged = self.is_paused = False
        self.notes: list[tuple[str, Json]] = []
        self.begun: list[Json] = []

    def begin(self, state: TrainState, **how: Any) -> Child:
        self.begun.append({"step": state.step, **how, "training on": torch.get_num_threads()})
        return self.child

    def engage(self, state: TrainState, captured: Captured) -> bool:
        self.is_engaged = True
        state.memory[ENGINE] = {"key": "k"}
        return True

    def disengage(self, state: TrainState) -> None:
        self.is_engaged, self.refused = False, True
        state.memory[ENGINE] = {"refused": True}


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


class Clock:
    """A clock that shows what each step is said to take."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, step: Step) -> None:
        self.now, self.step = 0.0, step
        self.eager, self.compiled = 0.010, 0.004
        monkeypatch.setattr(takeover.time, "perf_counter", self)

    def __call__(self) -> float:
        return self.now

    def tick(self) -> None:
        self.now += self.compiled if self.step.is_engaged else self.eager


@pytest.fixture
def turned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that takes steps from one to another, in the same run folder."""

    def turn(
        step: Step, first: int, last: int, memory: Json | None = None, **limits: float
    ) -> tuple[TrainState, list[Json]]:
        paces = {name: limits.pop(name) for name in ("eager", "compiled") if name in limits}
        clock = Clock(monkeypatch, step)
        vars(clock).update(paces)
        state = TrainState(model=nn.Linear(1, 1), memory=json.loads(json.dumps(memory or {})))
        state.step = first
        journal = Journal(tmp_path)
        journal.replay_after(first)
        limits = {"max_steps": 1e6, "max_seconds": float("inf")} | limits
        watch = TakeOver(step, journal, **limits)  # type: ignore[arg-type]
        while state.step < last:
            state.step += 1
            clock.tick()
            watch(state)
        watch.close()
        lines = [json.loads(text) for text in (tmp_path / "events.jsonl").read_text().splitlines()]
        return state, lines

    (tmp_path / "events.jsonl").touch()
    return turn


def test_it_takes_over_when_the_code_is_there_and_says_what_was_gained(turned: Any) -> None:
    step = Step()
    state, lines = turned(step, 0, 100)
    (begun,) = step.begun
    assert begun["worth_seconds"] == pytest.approx(0.2 * (1e6 - 16) * 0.010, rel=0.01)
    assert (begun["step"], begun["threads"], begun["training on"]) == (16, 2, 2)
    assert [(line["topic"], line["step"], line["value"]) for line in lines] == [
        ("threads", 16, 1),
        ("engine", 40, "compiled"),
        ("engine", 64, "compiled"),
    ]
    assert "leaves one of its 2 threads" in lines[0]["sentence"]
    assert "compiled beside training in 12.0 seconds" in lines[1]["sentence"]
    assert "4 ms against 10 ms" in lines[2]["sentence"]
    assert lines[2]["saw"]["break_even_steps"] == 2000
    assert step.is_engaged
    assert state.memory["takeover"]["phase"] == "done"
    assert torch.get_num_threads() == 2


def test_training_gives_a_thread_to_the_compiler_only_while_it_works(turned: Any) -> None:
    turned(Step(after=100), 0, 50)
    assert torch.get_num_threads() == 2, "close gives it back"
    threads = []
    step = Step(after=3)
    engage = step.engage
    step.engage = lambda *a: (threads.append(torch.get_num_threads()), engage(*a))[1]  # type: ignore[method-assign]
    turned(step, 0, 100)
    assert threads == [2]


def test_what_is_no_faster_goes_again(turned: Any) -> None:
    step = Step()
    _, lines = turned(step, 0, 100, compiled=0.012)
    assert lines[-1]["value"] == "eager"
    assert "no faster (12 ms against 10 ms)" in lines[-1]["sentence"]
    assert not step.is_engaged


@pytest.mark.parametrize("limits", [{"max_steps": 500}, {"max_seconds": 4.0}])
def test_a_short_run_stays_eager_and_says_nothing(turned: Any, limits: Any) -> None:
    step = Step()
    _, lines = turned(step, 0, 100, **limits)
    assert step.begun == []
    assert lines == []


def test_where_little_is_ahead_little_time_is_given_to_a_compiler(turned: Any) -> None:
    step = Step(Refused(reason="compiling it would take too long"))
    _, lines = turned(step, 0, 100, max_steps=3_000)
    assert step.begun[0]["worth_seconds"] == pytest.approx(0.2 * 30, rel=0.05)
    assert lines[-1]["value"] == "eager"
    assert lines[-1]["sentence"] == "the step stays uncompiled: compiling it would take too long."


def test_a_resumed_run_takes_over_at_the_step_that_was_decided(turned: Any) -> None:
    _, lines = turned(Step(), 0, 60)
    taken = [line["step"] for line in lines if line["topic"] == "engine"]
    assert taken == [40]
    for first, after in ((0, 0), (0, 9), (20, 0), (32, 9)):
        memory = {} if first < 16 else {"takeover": {"phase": "capturing", "threads": 1}}
        again = Step(after=after)
        engaged = []
        engage = again.engage
        again.engage = lambda s, c, e=engage, f=engaged: (f.append(s.step), e(s, c))[1]  # type: ignore[method-assign, misc]
        turned(again, first, 60, memory)
        assert engaged == [40], (first, after)
        assert again.child.waited


def test_a_resumed_run_that_had_taken_over_does_not_begin_again(turned: Any) -> None:
    step = Step()
    step.is_engaged = True
    turned(step, 200, 300, {"takeover": {"phase": "done"}, ENGINE: {"key": "k"}})
    assert step.begun == []


def test_resumed_before_a_batch_of_another_shape_code_is_judged_all_the_same(turned: Any) -> None:
    """There is no code until a batch of its shape has come; the state knows that there will be."""
    memory = {"phase": "trying", "since": 200, "seconds": 12.0, "eager_pace": 0.01}
    state, lines = turned(Step(), 208, 300, {"takeover": memory, ENGINE: {"key": "k"}})
    assert [line["value"] for line in lines if line["topic"] == "engine"] == ["compiled"]
    assert state.memory["takeover"]["phase"] == "done"


def test_what_the_step_notes_is_said_once(turned: Any) -> None:
    step = Step()
    step.pinned = True
    step.notes = [("the step stays uncompiled: because.", {"seen": 1})]
    _, lines = turned(step, 0, 40)
    assert [line["sentence"] for line in lines] == ["the step stays uncompiled: because."]
    assert step.begun == []
