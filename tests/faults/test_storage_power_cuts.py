"""The power is cut: what was not synced is lost, torn, or there in another order."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.disk import Disk, lay_out, power_cuts, tree_of
from tests.faults.interposer import Call, Fault
from tests.faults.storage import (
    Range,
    cuts,
    needs_compiler,
    recorded,
    survives,
    sweep_power_cuts,
)
from tests.faults.tiny_run import Plan


@needs_compiler
def test_the_log_replayed_gives_the_disk_as_it_is(trials: Range) -> None:
    root = trials.new_root()
    _, first = trials.turn(root, Plan(width=64), Fault(action="half then kill", at=77), "log-0")
    _, second = trials.turn(root, Plan(width=64), name="log-1")
    disk = Disk(root)
    for call in [*first, *second]:
        disk.apply(call)
    assert disk.now() == tree_of(root)


@needs_compiler
def test_all_that_was_not_synced_is_lost_at_every_call(trials: Range) -> None:
    plan = Plan(keep=1, every=3)
    calls, root = recorded(trials, plan, [])
    every = set(range(1, len(calls) + 1))
    left = list(cuts(calls, root, every, random.Random(0), num_random=0))
    lost = [(saved, tree) for _, how, saved, tree in left if how == "all unsynced is lost"]
    assert [saved for saved, _ in lost] == [
        0,
        3,
        6,
        7,
    ]  # at all other calls one of the same is left
    assert [
        problem for saved, tree in lost if (problem := survives(trials, plan, tree, saved))
    ] == []


@needs_compiler
@pytest.mark.slow
def test_each_plain_way_of_losing_what_was_not_synced_at_every_call(trials: Range) -> None:
    plan = Plan(keep=1, every=2)
    calls, root = recorded(trials, plan, [Fault(action="kill", at=120)])
    left = cuts(calls, root, set(range(1, len(calls) + 1)), random.Random(0), num_random=2)
    problems = (survives(trials, plan, tree, saved) for _, _, saved, tree in left)
    assert [problem for problem in problems if problem] == []


@needs_compiler
def test_torn_and_reordered_writes_are_never_chosen(tmp_path: Path) -> None:
    tally = sweep_power_cuts(90, seed=2, place=tmp_path)
    assert tally.wrong == [] and tally.tried == 90


NAIVE = [
    ("m", 0, "run", "", b""),
    ("s", 0, "", "", b""),
    ("o", 0, "run/.new", "", b""),
    ("w", 0, "run/.new", "", b"x" * 9000),
    ("r", 0, "run/.new", "run/whole", b""),
    ("s", 0, "run", "", b""),
]


def cut_behind(calls: list[tuple[str, int, str, str, bytes]], root: Path) -> dict[str, set[bytes]]:
    """Return what each file can hold when the power is cut behind these calls."""
    disk, found = Disk(root), dict[str, set[bytes]]()
    for kind, offset, path, second, content in calls:
        moved = str(root / second) if kind == "r" else second
        disk.apply(Call(kind, offset, root / path, moved, content))
    for _, tree in power_cuts(disk, random.Random(1), num_random=60):
        for name, left in tree.items():
            if left is not None:
                found.setdefault(name, set()).add(left)
    return found


def test_a_file_renamed_before_it_was_synced_can_be_empty_torn_and_out_of_order(
    tmp_path: Path,
) -> None:
    left = cut_behind(NAIVE, tmp_path)["run/whole"]
    assert {b"", b"\0" * 9000, b"x" * 9000} <= left
    assert any(content.startswith(b"\0" * 512) and b"x" in content for content in left)
    assert all(len(content) % 512 in (0, 9000 % 512) for content in left)


def test_a_synced_file_is_whole_wherever_its_name_is(tmp_path: Path) -> None:
    synced = [*NAIVE[:4], ("s", 0, "run/.new", "", b""), *NAIVE[4:]]
    assert cut_behind(synced, tmp_path) == {"run/whole": {b"x" * 9000}}
    without_folder = cut_behind(synced[:-1], tmp_path)
    assert set(without_folder) == {"run/.new", "run/whole"}


def test_a_disk_is_laid_out_as_it_was_read(tmp_path: Path) -> None:
    tree = {"a": None, "a/b": b"bytes", "c": b""}
    lay_out(tree, tmp_path / "disk")
    assert tree_of(tmp_path / "disk") == tree


def test_a_way_of_writing_that_is_not_followed_spoils_the_log(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="mmap"):
        Disk(tmp_path).apply(Call("x", 0, tmp_path / "file", "mmap", b""))
