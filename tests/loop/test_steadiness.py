"""Captured code pauses while the machine is too busy for it, and a resumed run pauses likewise."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path
from typing import Any

from torch import nn

from treadle.contracts import Json
from treadle.loop.compiled import ENGINE
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState
from treadle.loop.steadiness import FIRST_PAUSE_STEPS, LOOK_EVERY, Steadiness


class Step:
    """A captured step that says at which steps it was paused and tried again."""

    def __init__(self) -> None:
        self.is_paused = False
        self.changes: list[tuple[int, bool]] = []

    def pause(self, state: TrainState, paused: bool) -> None:
        self.is_paused = state.memory[ENGINE]["paused"] = paused
        self.changes.append((state.step, paused))


def turned(
    folder: Path, first: int, last: int, paces_of: Any, memory: Json | None = None
) -> tuple[Step, Json]:
    """Take steps whose paces are `paces_of`(step, is_paused); return the step, and its memory."""
    step, journal = Step(), Journal(folder)
    journal.replay_after(first)
    memory = memory or {"eager_pace": 0.002}
    step.is_paused = "paused_at" in memory
    captured = {"key": "k", "paused": step.is_paused}
    state = TrainState(model=nn.Linear(1, 1), memory={ENGINE: captured})
    steadiness = Steadiness(step, journal)  # type: ignore[arg-type]
    paces: deque[float] = deque(maxlen=LOOK_EVERY)
    for state.step in range(first + 1, last + 1):
        paces.append(paces_of(state.step, step.is_paused))
        steadiness.look(state, memory, paces)
    return step, memory


def busy_until(end: int) -> Any:
    return lambda step, paused: 0.0025 if paused else 0.05 if 200 < step < end else 0.0005


def test_code_that_keeps_its_pace_is_left_alone(tmp_path: Path) -> None:
    step, _ = turned(tmp_path, 0, 2_000, lambda step, _: 0.0055 if step % 3 else 0.5)
    assert step.changes == []


def test_it_pauses_while_other_work_holds_the_cores_and_comes_back(tmp_path: Path) -> None:
    step, memory = turned(tmp_path, 0, 3_000, busy_until(700))
    (paused, _), (again, _) = step.changes
    assert 200 + LOOK_EVERY // 2 <= paused <= 200 + 2 * LOOK_EVERY
    assert again == paused + FIRST_PAUSE_STEPS
    lines = [json.loads(text) for text in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [line["value"] for line in lines] == ["eager", "compiled"]
    assert "50 ms now" in lines[0]["sentence"]
    assert "2 ms, goes on for 512 steps" in lines[0]["sentence"]
    assert memory["pause_steps"] == FIRST_PAUSE_STEPS


def test_each_pause_is_twice_as_long_while_the_machine_stays_busy(tmp_path: Path) -> None:
    step, _ = turned(tmp_path, 0, 6_000, busy_until(10_000))
    begun = [at for at, paused in step.changes if paused]
    ended = [at for at, paused in step.changes if not paused]
    assert [end - begin for begin, end in zip(begun, ended, strict=False)][:3] == [512, 1024, 2048]


def test_a_resumed_run_pauses_where_the_first_one_did(tmp_path: Path) -> None:
    first, _ = turned(tmp_path, 0, 1_000, busy_until(700))
    quiet = lambda step, paused: 0.0025 if paused else 0.0005  # noqa: E731
    again, _ = turned(tmp_path, 128, 1_000, quiet)
    assert again.changes == first.changes
