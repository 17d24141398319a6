"""The first steps tell whether to ask; the answer decides whether training begins anew."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from treadle.contracts import Json
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState
from treadle.watch.first_steps import FAR_LOWER, LOWER, FirstSteps, crept, rose

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
        self.taken: list[float] = []
        self.values = [1.0, 1.0]
        self.journal = Journal(folder)
        self.watch = FirstSteps(
            self.journal,
            losses=lambda _: losses,
            again=self.take_again,
            ask=self.ask_rate,
            max_steps=1_000,
            warmup=10,
        )
        self.factor = factor

    def take_again(self, state: TrainState, factor: float) -> float:
        self.taken.append(factor)
        return self.values[len(self.taken) - 1]

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


def test_where_the_loss_fell_and_a_lower_rate_is_no_better_nobody_is_asked() -> None:
    case = Case(0.1, FALLING)
    case.turn(60)
    assert case.taken == [LOWER[0]]
    assert case.asked == []
    assert case.journal.lines == []


@pytest.mark.parametrize("shares", [[0.5], [1.2, 0.5]], ids=["a tenth", "a third"])
def test_where_a_lower_rate_teaches_more_it_is_asked(shares: list[float]) -> None:
    case = Case(0.1, FALLING)
    case.values = [share * FALLING[-6] for share in shares]
    case.turn(60)
    assert len(case.taken) == len(shares)
    assert case.asked == [50]
    assert case.state.scale == pytest.approx(0.05)


def test_where_little_was_learned_far_lower_rates_are_compared_too() -> None:
    case = Case(0.01, [1.0 - 0.003 * step for step in range(40)])
    case.values = [0.95, 0.95, 0.4]
    case.turn(60)
    assert case.taken == [*LOWER, FAR_LOWER]
    assert case.asked == [50]


def test_the_look_grows_with_what_is_planned_and_is_not_taken_again_after_a_long_warmup() -> None:
    def watch(planned: float, warmup: int = 0, max_steps: float = 10_000) -> FirstSteps:
        case = Case(1.0, [])
        return FirstSteps(
            Journal(),
            losses=lambda _: [],
            again=case.take_again,
            ask=case.ask_rate,
            max_steps=max_steps,
            planned=planned,
            warmup=warmup,
        )

    assert [watch(planned).look_at for planned in (500, 2_000, 100_000)] == [40, 80, 200]
    assert watch(2_000, warmup=100).compares
    assert not watch(2_000, warmup=500).compares
    assert not watch(90, max_steps=90).compares


def test_a_resumed_run_replays_the_decision(tmp_path: Path) -> None:
    Case(0.1, [1.0, 5.0, 5.0, 5.0], tmp_path).turn(60)
    case = Case(0.7, [1.0, 5.0, 5.0, 5.0], tmp_path)
    case.journal.replay_after(-1)
    case.turn(60)
    assert case.asked == []
    assert case.state.scale == pytest.approx(0.05)


def test_a_resumed_run_that_was_answered_takes_nothing_again(tmp_path: Path) -> None:
    first = Case(0.1, FALLING, tmp_path)
    first.values = [0.0]
    first.turn(60)
    case = Case(0.7, FALLING, tmp_path)
    case.journal.replay_after(-1)
    case.turn(60)
    assert case.taken == []
    assert case.state.scale == pytest.approx(0.05)


def test_short_trainings_are_looked_at_early_and_tiny_ones_not_at_all() -> None:
    def at(max_steps: float) -> int:
        case = Case(1.0, [])
        return FirstSteps(
            Journal(),
            losses=lambda _: [],
            again=case.take_again,
            ask=case.ask_rate,
            max_steps=max_steps,
        ).look_at

    assert (at(1_000), at(100), at(20)) == (40, 20, 0)


def test_a_rate_that_is_too_low_is_remembered_and_kept() -> None:
    case = Case(40.0, [1.0, 1.0, 0.999, 0.998])
    case.turn(60)
    assert case.asked == [50]
    assert case.state.scale == 0.5
    assert case.state.memory["first_steps"]["factor"] == 40.0
