"""A DataLoader's worker that hangs or dies: an error that names the sample, within its time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset, SequentialSampler

import treadle
from treadle.api.module_options import ModuleOptions
from treadle.data.own import as_source
from treadle.errors import DataError, OptionError
from treadle.folder import RunFolder

# where a worker dies, torch's signal handler breaks off whatever is being opened at that moment
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
ROW, ROWS, BATCH = 13, 24, 4


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let torch not wait five seconds for each worker that is to end."""
    monkeypatch.setattr("torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL", 0.2)


class Spoilt(Dataset[tuple[Tensor, Tensor]]):
    """Samples of which one makes its worker hang or die, once it is said to."""

    def __init__(self, how: str) -> None:
        self.how = how

    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        if row == ROW and self.how == "hangs":
            time.sleep(600)
        if row == ROW and self.how == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if row == ROW and self.how == "exits":
            os._exit(3)
        return torch.ones(2) * row, torch.zeros(1)


def fit(out: Path, loader: Any, **options: Any) -> None:
    treadle.fit(
        nn.Linear(2, 1),
        loader,
        loss="mean_squared_error",
        validation=None,
        until="2 epochs",
        engine="eager",
        lr=1e-4,
        out=out,
        **{"worker_timeout_seconds": 1.0, "save_every_seconds": 1e-9} | options,
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_hangs_is_told_by_its_sample(tmp_path: Path, workers: int) -> None:
    loader = DataLoader(Spoilt("hangs"), batch_size=BATCH, num_workers=workers)
    with pytest.raises(DataError, match=r"did not come within 1 seconds") as raised:
        fit(tmp_path / "run", loader)
    assert f"at row {ROW} of the Dataset" in raised.value.message
    assert "batch 4 of epoch 1" in raised.value.message


@pytest.mark.parametrize("how", ["dies", "exits"])
def test_a_worker_that_dies_is_told_by_its_sample(tmp_path: Path, how: str) -> None:
    loader = DataLoader(Spoilt(how), batch_size=BATCH, num_workers=1)
    with pytest.raises(DataError, match=r"died while batch \d of epoch 1 was waited for") as raised:
        fit(tmp_path / "run", loader, worker_timeout_seconds=60.0)
    assert f"at row {ROW} of the Dataset" in raised.value.message


def test_what_was_trained_before_is_saved_and_goes_on_once_the_sample_is_mended(
    tmp_path: Path,
) -> None:
    def saved(state: Any) -> None:
        while state.step == 2 and not RunFolder(tmp_path / "run").checkpoints():
            time.sleep(0.01)

    loader = DataLoader(Spoilt("hangs"), batch_size=BATCH, num_workers=1)
    with pytest.raises(DataError):
        fit(tmp_path / "run", loader, watchers=[saved])
    fit(tmp_path / "run", DataLoader(Spoilt("no"), batch_size=BATCH, num_workers=1), resume=True)
    assert treadle.load(tmp_path / "run", module=nn.Linear(2, 1)).result["stopped"]["step"] == 12


def test_of_a_sampler_of_its_own_the_batch_is_named(tmp_path: Path) -> None:
    class Backwards(SequentialSampler):
        def __iter__(self) -> Iterator[int]:
            return iter(reversed(range(ROWS)))

    dataset = Spoilt("hangs")
    batches = BatchSampler(Backwards(dataset), BATCH, drop_last=False)
    loader = DataLoader(dataset, batch_sampler=batches, num_workers=1)
    with pytest.raises(DataError, match=r"batch 3 of epoch 1 did not come within 1 seconds"):
        fit(tmp_path / "run", loader)


def test_of_a_stream_the_batch_is_named(tmp_path: Path) -> None:
    class Stream(IterableDataset[tuple[Tensor, Tensor]]):
        def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
            return (Spoilt("hangs")[row] for row in range(ROWS))

    loader = DataLoader(Stream(), batch_size=BATCH, num_workers=1)
    with pytest.raises(DataError, match=r"batch 4 of epoch 1 did not come within 1 seconds"):
        fit(tmp_path / "run", loader)


def test_a_loaders_own_patience_is_kept() -> None:
    loader = DataLoader(Spoilt("no"), batch_size=BATCH, num_workers=1, timeout=7)
    device, sizes = torch.device("cpu"), {"batch_size": BATCH, "seed": 0}
    source, _ = as_source(loader, device=device, worker_timeout_seconds=2.0, **sizes)
    assert source.loading["timeout"] == 7  # type: ignore[union-attr]
    patient, _ = as_source(
        DataLoader(Spoilt("no"), batch_size=BATCH, num_workers=1), device=device, **sizes
    )
    assert patient.loading["timeout"] == 300  # type: ignore[union-attr]


def test_no_patience_at_all_is_refused() -> None:
    with pytest.raises(OptionError, match="worker_timeout_seconds is 0"):
        ModuleOptions.of({"worker_timeout_seconds": 0})
