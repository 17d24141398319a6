"""When validation's forward pass is captured, and that a resumed run does the same."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from treadle.api.inference import Predicting
from treadle.capture.background import Captured, Refused
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState
from treadle.loop.until import epochs


class Sum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return self.layer(batch["numbers"])  # type: ignore[no-any-return]

    def predict(self, outputs: Tensor) -> Tensor:
        return outputs[:, 0]


class World:
    """A Predicting whose capture is counted and never compiles; its seconds can be set."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, folder: Path, *, pinned: bool, resumed: bool = False
    ) -> None:
        self.worths: list[float] = []
        self.answer: Any = Captured(
            key="k", path=folder, was_cached=False, is_random=False, notes={}, seconds=12.0
        )
        model = Sum()
        self.state = TrainState(model=model, optimizers={})
        self.journal = Journal(folder)
        if resumed:
            self.journal.replay_after(-1)
        self.predicting = Predicting(model, {"numbers": torch.randn(8, 2), "target": torch.ones(8)})
        monkeypatch.setattr(self.predicting.inference, "capture", self._capture)
        self.state.memory["engine"] = {"key": "of the captured step"}
        self.step = SimpleNamespace(pinned=pinned)
        training: Any = SimpleNamespace(
            step=self.step, until=epochs(20), steps_per_epoch=100, validate_every=100
        )
        self.predicting.watch(training, self.journal)

    def _capture(self, rows: Any, *, worth_seconds: float) -> Any:
        assert "target" not in rows
        self.worths.append(worth_seconds)
        if isinstance(self.answer, Captured):
            self.predicting.inference._run = lambda flat: [flat[-1][:, 0]]
        return self.answer

    def validate(self, step: int, *, seconds: float = 0.0) -> None:
        self.state.step = step
        self.predicting(self.state)
        self.predicting._seconds = seconds

    def said(self) -> list[str]:
        text = (self.journal.folder / "events.jsonl").read_text() if self.worths else ""
        return [line for line in text.splitlines() if "inference" in line]


def test_asked_for_compiled_code_validation_gets_it_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = World(monkeypatch, tmp_path, pinned=True)
    world.validate(100)
    world.validate(200)
    assert world.worths == [float("inf")]
    assert len(world.said()) == 1


def test_an_eager_step_is_followed_by_eager_validation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = World(monkeypatch, tmp_path, pinned=True)
    del world.state.memory["engine"]
    world.validate(100)
    assert world.worths == [] and world.state.memory == {}


def test_under_auto_a_short_validation_is_not_worth_it_and_a_long_one_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = World(monkeypatch, tmp_path, pinned=False)
    world.validate(100, seconds=0.1)
    world.validate(200, seconds=10.0)
    assert world.worths == [], "19 validations of .1 seconds take less than a compiler"
    world.validate(300)
    assert world.worths == [pytest.approx(0.2 * 17 * 10.0)]
    assert world.state.memory["inference"] == {"engine": "compiled"}


def test_a_refusal_is_said_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world = World(monkeypatch, tmp_path, pinned=True)
    world.answer = Refused(reason="there is no C++ compiler here")
    world.validate(100)
    world.validate(200)
    assert len(world.worths) == 1 and len(world.said()) == 1
    assert "uncompiled: there is no C++ compiler" in world.said()[0]


def test_a_resumed_run_takes_over_at_the_same_validation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = World(monkeypatch, tmp_path, pinned=False)
    first.validate(100, seconds=10.0)
    first.validate(200)
    again = World(monkeypatch, tmp_path, pinned=False, resumed=True)
    again.validate(100, seconds=99.0)
    assert again.worths == [], "the earlier attempt took over at step 200, not before"
    again.validate(200)
    assert again.worths == [float("inf")] and again.predicting.inference.is_captured
    assert len(again.said()) == 1, "the decision is replayed, not made anew"
