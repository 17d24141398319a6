"""`treadle.fit(module, "big.parquet")`: trained in pieces, resumed to the bit, refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import treadle
from tests.data.parquet import write
from treadle.data import own_files
from treadle.errors import DataError, OptionError, RunError

ROWS = 400


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """400 rows of which memory="8 KB" holds but a part: y = a − 2b."""
    monkeypatch.setattr(own_files, "_RESERVE_BYTES", 1_000)
    cells = np.random.default_rng(0).standard_normal((2, ROWS)).astype(np.float32)
    columns = {"a": cells[0], "b": cells[1], "y": cells[0] - 2 * cells[1]}
    return write(tmp_path / "rows.parquet", columns, group_rows=20)


def a_fit(data: Any, out: Path, **options: Any) -> treadle.Run:
    torch.manual_seed(5)
    module = nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 1))
    asked = {
        "target": ["y"],
        "loss": "mean_squared_error",
        "memory": "4 KB",
        "batch_size": 16,
        "lr": 0.02,
        "until": "4 epochs",
        "out": out,
    }
    return treadle.fit(module, data, **asked | options)


def weights(run: treadle.Run) -> list[list[float]]:
    return [parameter.flatten().tolist() for parameter in run.module.parameters()]


def test_a_file_larger_than_its_memory_trains_a_module(data: Path, tmp_path: Path) -> None:
    run = a_fit(data, tmp_path / "run", until="12 epochs")
    assert run.result["rows"]["train"] + run.result["rows"]["validation"] == ROWS
    assert run.metrics[-1]["values"]["loss"] < 0.05
    said = " ".join(line.get("sentence", "") for line in run.journal)
    assert "is read anew each epoch" in said and "were set aside for validation" in said


class Killed(Exception):
    pass


@pytest.mark.parametrize("step", [1, 13, 22, 43])
def test_going_on_comes_to_the_same_weights(data: Path, tmp_path: Path, step: int) -> None:
    whole = a_fit(data, tmp_path / "whole")

    def kill(state: Any) -> None:
        if state.step == step:
            raise Killed

    with pytest.raises(Killed):
        a_fit(data, tmp_path / "run", watchers=[kill], save_every_seconds=1e-9)
    resumed = a_fit(data, tmp_path / "run", resume=True)
    assert weights(resumed) == weights(whole)
    assert resumed.metrics[-1]["values"] == whole.metrics[-1]["values"]


def test_another_memory_is_another_order_and_no_resume(data: Path, tmp_path: Path) -> None:
    a_fit(data, tmp_path / "run", until="1 epoch")
    with pytest.raises(RunError):
        a_fit(data, tmp_path / "run", until="1 epoch", resume=True, memory="6 KB")


def test_validation_may_be_a_file_or_tensors(data: Path, tmp_path: Path) -> None:
    cells = torch.randn(10, 2)
    tensors = cells, cells @ torch.tensor([[1.0], [-2.0]])
    for number, validation in enumerate((data, [data, data], tensors, None)):
        run = a_fit(data, tmp_path / str(number), validation=validation, until="1 epoch")
        expected = {0: ROWS, 1: 2 * ROWS, 2: 10, 3: 0}[number]
        assert run.result["rows"] == {"train": ROWS, "validation": expected, "test": 0}


def test_options_of_files_are_refused_for_data_in_memory(data: Path, tmp_path: Path) -> None:
    tensors = torch.randn(40, 2), torch.randn(40, 1)
    with pytest.raises(OptionError) as raised:
        a_fit(tensors, tmp_path / "run", validation=str(data))
    told = raised.value.message
    assert "target was given" in told and "memory was given" in told and "validation is" in told


def test_files_that_are_not_parquet_are_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,y\n1,2\n")
    with pytest.raises(DataError, match="no Parquet file by its ending"):
        a_fit(tmp_path / "rows.csv", tmp_path / "run")


def test_a_file_without_the_target_can_be_predicted(data: Path, tmp_path: Path) -> None:
    run = a_fit(data, tmp_path / "run", until="1 epoch")
    new = write(tmp_path / "new.parquet", {"a": np.zeros(33), "b": np.ones(33)})
    assert run.predict(new).shape == (33, 1)
