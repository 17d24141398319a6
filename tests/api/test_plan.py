"""What is said before training starts: how much it is, and whether it fits."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

import treadle
from treadle.api import plan
from treadle.loop.adamw import AdamW
from treadle.loop.state import TrainState


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def fitted(folder: Path, **options: Any) -> treadle.Run:
    torch.manual_seed(0)
    x = torch.randn(80, 4)
    data = (x, x.sum(1, keepdim=True))
    return treadle.fit(
        nn.Linear(4, 1),
        data,
        loss="mean_squared_error",
        lr=0.01,
        engine="eager",
        threads=1,
        out=folder / "run",
        **options,
    )


def said(run: treadle.Run) -> dict[str, Any]:
    return next(line for line in run.journal if line["topic"] == "plan")


def test_says_rows_steps_weights_and_that_it_fits(tmp_path: Path) -> None:
    line = said(fitted(tmp_path, until="3 epochs", batch_size=8))
    rows = line["saw"]["rows"]
    steps = 3 * -(-rows // 8)
    assert (
        f"{rows} rows to learn from, at most {steps} steps (3 epochs), 5 weights"
        in (line["sentence"])
    )
    assert "this fits here" in line["sentence"]
    assert line["saw"]["fits"] is True
    assert line["saw"]["memory_bytes"] > 0


def test_says_where_a_disk_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(100, 0, 100))
    line = said(fitted(tmp_path, until="1 epoch"))
    assert "this may not fit here" in line["sentence"]
    assert line["saw"]["fits"] is False


def test_counts_what_the_optimizer_keeps() -> None:
    model = nn.Linear(1_000, 1_000, bias=False)
    optimizer = AdamW(model.parameters(), lr=0.1)
    state = TrainState(model=model, optimizers={"main": optimizer})
    (parameter,) = model.parameters()
    optimizer.state[parameter] = {"exp_avg": torch.zeros_like(parameter)}
    need = plan.need_of(state, 2)
    assert need.parameters == 1_000_000
    checkpoint = 3 * 4_000_000
    assert need.disk == 4 * checkpoint
    assert need.memory == 2 * 4_000_000 + checkpoint


@pytest.mark.parametrize(
    ("count", "words"),
    [(1, "1 MB"), (3_200_000, "4 MB"), (20_500_000_000, "20.5 GB"), (None, "unknown")],
)
def test_sizes_are_told_in_words(count: int | None, words: str) -> None:
    assert plan.size(count) == words


def test_a_machine_that_does_not_say_its_memory_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "free_memory", lambda: None)
    assert "of disk are free" in said(fitted(tmp_path, until="1 epoch"))["sentence"]
