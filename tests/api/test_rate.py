"""A training that was given no learning rate finds one, and leaves no other trace of it."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import treadle
from treadle.contracts import Json
from treadle.errors import Interrupted


def network() -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Dropout(0.1), nn.Linear(24, 1))


def table(rows: int = 600) -> tuple[Tensor, Tensor]:
    x = torch.randn(rows, 6, generator=torch.Generator().manual_seed(2))
    return x, x[:, :1] * x[:, 1:2] + x[:, 2:3]


def fit(out: Path, data: Any = None, **options: Any) -> treadle.Run:
    usual = {
        "loss": "mean_squared_error",
        "until": "12 epochs",
        "batch_size": 32,
        "engine": "eager",
    }
    return treadle.fit(
        network(), table() if data is None else data, out=out, **{**usual, **options}
    )


def said(run: treadle.Run) -> list[Json]:
    return [line for line in run.journal if line["topic"] == "rate"]


def weights(run: treadle.Run) -> list[Tensor]:
    return [tensor.detach() for tensor in run.module.state_dict().values()]


def test_what_is_trained_is_the_run_that_was_given_the_rate_found(tmp_path: Path) -> None:
    found = fit(tmp_path / "found")
    (line,) = said(found)
    given = fit(tmp_path / "given", lr=line["saw"]["rate"], schedule="held")
    assert said(given) == []
    assert all(torch.equal(*pair) for pair in zip(weights(found), weights(given), strict=True))
    assert [point["values"] for point in found.metrics] == [
        point["values"] for point in given.metrics
    ]


def test_it_is_better_than_a_rate_that_is_far_off(tmp_path: Path) -> None:
    found, low = (
        fit(tmp_path / str(rate), lr=rate).result["metric"]["validation"] for rate in ("auto", 1e-5)
    )
    assert found < 0.5 * low


def test_the_journal_tells_every_rate_that_was_tried(tmp_path: Path) -> None:
    (line,) = said(fit(tmp_path / "run"))
    assert line["value"] * 1e-3 == pytest.approx(line["saw"]["rate"])
    assert all(steps >= 20 for _, steps, _ in line["saw"]["tried"])
    assert "tried and undone" in line["sentence"]


def test_an_optimizer_of_the_users_keeps_its_rates_unless_asked(tmp_path: Path) -> None:
    def made(parameters: Any) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, lr=1e-4)

    assert said(fit(tmp_path / "own", optimizer=made)) == []
    (line,) = said(fit(tmp_path / "asked", optimizer=made, lr="auto"))
    assert line["value"] > 10


def test_a_stream_is_trained_on_at_the_usual_rate(tmp_path: Path) -> None:
    class Stream(IterableDataset[tuple[Tensor, Tensor]]):
        def __iter__(self) -> Any:
            return iter(zip(*table(200), strict=True))

    run = fit(tmp_path / "run", DataLoader(Stream(), batch_size=20), until="30 steps")
    (line,) = said(run)
    assert "a stream" in line["sentence"]
    assert "0.001" in line["sentence"]


def test_a_loaders_own_generator_stands_where_it_stood(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(4)
    loader = DataLoader(TensorDataset(*table(320)), 32, shuffle=True, generator=generator)
    found = fit(tmp_path / "found", loader, until="3 epochs")
    generator.manual_seed(4)
    rate = said(found)[0]["saw"]["rate"]
    given = fit(tmp_path / "given", loader, until="3 epochs", lr=rate, schedule="held")
    assert all(torch.equal(*pair) for pair in zip(weights(found), weights(given), strict=True))


def test_a_signal_in_the_search_decides_nothing(tmp_path: Path) -> None:
    whole = fit(tmp_path / "whole")
    steps: list[int] = []

    def loss(output: Tensor, target: Tensor) -> Tensor:
        steps.append(len(steps))
        if len(steps) == 50:
            os.kill(os.getpid(), signal.SIGTERM)
        return nn.functional.mse_loss(output, target)

    with pytest.raises(Interrupted, match="step 0"):
        fit(tmp_path / "run", loss=loss)
    resumed = fit(tmp_path / "run", loss=loss, resume=True)
    assert said(resumed) != []
    assert len(steps) > 50
    assert all(torch.equal(*pair) for pair in zip(weights(resumed), weights(whole), strict=True))


def test_a_decision_that_was_made_is_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def loss(output: Tensor, target: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == 1_000:  # after the search, before the first checkpoint
            raise KeyError("a bug of the user's")
        return nn.functional.mse_loss(output, target)

    with pytest.raises(KeyError):
        fit(tmp_path / "run", loss=loss, until="100 epochs")
    monkeypatch.setattr("treadle.study.rate_search.find_rate", None)  # nobody calls it again
    resumed = fit(tmp_path / "run", loss=loss, until="100 epochs", resume=True)
    assert len(said(resumed)) == 1
    rates = [point["values"]["learning_rate"] for point in resumed.metrics]
    assert max(rates) == pytest.approx(said(resumed)[0]["saw"]["rate"])


def test_a_rate_runs_out_at_the_end_unless_its_schedule_was_named(tmp_path: Path) -> None:
    def rates(**options: Any) -> list[float]:
        run = fit(tmp_path / "run", overwrite=True, until="30 epochs", **options)
        return [point["values"]["learning_rate"] for point in run.metrics]

    held = rates()
    assert len(set(held[2:23])) == 1
    assert held[-1] < 0.1 * held[10]
    given = rates(lr=0.003)
    assert set(given[2:23]) == {0.003}
    assert given[-1] < 0.1 * 0.003
    assert len(set(rates(schedule="constant"))) == 1


def test_a_budget_of_minutes_is_not_spent_on_the_search(tmp_path: Path) -> None:
    run = fit(tmp_path / "run", until="2 seconds")
    (line,) = said(run)
    assert line["saw"]["seconds"] < 1.5
    assert run.result["stopped"]["step"] > line["saw"]["steps"] / 2


def test_of_a_long_training_the_search_takes_a_small_part(tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    def stop(state: Any) -> None:
        raise Enough

    steps: list[int] = []

    def loss(output: Tensor, target: Tensor) -> Tensor:
        steps.append(1)
        return nn.functional.mse_loss(output, target)

    with pytest.raises(Enough):
        fit(tmp_path / "run", loss=loss, until="1000000 steps", watchers=[stop])
    assert len(steps) < 6_000
