"""A run folder is read and written whole, and one process at a time works on it."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from treadle.errors import RunError, SaveError
from treadle.folder import RunFolder, find_runs, finite, latest_attempts, read_lines


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return make_run(tmp_path / "loans")


def make_run(path: Path) -> RunFolder:
    run = RunFolder.create(path)
    run.write_json("config.json", {"format": 1, "kind": "table", "options": {}})
    return run


def test_reads_back_what_was_written(run: RunFolder) -> None:
    run.write_json("plan.json", {"task": "number", "unit": "€"})
    assert run.plan == {"task": "number", "unit": "€"}
    assert run.format == 1 and run.name == "loans"


def test_absent_files_are_none(run: RunFolder) -> None:
    assert run.result is None and run.findings is None and run.data is None
    assert run.events() == [] and run.metrics() == [] and run.members() == []


def test_non_finite_numbers_become_null_and_arrays_lists(run: RunFolder) -> None:
    run.write_json("result.json", {"a": math.nan, "b": [math.inf, 1.0], "c": np.float32(0.5)})
    assert run.result == {"a": None, "b": [None, 1.0], "c": 0.5}
    assert finite({"x": np.array([[1, 2]]), "y": np.float64("nan"), "z": True}) == {
        "x": [[1, 2]],
        "y": None,
        "z": True,
    }


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(run: RunFolder) -> None:
    run.write_json("plan.json", {"task": "number"})
    with pytest.raises(TypeError):
        run.write_json("plan.json", {"task": object()})
    (run.path / "folder.json").mkdir()
    with pytest.raises(SaveError, match=r"folder\.json could not be written"):
        run.write_json("folder.json", {})
    assert run.plan == {"task": "number"}
    assert not list(run.path.glob(".*"))


@pytest.mark.parametrize("text", ["", "[1, 2]", '{"format": 1', "\xff"])
def test_a_broken_file_is_named(run: RunFolder, text: str) -> None:
    (run.path / "plan.json").write_text(text, encoding="latin-1")
    with pytest.raises(RunError, match=r"plan\.json"):
        _ = run.plan


def test_says_that_there_is_no_run_and_names_a_neighbour(run: RunFolder) -> None:
    with pytest.raises(RunError, match="there is no run at") as caught:
        RunFolder.open(run.path.parent / "loanz")
    assert "did you mean 'loans'?" in caught.value.hint


def test_a_folder_of_runs_is_no_run_but_says_what_is_inside(run: RunFolder) -> None:
    with pytest.raises(RunError, match=r"a folder without a config\.json") as caught:
        RunFolder.open(run.path.parent)
    assert "loans" in caught.value.hint


def test_a_file_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a,b")
    with pytest.raises(RunError, match="there is no run at"):
        RunFolder.open(tmp_path / "data.csv")


def test_a_newer_format_is_refused(run: RunFolder) -> None:
    run.write_json("config.json", {"format": 2})
    with pytest.raises(RunError, match="has format 2; this Treadle reads formats up to 1"):
        RunFolder.open(run.path)


def test_a_run_without_a_format_is_refused(run: RunFolder) -> None:
    run.write_json("config.json", {"kind": "table"})
    with pytest.raises(RunError, match="no format number"):
        RunFolder.open(run.path)


def test_a_torn_last_line_is_passed_over(run: RunFolder) -> None:
    (run.path / "events.jsonl").write_bytes(b'{"step": 1}\n[3]\nnull\n{"step": 2, "to')
    assert run.events() == [{"step": 1}]


def test_the_later_attempt_holds_where_two_speak_of_a_step(run: RunFolder) -> None:
    points = [(1, 10), (1, 20), (1, 30), (2, 20), (2, 30), (2, 40)]
    lines = [{"attempt": attempt, "step": step, "values": {}} for attempt, step in points]
    text = "\n".join(map(json.dumps, lines))
    (run.path / "metrics.jsonl").write_text(text + '\n{"step": "x"}\n')
    kept = [(point["attempt"], point["step"]) for point in run.metrics()]
    assert kept == [(1, 10), (2, 20), (2, 30), (2, 40)]
    assert latest_attempts(read_lines(run.path / "absent.jsonl")) == []


def test_members_are_whole_runs(run: RunFolder) -> None:
    make_run(run.path / "members" / "trees")
    (run.path / "members" / "half").mkdir()
    assert [member.name for member in run.members()] == ["trees"]


def test_only_finished_checkpoints_are_listed(run: RunFolder) -> None:
    for name in ("step-000000020", "step-000000010", "step-000000030"):
        (run.path / "checkpoints" / name).mkdir(parents=True)
    for name in ("step-000000020", "step-000000010"):
        (run.path / "checkpoints" / name / "MANIFEST.json").write_text("{}")
    assert [place.name[-2:] for place in run.checkpoints()] == ["10", "20"]


def test_finds_runs_below_a_folder_but_not_their_members(run: RunFolder, tmp_path: Path) -> None:
    make_run(run.path / "members" / "trees")
    make_run(tmp_path / "year" / "june")
    make_run(tmp_path / ".hidden" / "x")
    assert [found.name for found in find_runs(tmp_path)] == ["loans", "june"]
    assert [found.name for found in find_runs(run.path)] == ["loans"]
    with pytest.raises(RunError, match="there is no folder"):
        find_runs(tmp_path / "absent")


def hold_until_killed(path: Path, taken: multiprocessing.synchronize.Event) -> None:
    with RunFolder(path).lock():
        taken.set()
        time.sleep(60)


@contextmanager
def another_process_holds(run: RunFolder) -> Iterator[int]:
    context = multiprocessing.get_context("spawn")
    taken = context.Event()
    process = context.Process(target=hold_until_killed, args=(run.path, taken))
    process.start()
    assert taken.wait(30) and process.pid
    try:
        yield process.pid
    finally:
        process.kill()
        process.join()


def test_a_second_process_is_refused_and_told_who_holds_the_run(run: RunFolder) -> None:
    with (
        another_process_holds(run) as number,
        pytest.raises(RunError, match=rf"another process \(number {number}\)"),
        run.lock(),
    ):
        pass


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
def test_a_killed_process_lets_go_of_the_lock(run: RunFolder) -> None:
    with another_process_holds(run) as number:
        os.kill(number, signal.SIGKILL)
        for _ in range(10):  # each try is patient for half a second
            try:
                with run.lock():
                    return
            except RunError:
                continue
    pytest.fail("the lock outlived its process")


def test_the_lock_is_free_again_afterwards(run: RunFolder) -> None:
    with run.lock(), pytest.raises(RunError), run.lock():
        pass
    with run.lock():
        assert (run.path / "lock").read_text() == str(os.getpid())
