"""Ctrl-C and SIGTERM in the middle of a fit: exit 130, and a run that goes on where it stood."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import small
from tests.cli.conftest import Treadle

PATIENCE_SECONDS = 120
FIT = ("fit", "customers.csv", "--target", "left", "--model", "neural", "--until", "4 epochs")
FIT += ("--threads", "1", "--batch-size", "32")


@pytest.fixture
def customers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small.customers(rows=4_000).write_csv("customers.csv")


def begun(run: Path, process: subprocess.Popen[str]) -> None:
    """Wait until the first validation of a run has been written down."""
    curves, patience_ends = run / "metrics.jsonl", time.monotonic() + PATIENCE_SECONDS
    while not (curves.exists() and curves.read_text().count("\n")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < patience_ends
        time.sleep(0.01)


@pytest.mark.usefixtures("customers")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_fit_that_is_stopped_goes_on_to_the_same_end(
    treadle: Treadle, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "treadle.cli.main", *FIT, "--out", "stopped", "--json"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    begun(Path("stopped"), process)
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, err
    assert "treadle resume stopped" in err and "Traceback" not in err
    assert json.loads(out)["exit_code"] == 130
    assert not Path("stopped/result.json").exists()

    gone_on = treadle("resume", "stopped", "--json")
    assert gone_on.exit_code == 0 and "goes on from the checkpoint" in gone_on.err, gone_on.err
    whole = treadle(*FIT, "--out", "whole", "--json")
    assert gone_on.json["metrics"] == whole.json["metrics"]
    for name in ("neural", "scaler"):
        weights = (Path(run, "model", f"{name}.safetensors") for run in ("stopped", "whole"))
        assert len({file.read_bytes() for file in weights}) == 1


@pytest.mark.usefixtures("customers")
def test_a_fit_that_is_stopped_while_reading_leaves_nothing(
    treadle: Treadle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("treadle.data.read.read_tables", stopped)
    monkeypatch.setattr("treadle.api.table_data.read_tables", stopped)
    said = treadle(*FIT, "--out", "run", "--json")
    assert said.exit_code == 130 and said.err.startswith("stopped: ")
    assert said.json["exit_code"] == 130 and not Path("run").exists()
