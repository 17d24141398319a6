"""A flipped bit, a file cut short: found, the file named, the next older checkpoint used."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.storage import Range, needs_compiler
from tests.faults.storage_damage import (
    Damaged,
    cut_lengths,
    flipped,
    regions_of,
    sweep_flips,
    sweep_truncations,
)
from tests.faults.tiny_run import Plan, checkpoints
from treadle.loop.checkpoint import finished


def test_a_flipped_bit_in_any_region_of_any_file_is_found_and_the_older_one_used(
    tmp_path: Path,
) -> None:
    tally = sweep_flips(150, seed=1, place=tmp_path)
    assert tally.wrong == [] and tally.tried == 150


@pytest.mark.parametrize("every", [41, pytest.param(1, marks=pytest.mark.slow)])
def test_any_flipped_bit_of_the_manifest_is_found_and_the_manifest_named(
    tmp_path: Path, every: int
) -> None:
    damaged = Damaged(tmp_path, width=1)
    manifest = damaged.place / "MANIFEST.json"
    content = manifest.read_bytes()
    wrong = {
        bit: problem
        for bit in range(0, len(content) * 8, every)
        if (problem := damaged.problem(manifest, flipped(content, bit // 8, bit % 8)))
    }
    assert wrong == {}


def test_a_file_cut_at_any_block_is_found_and_the_older_one_used(tmp_path: Path) -> None:
    tally = sweep_truncations(60, seed=1, place=tmp_path)
    assert tally.wrong == [] and tally.tried == 60


def test_every_file_has_its_regions_and_its_cuts(tmp_path: Path) -> None:
    damaged = Damaged(tmp_path)
    names = {file.name for file in damaged.files()}
    assert {"MANIFEST.json", "state.json", "model.safetensors", "random.safetensors"} <= names
    for file in damaged.files():
        covered = [byte for _, start, end in regions_of(file) for byte in range(start, end)]
        assert covered == list(range(file.stat().st_size))
    large = damaged.place / "random.safetensors"
    assert cut_lengths(large)[:3] == [0, 4096, 8192]


@needs_compiler
@pytest.mark.parametrize("name", ["MANIFEST.json", "state.json", "optimizers.safetensors"])
def test_a_run_whose_newest_checkpoint_is_damaged_still_ends_equal_to_the_bit(
    trials: Range, name: str
) -> None:
    plan, shorter = Plan(every=2, keep=2), Plan(every=2, keep=2, num_steps=5)
    root = trials.new_root()
    trials.turn(root, shorter, name="log-0")
    newest = finished(checkpoints(root))[-1]
    content = (newest / name).read_bytes()
    (newest / name).write_bytes(flipped(content, len(content) // 2, 3))
    answer, _ = trials.turn(root, plan, name="log-1")
    assert answer["began"] == 4 and name in answer["said"][0]
    assert answer["digest"] == trials.whole(plan)["digest"]
