"""What is said while a training turns: once, and the same after a resume."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from torch import nn

from tests.watch.verdict_evidence import jumps, sound
from treadle.contracts import Validation
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState
from treadle.watch.evidence import Curve, Evidence
from treadle.watch.verdict import Verdict
from treadle.watch.verdicts_live import LiveVerdicts, learning_by_heart, said_of


def curve(held_out: list[float], train: list[float] | None = None) -> Curve:
    count = len(held_out)
    falling = np.linspace(0.6, 0.1, count) if train is None else np.array(train)
    return Curve(steps=np.arange(1, count + 1) * 10.0, train=falling, held_out=np.array(held_out))


BY_HEART = [0.6, 0.4, 0.3, 0.31, 0.38, 0.42, 0.45, 0.5]


def test_learning_by_heart_is_seen_with_the_step_from_which_on() -> None:
    verdict = learning_by_heart(sound(curve=curve(BY_HEART)))
    assert verdict is not None and verdict.taken
    assert verdict.saw["from_step"] == 30


@pytest.mark.parametrize(
    "held_out",
    [
        [0.6, 0.4, 0.3, 0.28, 0.27, 0.26, 0.26, 0.26],
        [0.6, 0.4, 0.3, 0.31, 0.32, 0.32, 0.31, 0.32],
        [0.6, 0.4, 0.3, 0.5, 0.3, 0.5, 0.3, 0.5],
        [0.3, 0.5, 0.6, 0.7],
        [0.6, 0.4, float("nan"), 0.31, 0.38, 0.42, 0.45, 0.5],
    ],
    ids=["falls", "stands", "swings", "too few", "not measured"],
)
def test_other_curves_are_no_learning_by_heart(held_out: list[float]) -> None:
    assert learning_by_heart(sound(curve=curve(held_out))) is None


def test_where_the_training_loss_rises_too_it_is_something_else() -> None:
    rising = [0.6, 0.4, 0.3, 0.4, 0.5, 0.5, 0.6, 0.6]
    assert learning_by_heart(sound(curve=curve(BY_HEART, rising))) is None


class Said:
    """A watcher over evidence that a test sets, and what it said."""

    def __init__(self, evidence: Evidence) -> None:
        self.lines: list[tuple[str, int]] = []
        self.watch = LiveVerdicts(Journal(), lambda _: evidence, self.say)

    def say(self, journal: Journal, verdict: Verdict, step: int) -> None:
        self.lines.append((verdict.name, step))


def at(step: int, *, validated: bool = True, memory: object = None) -> TrainState:
    state = TrainState(model=nn.Linear(1, 1), step=step)
    state.memory = copy.deepcopy(memory) if isinstance(memory, dict) else {}
    if validated:
        state.history.append(Validation(step=step, epoch=0, metrics={}))
    return state


def test_a_verdict_is_said_once_even_after_a_resume() -> None:
    said = Said(sound(curve=curve(BY_HEART)))
    state = at(80)
    said.watch(state)
    state.step = 90
    state.history.append(Validation(step=90, epoch=0, metrics={}))
    said.watch(state)
    said.watch(at(100, memory=state.memory))
    assert said.lines == [("overfitting", 80)]


def test_what_an_earlier_treadle_remembered_is_not_said_again() -> None:
    said = Said(sound(curve=curve(BY_HEART)))
    said.watch(at(80, memory={"verdicts_live": {"said": ["overfitting"]}}))
    assert said.lines == []


def test_what_was_said_of_a_rate_is_asked_anew_at_the_end_and_the_rest_stays() -> None:
    by_heart, thrown = (
        Said(sound(curve=curve(BY_HEART))),
        Said(sound(rollbacks=1)),
    )
    state, other = at(80), at(80)
    by_heart.watch(state)
    thrown.watch(other)
    assert thrown.lines == [("rate_too_high", 80)]
    assert said_of(other.memory) == said_of({}) == {}
    (kept,) = said_of(state.memory).values()
    assert kept.name == "overfitting" and kept.saw["from_step"] == 30


def test_nothing_is_said_between_validations() -> None:
    said = Said(sound(curve=curve(BY_HEART)))
    said.watch(at(80, validated=False))
    assert said.lines == []


def test_broken_rows_are_said_in_place_of_what_follows_from_them() -> None:
    broken = jumps(*[(20.0 + 40 * epoch, 0.4, 90.0, 0.45) for epoch in range(10)])
    said = Said(sound(curve=curve(BY_HEART), jumps=broken))
    said.watch(at(80))
    assert said.lines == [("spike", 80)]
