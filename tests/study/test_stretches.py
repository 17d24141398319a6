"""Short trainings leave nothing behind."""

from __future__ import annotations

import math
import signal
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from treadle.data.own_sources import TupleSource
from treadle.loop.loop import turn
from treadle.loop.schedules import warmup_cosine
from treadle.loop.state import TrainState
from treadle.loop.step import EagerStep, StepOptions
from treadle.loop.until import StopCondition, StopReason, steps
from treadle.study.stretches import Stretches


class Counting(nn.Module):
    """A network with dropout, running statistics, and a count that is kept in Python."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1)
        )
        self.seen = 0

    def forward(self, x: Tensor) -> Tensor:
        self.seen += 1
        out: Tensor = self.body(x)
        return out


class Case:
    def __init__(self, **options: Any) -> None:
        torch.manual_seed(3)
        module = Counting()
        x = torch.randn(64, 4)
        self.source = TupleSource([x, x.sum(1, keepdim=True)], batch_size=16, seed=1)
        self.state = TrainState(
            model=module, optimizers={"main": torch.optim.AdamW(module.parameters(), lr=0.01)}
        )
        self.state.horizon = 40
        self.step = EagerStep(
            lambda batch: nn.functional.mse_loss(module(batch[0]), batch[1]), **options
        )
        self.step.prepare(self.state)

    def stretches(self, **options: Any) -> Stretches:
        return Stretches(self.state, self.source, self.step, **options)

    def train(self, count: int) -> None:
        turn(self.state, self.source, self.step, (), steps(self.state.step + count))

    def all_of_it(self) -> tuple[list[Tensor], Any]:
        files, facts = self.state.snapshot()
        tensors = [tensor for group in files.values() for tensor in group.values()]
        return tensors, {**facts, "seconds": 0, "count": self.state.module.seen}


@pytest.mark.parametrize(
    "options",
    [{}, {"schedule": warmup_cosine()}, {"options": StepOptions(average=0.9, clip_norm=1.0)}],
    ids=["plain", "schedule", "average"],
)
@pytest.mark.parametrize("before", [0, 5])
def test_training_goes_on_as_if_no_stretch_had_been(options: Any, before: int) -> None:
    plain, searched = Case(**options), Case(**options)
    for case in (plain, searched):
        torch.manual_seed(8)
        case.train(before)
        if case is searched:
            stretches = case.stretches()
            assert math.isfinite(stretches(0.1, 12))
            assert stretches(1e30, 12) == math.inf
        case.train(9)
    tensors, facts = plain.all_of_it()
    others, other_facts = searched.all_of_it()
    assert all(torch.equal(*pair) for pair in zip(tensors, others, strict=True))
    assert facts == other_facts


def test_two_stretches_at_one_rate_are_one_and_the_same() -> None:
    stretches = Case().stretches()
    assert stretches(3.0, 10) == stretches(3.0, 10)
    assert stretches(3.0, 10) != stretches(0.3, 10)
    assert stretches.steps_taken == 40


def test_a_schedule_is_laid_out_over_the_stretch() -> None:
    seen: list[tuple[int, int]] = []

    def schedule(step: int, horizon: int, scale: float) -> float:
        seen.append((step, horizon))
        return scale

    Case(schedule=schedule).stretches()(1.0, 10)
    assert seen == [(step, 10) for step in range(10)]


def test_the_first_steps_of_what_is_planned_go_by_its_schedule() -> None:
    seen: list[tuple[int, int]] = []

    def schedule(step: int, horizon: int, scale: float) -> float:
        seen.append((step, horizon))
        return scale

    case = Case(schedule=schedule)
    case.stretches()(0.5, 10, as_planned=True)
    assert seen == [(step, 40) for step in range(10)]
    assert (case.state.horizon, case.state.scale) == (40, 1.0)


def test_the_share_at_the_end_that_is_counted_can_be_said() -> None:
    last, whole = (Case().stretches(counted=share)(3.0, 10) for share in (0.1, 1.0))
    assert last < whole


def test_what_measures_is_asked_at_the_end_of_a_stretch() -> None:
    case = Case()
    asked: list[int] = []

    def measure(state: TrainState) -> float:
        asked.append(state.step)
        return 0.25

    assert case.stretches(measure=measure)(1.0, 7) == 0.25
    assert asked == [7]


def test_a_stretch_that_is_broken_off_says_so_and_none_follows() -> None:
    def at_five(state: TrainState) -> StopReason | None:
        return StopReason("interrupted", signal.SIGTERM.name) if state.step >= 5 else None

    case = Case()
    stretches = case.stretches(until=StopCondition(at_five, ""))
    stretches(1.0, 10)
    assert stretches.stopped is not None
    assert case.state.step == 0
    assert stretches(1.0, 10) == math.inf
    assert stretches.steps_taken == 5
