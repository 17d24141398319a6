"""Steps go on while a save is under way; and the thread that saves can die."""

from __future__ import annotations

import pytest

from tests.faults.interposer import Fault
from tests.faults.storage import Range, needs_compiler

pytestmark = needs_compiler


@pytest.mark.parametrize("call", [1, 5, 14, 26, 40])
def test_steps_taken_while_a_save_is_under_way_are_not_in_it(trials: Range, call: int) -> None:
    root = trials.new_root()
    answer, _ = trials.turn(
        root, fault=Fault(action="hold", at=call), program="train_during_a_save"
    )
    assert answer == {"changed": True, "same": True, "ended": 0}


@pytest.mark.parametrize("call", [2, 20, 30])
def test_a_thread_that_dies_in_a_save_is_an_error_by_the_next_one(trials: Range, call: int) -> None:
    root = trials.new_root()
    answer, _ = trials.turn(root, fault=Fault(action="hold", at=call), program="lose_the_thread")
    assert answer["error"] == "the thread that saves checkpoints died at step 4: SystemExit."
    assert answer["newest"] == 2
