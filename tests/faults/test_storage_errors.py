"""A disk that is full, read-only or broken: said, nothing lost, nothing half-written left."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

import treadle
from tests.faults.interposer import TAKING_SPACE, Fault
from tests.faults.storage import Range, failed, needs_compiler, sweep_errors
from tests.faults.tiny_run import Plan, checkpoints
from treadle.errors import SaveError

SHORT = Plan(num_steps=5, every=2, keep=1)


def problems(trials: Range, faults: list[Fault]) -> list[str]:
    found = [(fault.at, failed(trials, SHORT, fault)) for fault in faults]
    assert all(problem is not None for _, problem in found), "a call was not there to fail"
    return [f"call {at}: {problem}" for at, problem in found if problem]


def space_takers(trials: Range) -> int:
    root = trials.new_root()
    calls = trials.turn(root, SHORT)[1]
    return sum(call.kind in TAKING_SPACE for call in calls)


def syncs(trials: Range) -> int:
    root = trials.new_root()
    return sum(call.kind == "s" for call in trials.turn(root, SHORT)[1])


@needs_compiler
@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("action", ["fail", "half then fail"])
def test_a_disk_that_fills_at_a_write_leaves_the_checkpoint_before_whole(
    trials: Range, action: str, step: int
) -> None:
    last = space_takers(trials)
    assert last > 50
    faults = [
        Fault(action=action, kinds=TAKING_SPACE, at=at, for_good=True)
        for at in range(2, last + 1, step)
    ]
    assert problems(trials, faults) == []


@needs_compiler
@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_a_sync_that_fails_is_a_failed_save_and_never_tried_again_on_the_file(
    trials: Range, step: int
) -> None:
    last = syncs(trials)
    assert last > 30
    faults = [
        Fault(action="fail", kinds="s", at=at, error=errno.EIO) for at in range(1, last + 1, step)
    ]
    assert problems(trials, faults) == []


@needs_compiler
def test_a_disk_full_while_nothing_else_was_saved_ends_in_words(trials: Range) -> None:
    root = trials.new_root()
    fault = Fault(action="fail", kinds="w", at=2, for_good=True)
    answer, _ = trials.turn(root, SHORT, fault)
    assert "the checkpoint of step 2 could not be written" in answer["error"]
    assert "No space left on device" in answer["error"]
    assert list(checkpoints(root).iterdir()) == []


@needs_compiler
@pytest.mark.parametrize("kinds", ["m", "o", "mo", TAKING_SPACE])
def test_a_read_only_place_is_refused_before_the_first_step(trials: Range, kinds: str) -> None:
    root = trials.new_root()
    fault = Fault(action="fail", kinds=kinds, at=1, error=errno.EROFS, for_good=True)
    answer, _ = trials.turn(root, SHORT, fault)
    assert "checkpoints cannot be written to" in answer["error"]
    assert "Read-only file system" in answer["error"]
    assert answer["reached"] == 0


def test_a_fit_into_a_place_that_cannot_be_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    rows = {"x": [i * 7 % 50 for i in range(300)], "y": [i % 2 for i in range(300)]}
    with pytest.raises(SaveError, match="could not be made"):
        treadle.fit(rows, target="y", until="1 epoch", out=tmp_path / "file" / "run")


@needs_compiler
def test_disks_that_fail_anywhere(tmp_path: Path) -> None:
    tally = sweep_errors(15, seed=3, place=tmp_path)
    assert tally.wrong == [] and tally.tried == 15
