"""Out of memory: the batch is sliced by decision, and the run is one with that decision."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import treadle
from tests.faults.test_training_numbers import last
from treadle.api.log import _turning
from treadle.errors import MemoryFullError
from treadle.folder import RunFolder

ROWS, BATCH, AT_STEP = 160, 16, 8
Refusal = Callable[[], BaseException]
REFUSALS: dict[str, Refusal] = {
    "cpu": lambda: RuntimeError(
        "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: "
        "you tried to allocate 9 bytes. Error code 12 (Cannot allocate memory)"
    ),
    "gpu": lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    "python": MemoryError,
}


class Narrow(nn.Module):
    """Half-way through its forward pass, from a step on, it finds memory for so many rows only."""

    def __init__(self, most_rows: int, refusal: Refusal, *, evaluating: bool = False) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.3))
        self.second = nn.Linear(8, 1)
        self.limit = most_rows, refusal, evaluating

    def forward(self, x_BF: Tensor) -> Tensor:
        if len(x_BF) == 1:  # of which batch normalisation has no variance
            raise self.limit[1]()
        hidden_BH = self.first(x_BF)
        treadle.log("norm", hidden_BH.detach().norm())
        state = _turning.get()
        most_rows, refusal, evaluating = self.limit
        late = state.step + 1 >= AT_STEP if state else evaluating
        if late and len(x_BF) > most_rows:
            raise refusal()
        return self.second(hidden_BH)


def fit(out: Path, most_rows: int, refusal: Refusal = REFUSALS["cpu"], **options: Any) -> None:
    x_NF = torch.randn(ROWS, 4, generator=torch.Generator().manual_seed(1))
    data = x_NF, x_NF.sum(1, keepdim=True)
    evaluating = options.pop("evaluating", False)
    treadle.fit(
        Narrow(most_rows, refusal, evaluating=evaluating),
        data,
        loss="mean_squared_error",
        validation=data if evaluating else None,
        batch_size=BATCH,
        until="3 epochs",
        engine="eager",
        validate_every=5,
        out=out,
        **{"save_every_seconds": 1e-9} | options,
    )


def decisions(out: Path) -> list[tuple[int, int]]:
    return [(e["step"], e["value"]) for e in RunFolder(out).events() if e["topic"] == "slices"]


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
@pytest.mark.parametrize(
    ("most_rows", "decided"), [(8, [(8, 8)]), (4, [(8, 8), (8, 4)])], ids=["once", "twice"]
)
def test_the_run_is_one_with_that_decision_from_the_start_of_that_step(
    tmp_path: Path, refusal: Refusal, most_rows: int, decided: list[tuple[int, int]]
) -> None:
    fit(tmp_path / "run", most_rows, refusal)
    assert decisions(tmp_path / "run") == decided
    # the same journal, and memory enough: what was decided is replayed, and nothing else happens
    (tmp_path / "replayed").mkdir()
    for name in ("config.json", "plan.json", "events.jsonl"):
        shutil.copy(tmp_path / "run" / name, tmp_path / "replayed")
    fit(tmp_path / "replayed", 10**6, resume=True)
    assert last(tmp_path / "replayed") == last(tmp_path / "run")
    assert decisions(tmp_path / "replayed") == decided
    fit(tmp_path / "roomy", 10**6)
    assert last(tmp_path / "roomy")[0] != last(tmp_path / "run")[0]


class Stop(Exception):
    pass


@pytest.mark.parametrize("at", [AT_STEP - 1, AT_STEP, AT_STEP + 5])
@pytest.mark.parametrize("save_every", [1e-9, 60.0], ids=["saved each step", "never saved"])
def test_killed_and_resumed_with_memory_enough_the_end_is_the_same(
    tmp_path: Path, at: int, save_every: float
) -> None:
    def stop(state: Any) -> None:
        if state.step == at:
            raise Stop

    fit(tmp_path / "whole", 8)
    with pytest.raises(Stop):
        fit(tmp_path / "run", 8, watchers=[stop], save_every_seconds=save_every)
    fit(tmp_path / "run", 10**6 if at >= AT_STEP else 8, resume=True, save_every_seconds=save_every)
    assert last(tmp_path / "run") == last(tmp_path / "whole")


def test_less_memory_after_a_resume_slices_further(tmp_path: Path) -> None:
    def stop(state: Any) -> None:
        if state.step == AT_STEP + 5:
            raise Stop

    with pytest.raises(Stop):
        fit(tmp_path / "run", 8, watchers=[stop], save_every_seconds=60.0)
    fit(tmp_path / "run", 4, resume=True)
    assert decisions(tmp_path / "run") == [(8, 8), (8, 4)]


def test_where_not_even_a_row_fits_it_stops_and_can_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(MemoryFullError, match="not enough memory even for a single row"):
        fit(tmp_path / "run", 0, REFUSALS["cpu"])
    stop = RunFolder(tmp_path / "run").events()[-1]
    assert (stop["topic"], stop["saw"]["reason"]) == ("stop", "memory")
    assert RunFolder(tmp_path / "run").checkpoints()
    with pytest.raises(MemoryFullError):
        fit(tmp_path / "run", 0, resume=True)


def test_memory_that_ends_in_a_validation_stops_with_plain_words(tmp_path: Path) -> None:
    with pytest.raises(MemoryFullError, match="not enough memory to go on"):
        fit(tmp_path / "run", 8, evaluating=True)
    assert RunFolder(tmp_path / "run").checkpoints()


def test_another_error_is_no_lack_of_memory(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        fit(tmp_path / "run", 8, lambda: RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert decisions(tmp_path / "run") == []
