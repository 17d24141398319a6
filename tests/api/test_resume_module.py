"""The resume law: N steps = k steps + kill + resume + (N − k) steps, bit for bit."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from treadle.folder import RunFolder

Forks = Any
STEPS_PER_EPOCH, EPOCHS = 6, 5


def last_checkpoint(out: Path) -> dict[str, bytes]:
    """Return the files of the newest checkpoint, its clock aside."""
    place = max((out / "checkpoints").glob("step-*"))
    files = {file.name: file.read_bytes() for file in place.glob("*.safetensors")}
    facts = json.loads((place / "state.json").read_text())
    del facts["seconds"]
    return files | {"state.json": json.dumps(facts, sort_keys=True).encode()}


def curve(out: Path) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in line.items() if key not in ("attempt", "clock")}
        for line in RunFolder(out).metrics()
    ]


def outcome(out: Path) -> dict[str, Any]:
    """Return all that must be equal to the bit."""
    stopped = RunFolder(out).result["stopped"]  # type: ignore[index]
    weights = (out / "model" / "weights.safetensors").read_bytes()
    return last_checkpoint(out) | {"weights": weights, "curve": curve(out), "stopped": stopped}


def assert_equal(got: dict[str, Any], expected: dict[str, Any]) -> None:
    assert got.keys() == expected.keys()
    assert [name for name in got if got[name] != expected[name]] == []


def seen_rows(out: Path) -> list[list[int]]:
    """Return the rows of each epoch, of the attempts that count: a later one takes the place."""
    kept: list[dict[str, Any]] = []
    for line in map(json.loads, out.with_suffix(".rows").read_text().splitlines()):
        if kept and line["process"] != kept[-1]["process"]:
            kept = [old for old in kept if old["step"] < line["step"]]
        kept.append(line)
    assert [line["step"] for line in kept] == list(range(1, len(kept) + 1))
    rows: list[list[int]] = [[] for _ in range(EPOCHS)]
    for line in kept:
        rows[(line["step"] - 1) // STEPS_PER_EPOCH] += line["rows"]
    return rows


@pytest.fixture(scope="module")
def uninterrupted(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert forks.run("whole", out=out) == 0
    return out


@pytest.mark.parametrize(
    "kills",
    [
        [{"kill_at": 8}],
        [{"kill_at": 6}],
        [{"kill_at": 1}],
        [{"kill_at": 14}, {"kill_at": 16}],
        [{"kill_at": 9}, {"kill_at": 13}, {"kill_at": 25}],
        [{"kill_at": 3, "save_every": 60}],
        [{"in_save": 1}],
        [{"in_save": 3}],
        [{"in_save": 2}, {"kill_at": 20}],
    ],
    ids=[
        "mid-epoch",
        "at an epoch's end",
        "after the first step",
        "twice in one epoch",
        "three times",
        "before the first checkpoint",
        "in the first save",
        "in a later save",
        "in a save and later",
    ],
)
def test_a_killed_run_ends_equal_to_the_bit(
    forks: Forks, tmp_path: Path, uninterrupted: Path, kills: list[dict[str, Any]]
) -> None:
    out = tmp_path / "run"
    for number, kill in enumerate(kills):
        assert forks.run("whole", out=out, resume=number > 0, **kill) == -signal.SIGKILL
    assert forks.run("whole", out=out, resume=True) == 0
    assert_equal(outcome(out), outcome(uninterrupted))


def test_each_sample_is_seen_exactly_once_an_epoch_in_spite_of_kills(
    forks: Forks, tmp_path: Path, uninterrupted: Path
) -> None:
    out = tmp_path / "run"
    assert forks.run("whole", out=out, kill_at=8) == -signal.SIGKILL
    assert forks.run("whole", out=out, resume=True, kill_at=16) == -signal.SIGKILL
    assert forks.run("whole", out=out, resume=True) == 0
    epochs = seen_rows(out)
    assert all(len(rows) == len(set(rows)) for rows in epochs)
    assert len({frozenset(rows) for rows in epochs}) == 1
    assert epochs == seen_rows(uninterrupted)
    assert epochs[0] != epochs[1]


def test_two_fresh_runs_are_equal_to_the_bit(
    forks: Forks, tmp_path: Path, uninterrupted: Path
) -> None:
    assert forks.run("whole", out=tmp_path / "again") == 0
    assert_equal(outcome(tmp_path / "again"), outcome(uninterrupted))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_resumable_run_and_exits_130(
    forks: Forks, tmp_path: Path, uninterrupted: Path, number: int
) -> None:
    out = tmp_path / "run"
    assert forks.run("whole", out=out, kill_at=10, number=number, save_every=60) == 130
    assert max((out / "checkpoints").glob("step-*")).name == "step-000000010"
    assert forks.run("whole", out=out, resume=True) == 0
    assert_equal(outcome(out), outcome(uninterrupted))


def test_resuming_a_finished_run_changes_nothing(
    forks: Forks, tmp_path: Path, uninterrupted: Path
) -> None:
    out = tmp_path / "run"
    assert forks.run("whole", out=out) == 0
    assert forks.run("whole", out=out, resume=True) == 0
    assert_equal(outcome(out), outcome(uninterrupted))


@pytest.mark.parametrize("workers", [0, 2])
def test_random_augmentation_resumes_exactly(forks: Forks, tmp_path: Path, workers: int) -> None:
    whole, out = tmp_path / "whole", tmp_path / "run"
    assert forks.run("augmented", out=whole) == 0
    assert forks.run("augmented", out=out, workers=workers, kill_at=11) == -signal.SIGKILL
    assert forks.run("augmented", out=out, workers=workers, resume=True) == 0
    assert_equal(outcome(out), outcome(whole))


def test_ctrl_c_in_a_terminal_reaches_worker_processes_and_still_saves(
    forks: Forks, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    arguments = {"workers": 2, "group": True, "kill_at": 3, "number": signal.SIGINT}
    assert forks.run("augmented", out=out, **arguments) == 130
    assert forks.run("augmented", out=out, workers=2, resume=True) == 0


@pytest.mark.parametrize("step", [5, 8, 16, 18])
def test_a_loader_that_keeps_its_place_resumes_exactly(
    forks: Forks, tmp_path: Path, step: int
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "run"
    assert forks.run("stateful", out=whole) == 0
    assert forks.run("stateful", out=out, kill_at=step) == -signal.SIGKILL
    assert forks.run("stateful", out=out, resume=True) == 0
    assert_equal(outcome(out), outcome(whole))


def test_an_own_step_with_two_optimizers_and_a_scheduler_resumes_exactly(
    forks: Forks, tmp_path: Path
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "run"
    assert forks.run("adversarial", out=whole) == 0
    assert forks.run("adversarial", out=out, kill_at=17) == -signal.SIGKILL
    assert forks.run("adversarial", out=out, resume=True) == 0
    assert_equal(outcome(out), outcome(whole))
    assert "fooled" in curve(out)[-1]["values"]
    rates = [line["values"]["learning_rate_maker"] for line in curve(out)]
    assert rates[0] > rates[-1] > 0


def test_a_second_process_is_refused_while_the_first_works(
    forks: Forks, tmp_path: Path, uninterrupted: Path
) -> None:
    said = tmp_path / "said"
    assert forks.run("hold", out=uninterrupted, other=said) == 0
    assert "another process" in said.read_text()


def test_changed_options_and_threads_are_refused_with_every_difference_listed(
    forks: Forks, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert forks.run("whole", out=out, kill_at=8) == -signal.SIGKILL
    changed = {"lr": 0.02, "clip_norm": 2.0, "process_threads": 2}
    before = (out / "events.jsonl").read_bytes()
    assert forks.run("whole", out=out, resume=True, **changed) == 2
    said = out.with_suffix(".said").read_text()
    for difference in (
        "lr: was 0.01, is 0.02",
        "clip_norm: was 1.0, is 2.0",
        "threads: was 1, is 2",
    ):
        assert difference in said
    assert (out / "events.jsonl").read_bytes() == before


def test_changed_threads_go_on_when_asked_and_are_labelled_not_exact(
    forks: Forks, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert forks.run("whole", out=out, kill_at=8) == -signal.SIGKILL
    assert forks.run("whole", out=out, resume=True, process_threads=2) == 2
    arguments = {"process_threads": 2, "not_exact": True}
    assert forks.run("whole", out=out, resume=True, **arguments) == 0
    assert any("not exact: threads: was 1, is 2" in e["sentence"] for e in RunFolder(out).events())


def test_changed_code_is_refused(forks: Forks, tmp_path: Path) -> None:
    out, file = tmp_path / "run", forks.place / "treadle" / "contracts.py"
    assert forks.run("whole", out=out, kill_at=8) == -signal.SIGKILL
    text = file.read_text()
    file.write_text(text + "# changed\n")
    try:
        assert forks.run("whole", out=out, resume=True) == 2
    finally:
        file.write_text(text)
    assert "code: was" in out.with_suffix(".said").read_text()
    assert forks.run("whole", out=out, resume=True) == 0
