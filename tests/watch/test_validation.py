"""Watchers that measure: validation, the finite check, the plateau, evaluation mode."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from treadle.goal import LOSS, METRICS
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState
from treadle.watch.validation import (
    Plateau,
    Validator,
    averaged,
    evaluating,
)


def a_state() -> TrainState:
    module = nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    return TrainState(model=module, optimizers={"main": optimizer})


def set_weight(state: TrainState, value: float) -> None:
    with torch.no_grad():
        state.module.get_parameter("weight").fill_(value)


def weight(state: TrainState) -> float:
    return float(state.module.get_parameter("weight").detach())


def validate(values: list[float], metric: str) -> tuple[TrainState, Journal]:
    """Validate after each step; the weight of a step is its number."""
    state, journal = a_state(), Journal()
    chosen = LOSS if metric == "loss" else METRICS[metric]
    validator = Validator(lambda s: {metric: values[s.step - 1]}, chosen, journal, every_steps=1)
    for step in range(1, len(values) + 1):
        state.step = step
        set_weight(state, step)
        validator(state)
    return state, journal


@pytest.mark.parametrize(
    ("metric", "values", "best"),
    [
        ("accuracy", [0.5, 0.7, 0.6], 2),
        ("loss", [0.5, 0.7, 0.4], 3),
        ("loss", [math.nan, 0.7, math.nan, 0.9], 2),
        ("accuracy", [0.7, 0.7, 0.7], 1),
        ("accuracy", [math.nan, math.nan], None),
    ],
    ids=["higher", "lower", "never NaN", "first of equals", "all NaN"],
)
def test_keeps_the_weights_of_the_best_validation(
    metric: str, values: list[float], best: int | None
) -> None:
    state, _ = validate(values, metric)
    assert state.best_step == best
    state.give_back_best()
    assert weight(state) == (best or len(values))


def test_writes_the_curve_with_loss_rates_and_what_was_logged() -> None:
    state, journal = a_state(), Journal()
    validator = Validator(lambda _: {"loss": 0.25}, LOSS, journal, every_steps=2)
    for step in (1, 2):
        state.step = step
        state.totals.add(torch.tensor(3.0 * step), 2.0)
        state.totals.log("norm", step)
        validator(state)
    (line,) = journal.lines
    assert (line["step"], line["epoch"]) == (2, 0)
    assert line["values"] == {"train_loss": 2.25, "norm": 1.5, "loss": 0.25, "learning_rate": 0.5}
    assert "seconds" in line["clock"]
    assert float(state.totals.weight) == 0


def test_measures_a_step_once_even_when_asked_again_at_the_end() -> None:
    state, journal = a_state(), Journal()
    validator = Validator(lambda _: {"loss": 0.25}, LOSS, journal, every_steps=5)
    state.step = 5
    validator(state)
    validator.measure(state)
    assert len(journal.lines) == len(state.history) == 1


def test_a_plateau_lowers_the_rate_by_decision_and_starts_counting_anew() -> None:
    state, journal = a_state(), Journal()
    validator = Validator(lambda _: {"loss": 1.0}, LOSS, journal, every_steps=1)
    plateau = Plateau(journal, patience=3, factor=0.1)
    scales = []
    for step in range(1, 9):
        state.step = step
        validator(state)
        plateau(state)
        scales.append(state.scale)
    assert scales == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01])
    decided = [line for line in journal.lines if line.get("topic") == "rate"]
    assert [line["step"] for line in decided] == [4, 7]
    assert "3 checks" in decided[0]["sentence"]


def test_a_plateau_decides_nothing_between_validations() -> None:
    state, journal = a_state(), Journal()
    state.step = 5
    Plateau(journal, patience=1)(state)
    assert journal.lines == []


def test_a_resumed_plateau_replays_what_was_decided(tmp_path: Path) -> None:
    Journal(tmp_path).decide("rate", 4, lambda: (0.5, "lowered.", {}))
    journal = Journal(tmp_path)
    journal.replay_after(2)
    state = a_state()
    validator = Validator(lambda _: {"loss": 1.0}, LOSS, journal, every_steps=1)
    plateau = Plateau(journal, patience=3, factor=0.1)
    for step in range(1, 5):
        state.step = step
        validator(state)
        plateau(state)
    assert state.scale == 0.5


def test_averaged_weights_are_there_for_a_while_and_the_own_ones_come_back() -> None:
    state = a_state()
    set_weight(state, 1.0)
    state.average = {"weight": torch.full((1, 1), 8.0)}
    with averaged(state):
        assert weight(state) == 8.0
    assert weight(state) == 1.0


def test_evaluation_mode_is_put_back_part_by_part() -> None:
    module = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1), nn.Dropout())
    module[1].eval()
    with evaluating(module):
        assert not any(part.training for part in module.modules())
        assert torch.is_inference_mode_enabled()
    assert [part.training for part in module] == [True, False, True]


def test_what_a_module_keeps_of_an_evaluation_can_be_trained_with_when_asked() -> None:
    module = nn.Linear(1, 1)
    with evaluating(module, inference=False):
        kept = torch.ones(1, 1) * 2
    module(kept).sum().backward()
