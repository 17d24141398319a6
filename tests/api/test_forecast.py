"""Forecasts and the loop's own stop in a whole fit: what lands in journal, result and record."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import treadle
from treadle.api.forecast import error_of
from treadle.errors import OptionError
from treadle.goal import LOSS, METRICS


@pytest.fixture(autouse=True)
def _record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREADLE_DATA", str(tmp_path / "record"))


def fitted(out: Path, **options: Any) -> treadle.Run:
    """Fit a line to noisy points: it is learned soon, and nothing more is gained."""
    chance = torch.Generator().manual_seed(1)
    x = torch.randn(300, 3, generator=chance)
    y = x.sum(1, keepdim=True) + 0.5 * torch.randn(300, 1, generator=chance)
    torch.manual_seed(0)
    usual = {"lr": 0.02, "batch_size": 32, "engine": "eager", "threads": 1, "out": out}
    return treadle.fit(nn.Linear(3, 1), (x, y), loss="mean_squared_error", **(usual | options))


def topics(run: treadle.Run) -> list[str]:
    return [line["topic"] for line in run.journal]


def test_the_result_holds_the_newest_forecasts(tmp_path: Path) -> None:
    run = fitted(tmp_path / "run", until="30 epochs")
    bands = run.result["forecasts"]
    steps = run.result["stopped"]["step"]
    assert [band["for_step"] for band in bands] == [2 * steps, 5 * steps]
    assert all(band["at_step"] == steps and band["metric"] == "loss" for band in bands)
    assert all(band["low"] <= band["middle"] <= band["high"] for band in bands)
    assert "forecast" in topics(run)


def test_forecasts_that_were_checked_are_kept_beside_the_runs(tmp_path: Path) -> None:
    run = fitted(tmp_path / "run", until="30 epochs")
    lines = (tmp_path / "record" / "forecasts.jsonl").read_text().split("\n")
    kept = [json.loads(line) for line in lines if line]
    assert len(kept) == topics(run).count("forecast_check") > 0
    assert all(line["run"] == str((tmp_path / "run").resolve()) for line in kept)
    assert all(line["rows"] == run.result["rows"]["train"] for line in kept)


def test_an_until_of_the_user_s_is_kept_to(tmp_path: Path) -> None:
    run = fitted(tmp_path / "run", until="60 epochs")
    assert run.result["stopped"]["reason"] == "epochs"


def test_a_worth_beside_until_lets_the_loop_stop_before(tmp_path: Path) -> None:
    run = fitted(tmp_path / "run", until="60 epochs", worth=0.01)
    assert run.result["stopped"]["reason"] == "enough"
    assert run.result["stopped"]["epoch"] < 60
    assert "0.01, what you said" in run.result["stopped"]["sentence"]


def test_where_nothing_was_said_the_loop_stops_itself(tmp_path: Path) -> None:
    run = fitted(tmp_path / "run")
    assert run.result["stopped"]["reason"] in ("enough", "no_better")
    assert run.result["stopped"]["epoch"] < 100


def test_a_cosine_runs_out_early_and_the_rate_with_it(tmp_path: Path) -> None:
    run = fitted(tmp_path / "run", until="200 epochs", worth=0.02, schedule="cosine")
    stopped = run.result["stopped"]
    (decided,) = [line for line in run.journal if line["topic"] == "enough"]
    assert stopped["reason"] == "enough"
    assert decided["step"] < decided["value"] == stopped["step"] < 200 * 8
    assert run.metrics[-1]["values"]["learning_rate"] < 1e-3 * 0.02


def test_a_run_that_is_resumed_stops_at_the_same_step(tmp_path: Path) -> None:
    options = {"until": "200 epochs", "worth": 0.02, "schedule": "cosine"}
    whole = fitted(tmp_path / "whole", **options)
    steps = whole.result["stopped"]["step"]

    class Stop(Exception): ...

    def killed(state: treadle.TrainState) -> None:
        if state.step == steps - 10:
            raise Stop

    with pytest.raises(Stop):
        fitted(tmp_path / "cut", **options, watchers=[killed], save_every_seconds=0.001)
    again = fitted(tmp_path / "cut", **options, resume=True)
    assert again.result["stopped"]["step"] == steps
    for name, tensor in whole.module.state_dict().items():
        assert torch.equal(tensor, again.module.state_dict()[name])


def test_a_training_without_validation_forecasts_nothing(tmp_path: Path) -> None:
    run = fitted(tmp_path / "run", until="20 epochs", validation=None)
    assert run.result["forecasts"] == []
    assert "forecast" not in topics(run)


def test_a_worth_that_is_no_gain_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="worth is -1"):
        fitted(tmp_path / "run", worth=-1)


@pytest.mark.parametrize(
    ("metric", "value", "rows", "expected"),
    [
        (METRICS["accuracy"], 0.5, 100, 0.05),
        (METRICS["accuracy"], 1.0, 100, 0.01),
        (LOSS, 0.4, 400, 0.02),
        (LOSS, math.nan, 400, 0.0),
        (LOSS, 0.4, 0, 0.0),
    ],
)
def test_a_metric_on_few_rows_may_be_far_off(
    metric: Any, value: float, rows: int, expected: float
) -> None:
    assert error_of(metric, rows)(value) == pytest.approx(expected)
