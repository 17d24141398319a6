"""A learning rate of the user's: kept where it suits, begun anew where it is far too high."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import treadle
from treadle.contracts import Json


def network() -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Dropout(0.1), nn.Linear(24, 1))


def table(rows: int = 600) -> tuple[Tensor, Tensor]:
    x = torch.randn(rows, 6, generator=torch.Generator().manual_seed(2))
    return x, x[:, :1] * x[:, 1:2] + x[:, 2:3]


def fit(out: Path, **options: Any) -> treadle.Run:
    usual = {
        "loss": "mean_squared_error",
        "until": "60 epochs",
        "batch_size": 32,
        "engine": "eager",
    }
    return treadle.fit(network(), table(), out=out, **{**usual, **options})


def said(run: treadle.Run) -> list[Json]:
    return [line for line in run.journal if line["topic"] == "first_steps"]


def weights(run: treadle.Run) -> list[Tensor]:
    return [tensor.detach() for tensor in run.module.state_dict().values()]


def counting(begun: list[int], fault_at: int = 0) -> Any:
    """Return a loss that counts its calls, and breaks at one of them."""

    def loss(output: Tensor, target: Tensor) -> Tensor:
        begun.append(1)
        if len(begun) == fault_at:
            raise KeyError("a bug of the user's")
        return nn.functional.mse_loss(output, target)

    return loss


def test_a_rate_that_is_far_too_high_is_noticed_and_training_begins_anew(tmp_path: Path) -> None:
    run = fit(tmp_path / "run", lr=3.0)
    (line,) = said(run)
    assert line["value"] < 0.1
    assert "3 is too high" in line["sentence"]
    good = fit(tmp_path / "good", lr=3.0 * line["value"])
    reached, known = (one.result["metric"]["validation"] for one in (run, good))
    assert reached < 1.3 * known


def test_a_rate_that_suits_is_kept_and_its_first_steps_are_taken_again_without_a_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    looked = fit(tmp_path / "looked", lr=0.01, loss=counting(begun))
    looked_steps = len(begun)
    monkeypatch.setattr("treadle.watch.first_steps.FEWEST_COMPARED", 10**9)
    plain = fit(tmp_path / "plain", lr=0.01, loss=counting(begun))
    assert said(looked) == []
    assert 0 < looked_steps - (len(begun) - looked_steps) < 0.1 * looked_steps
    assert all(torch.equal(*pair) for pair in zip(weights(looked), weights(plain), strict=True))
    assert [point["values"] for point in looked.metrics] == [
        point["values"] for point in plain.metrics
    ]


def test_a_budget_of_minutes_is_not_spent_on_taking_steps_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("treadle.study.stretches.Stretches", None)  # nobody calls it
    run = fit(tmp_path / "run", lr=0.01, until="60 epochs or 10 minutes")
    assert run.result["stopped"]["step"] > 900


def test_where_memory_does_not_suffice_to_look_again_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("treadle.study.stretches.Stretches", full)
    run = fit(tmp_path / "run", lr=0.01)
    assert said(run) == []
    assert run.result["stopped"]["step"] > 900


def test_a_rate_that_learns_at_first_and_is_too_high_all_the_same_is_noticed(
    tmp_path: Path,
) -> None:
    run = fit(tmp_path / "run", lr=0.3)
    (line,) = said(run)
    assert "at a lower learning rate the first steps would have taught more" in line["sentence"]
    assert line["value"] < 0.35


def test_far_too_high_the_land_is_flat_and_a_rate_is_found_all_the_same(tmp_path: Path) -> None:
    (line,) = said(fit(tmp_path / "run", lr=300.0))
    assert line["value"] * 300 < 0.3
    assert len(line["saw"]["tried"]) >= 3


@pytest.mark.parametrize("fault_at", [130, 300, 700])
def test_killed_beside_such_a_search_the_end_is_the_same(tmp_path: Path, fault_at: int) -> None:
    options: dict[str, Any] = {"lr": 3.0, "save_every_seconds": 0.01}
    whole = fit(tmp_path / "whole", loss=counting([]), **options)
    begun: list[int] = []
    with pytest.raises(KeyError):
        fit(tmp_path / "run", loss=counting(begun, fault_at), **options)
    resumed = fit(tmp_path / "run", loss=counting(begun, fault_at), resume=True, **options)
    assert all(torch.equal(*pair) for pair in zip(weights(resumed), weights(whole), strict=True))


def test_a_schedule_that_was_named_is_kept_to_after_training_began_anew(tmp_path: Path) -> None:
    run = fit(tmp_path / "run", lr=3.0, schedule="constant")
    (line,) = said(run)
    rates = {point["values"]["learning_rate"] for point in run.metrics}
    assert max(rates) == 3.0 or len(rates) == 1
    assert min(rates) == pytest.approx(3.0 * line["value"])


def test_an_optimizer_of_the_users_keeps_its_rate_to_the_end(tmp_path: Path) -> None:
    run = fit(tmp_path / "run", optimizer=lambda p: torch.optim.SGD(p, lr=0.02))
    assert {point["values"]["learning_rate"] for point in run.metrics} == {0.02}


def test_patience_ends_a_training_only_once_its_rate_has_run_out(tmp_path: Path) -> None:
    run = fit(tmp_path / "run", lr=0.03, until="300 epochs or no better for 10")
    rates = [point["values"]["learning_rate"] for point in run.metrics]
    assert len(rates) < 300
    assert rates[-1] < 0.3 * max(rates)
    (line,) = [line for line in run.journal if line["topic"] == "enough"]
    assert "stood still for 5 checks" in line["sentence"]


def test_of_a_rate_that_is_far_too_low_it_is_said_and_nothing_changed(tmp_path: Path) -> None:
    run = fit(tmp_path / "run", lr=1e-6)
    (line,) = said(run)
    assert line["value"] > 30
    assert "very low" in line["sentence"]
    assert [verdict["name"] for verdict in run.verdicts] == ["rate_too_low"]
    assert max(point["values"]["learning_rate"] for point in run.metrics) == 1e-6
