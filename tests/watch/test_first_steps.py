"""The first steps tell whether to ask; the answer decides whether training begins anew."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from treadle.contracts import Json
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState
from treadle.watch.first_steps import FirstSteps, crept, rose

FALLING = [1.0 / (1 + step) for step in range(40)]


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        (FALLING, False),
        ([1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3], False),
        ([1.0, 0.5, 0.4, 0.3, 0.3, 0.3, 0.6, 0.7], True),
        ([1.0, 0.9, 0.8, 2.1, 0.6, 0.5, 0.4, 0.3], True),
        ([1.0, 3.0], False),
        ([-1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0, -8.0], False),
    ],
    ids=["falling", "slowly", "rising again", "a jump", "too few", "below zero"],
)
def test_losses_that_rise_are_told_from_those_that_fall(
    losses: list[float], expected: bool
) -> None:
    assert rose(losses) is expected


@pytest.mark.parametrize(
    ("losses", "expected"),
    [(FALLING, False), ([1.0, 0.99, 0.98, 0.97] * 2, True), ([1.0, 0.9], False)],
    ids=["falling", "hardly", "too few"],
)
def test_losses_that_hardly_fall_are_told(losses: list[float], expected: bool) -> None:
    assert crept(losses) is expected


class Case:
    def __init__(self, factor: float, losses: list[float], folder: Path | None = None) -> None:
        torch.manual_seed(0)
        module = nn.Linear(3, 1)
        optimizer = torch.optim.Adam(module.parameters(), lr=0.5)
        self.state = TrainState(model=module, optimizers={"main": optimizer}, scale=0.5)
        self.state.keep_start()
        self.asked: list[int] = []
        self.journal = Journal(folder)
        self.watch = FirstSteps(
            self.journal, losses=lambda _: losses, ask=self.ask_rate, max_steps=1_000, warmup=10
        )
        self.factor = factor

    def ask_rate(self, state: TrainState, seen: str) -> tuple[float, str, Json]:
        self.asked.append(state.step)
        return self.factor, "it is too high.", {}

    def turn(self, until: int) -> None:
        module = self.state.module
        while self.state.step < until:
            self.state.step += 1
            with torch.no_grad():
                for parameter in module.parameters():
                    parameter.add_(1.0)
            self.watch(self.state)


def test_training_begins_anew_at_the_rate_that_was_found() -> None:
    case = Case(0.1, [1.0, 5.0, 5.0, 5.0])
    begun = {name: tensor.clone() for name, tensor in case.state.module.state_dict().items()}
    case.turn(50)
    assert case.asked == [50]
    assert case.state.scale == pytest.approx(0.05)
    for name, tensor in case.state.module.state_dict().items():
        assert torch.equal(tensor, begun[name])
    case.turn(200)
    assert case.asked == [50]


def test_where_no_lower_rate_does_better_all_stays_as_it_is() -> None:
    case = Case(1.0, [1.0, 5.0, 5.0, 5.0])
    case.turn(60)
    assert case.asked == [50]
    assert case.state.scale == 0.5
    assert "first_steps" not in case.state.memory


def test_where_the_loss_fell_nobody_is_asked() -> None:
    case = Case(0.1, FALLING)
    case.turn(60)
    assert case.asked == []
    assert case.journal.lines == []


def test_a_resumed_run_replays_the_decision(tmp_path: Path) -> None:
    Case(0.1, [1.0, 5.0, 5.0, 5.0], tmp_path).turn(60)
    case = Case(0.7, [1.0, 5.0, 5.0, 5.0], tmp_path)
    case.journal.replay_after(-1)
    case.turn(60)
    assert case.asked == []
    assert case.state.scale == pytest.approx(0.05)


def test_short_trainings_are_looked_at_early_and_tiny_ones_not_at_all() -> None:
    def at(max_steps: float) -> int:
        return FirstSteps(
            Journal(), losses=lambda _: [], ask=Case(1.0, []).ask_rate, max_steps=max_steps
        ).look_at

    assert (at(1_000), at(100), at(20)) == (40, 20, 0)


def test_a_rate_that_is_too_low_is_remembered_and_kept() -> None:
    case = Case(40.0, [1.0, 1.0, 0.999, 0.998])
    case.turn(60)
    assert case.asked == [50]
    assert case.state.scale == 0.5
    assert case.state.memory["first_steps"]["factor"] == 40.0
