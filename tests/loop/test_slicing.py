"""Slicing: what a step of captured code, or of a user's own, does where memory ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from treadle.errors import MemoryFullError
from treadle.loop.journal import Journal
from treadle.loop.slicing import Slicing
from treadle.loop.state import TrainState
from treadle.loop.step import EagerStep

X_BF = torch.randn(8, 3)


def lack() -> RuntimeError:
    return RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes")


def a_state() -> TrainState:
    module = nn.Linear(3, 1)
    optimizer = torch.optim.AdamW(module.parameters())
    return TrainState(model=module, optimizers={"main": optimizer})


class Captured:
    """A step that is one piece of code, which finds no memory when it is asked to fail."""

    def __init__(self, state: TrainState, fails: bool) -> None:
        self.eager = EagerStep(lambda x_BF: state.module(x_BF).square().mean())
        self.is_engaged, self.fails, self.slices = True, fails, list[int]()

    def __call__(self, state: TrainState, batch: Any) -> None:
        if self.is_engaged and self.fails:
            raise lack()
        self.slices.append(self.eager.options.accumulate)
        self.eager(state, batch)

    def disengage(self, state: TrainState) -> None:
        self.is_engaged = False


def test_captured_code_that_finds_no_memory_decides_and_stops(tmp_path: Path) -> None:
    state = a_state()
    state.step = 6
    with pytest.raises(MemoryFullError, match="in the middle of step 7") as raised:
        Slicing(Captured(state, fails=True), Journal(tmp_path))(state, X_BF)
    assert "Resume it" in raised.value.hint

    journal, resumed = Journal(tmp_path), a_state()
    journal.replay_after(4)
    step = Captured(resumed, fails=False)
    slicing = Slicing(step, journal)
    engaged = []
    for resumed.step in (4, 5, 6, 7):
        slicing(resumed, X_BF)
        engaged.append(step.is_engaged)
    assert step.slices == [1, 1, 2, 2] and engaged == [True, True, False, False]


def test_a_state_that_was_saved_after_the_decision_goes_on_slicing() -> None:
    state = a_state()
    state.memory["slices"] = {"rows": 2}
    step = EagerStep(lambda x_BF: state.module(x_BF).square().mean())
    Slicing(step, Journal())(state, X_BF)
    assert step.options.accumulate == 4
    Slicing(step, Journal())(state, X_BF[:2])  # an epoch's last batch
    assert step.options.accumulate == 1


def test_a_step_that_cannot_slice_passes_the_lack_on() -> None:
    def own(state: TrainState, batch: Tensor) -> None:
        raise lack()

    with pytest.raises(RuntimeError, match="can't allocate memory"):
        Slicing(own, Journal())(a_state(), X_BF)


def test_an_update_that_finds_no_memory_is_not_repeated() -> None:
    """Half of the parameters may have moved: nobody can take the other half's step."""
    state, journal = a_state(), Journal()

    def fails(closure: Any = None) -> None:
        raise lack()

    state.optimizers["main"].step = fails  # type: ignore[method-assign]
    step = EagerStep(lambda x_BF: state.module(x_BF).square().mean())
    with pytest.raises(MemoryFullError, match="in the middle of step 1"):
        Slicing(step, journal)(state, X_BF)
    assert [line["value"] for line in journal.lines] == [4]
