"""Clocks that jump, a disk that is full for the journal, and folders of a thousand runs."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import treadle
from tests.faults.test_training_numbers import last
from treadle.errors import SaveError
from treadle.folder import RunFolder, read_lines
from treadle.loop.journal import Journal
from treadle.report.words import runs_table

SOURCE = Path(treadle.__file__).parent


def tensors() -> tuple[Tensor, Tensor]:
    x_NF = torch.randn(80, 2, generator=torch.Generator().manual_seed(1))
    return x_NF, x_NF.sum(1, keepdim=True)


def fit(out: Path, **options: Any) -> None:
    torch.manual_seed(0)
    treadle.fit(
        nn.Linear(2, 1),
        tensors(),
        loss="mean_squared_error",
        validation=None,
        batch_size=8,
        engine="eager",
        out=out,
        **{"save_every_seconds": 1e-9, "until": "6 epochs or 5 minutes"} | options,
    )


@pytest.mark.parametrize("hours", [-30.0, 30.0])
def test_a_wall_clock_that_jumps_moves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    """Budgets, saves and looks go by a clock that only runs on; a suspended machine's stands."""
    fit(tmp_path / "whole")
    real, calls = time.time, [0]

    def jumping() -> float:
        calls[0] += 1
        return real() + (hours * 3_600 if calls[0] % 2 else 0)

    monkeypatch.setattr(time, "time", jumping)
    fit(tmp_path / "run")
    assert last(tmp_path / "run") == last(tmp_path / "whole")
    (stop,) = (e for e in RunFolder(tmp_path / "run").events() if e["topic"] == "stop")
    assert stop["saw"]["reason"] == "epochs"


def test_no_decision_can_see_the_wall_clock() -> None:
    """Where the time of day is read it is for people, or for a folder's name."""
    allowed = {"loop/journal.py", "api/start.py", "api/collect.py"}
    readers = {
        file.relative_to(SOURCE).as_posix()
        for house in ("loop", "watch", "models", "api")
        for file in (SOURCE / house).rglob("*.py")
        if re.search(r"time\.time\(|datetime\.now\(|\.utcnow\(", file.read_text())
    }
    assert readers <= allowed


@contextmanager
def files_of_at_most(num_bytes: int) -> Iterator[None]:
    """Let the kernel refuse to make any file larger, in this process: a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("room", [0, 1, 40])
def test_a_line_that_finds_no_room_leaves_no_half_and_says_so(tmp_path: Path, room: int) -> None:
    journal = Journal(tmp_path)
    journal.say("data", "there are ten rows.")
    before = (tmp_path / "events.jsonl").read_bytes()
    with (
        files_of_at_most(len(before) + room),
        pytest.raises(SaveError, match=r"events\.jsonl could not be written") as raised,
    ):
        journal.say("data", "there are eleven rows.")
    assert (tmp_path / "events.jsonl").read_bytes() == before
    assert "resume" in raised.value.hint
    journal.say("data", "there is room again.")
    assert len(list(read_lines(tmp_path / "events.jsonl"))) == 2


@pytest.mark.parametrize("name", ["metrics.jsonl", "events.jsonl"])
def test_a_run_whose_journal_finds_no_room_ends_in_one_error_and_goes_on_later(
    tmp_path: Path, name: str
) -> None:
    fit(tmp_path / "whole", validate_every=2)

    def full(state: Any) -> None:
        if state.step == 30:
            grown = (tmp_path / "run" / name).read_bytes()
            (tmp_path / "run" / name).unlink()
            (tmp_path / "run" / name).symlink_to("/dev/full")
            (tmp_path / "kept").write_bytes(grown)
            if name == "events.jsonl":
                state.totals.non_finite.add_(1)  # which is said in a line, at step 100 or the end

    with pytest.raises(SaveError, match=f"{name} could not be written: .*No space left"):
        fit(tmp_path / "run", validate_every=2, watchers=[full])
    (tmp_path / "run" / name).unlink()
    shutil.copy(tmp_path / "kept", tmp_path / "run" / name)
    if name == "metrics.jsonl":
        fit(tmp_path / "run", validate_every=2, resume=True)
        assert last(tmp_path / "run") == last(tmp_path / "whole")


def test_a_thousand_runs_are_listed_right_and_each_file_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(tmp_path / "runs" / "0000", until="1 epochs")
    small = ("config.json", "plan.json", "result.json", "events.jsonl")
    for number in range(1, 1_000):
        run = tmp_path / "runs" / f"{number:04}"
        run.mkdir()
        for name in small[: 4 if number % 3 else 2]:  # every third was killed at once
            os.link(tmp_path / "runs" / "0000" / name, run / name)
        if number % 3 == 0:
            line = {"time": f"2030-01-01T00:{number // 60:02}:{number % 60:02}+00:00", "attempt": 1}
            (run / "events.jsonl").write_text(json.dumps(line | {"topic": "start"}) + "\n")
    opened = [0]
    real = Path.read_bytes

    def counted(path: Path) -> bytes:
        opened[0] += 1
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    rows = runs_table(tmp_path / "runs")
    assert len(rows) == 1_000
    assert [row["started"] for row in rows] == sorted((r["started"] for r in rows), reverse=True)
    states = [row["state"] for row in rows]
    assert (states.count("unfinished"), states.count("finished")) == (333, 667)
    assert opened[0] <= 12 * 1_000  # a dozen small files a run, whatever the number of runs
