"""Predictions of many rows, eagerly and by captured code."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from treadle.capture.background import Captured, Refused
from treadle.capture.inference import ROWS_AT_ONCE, Inference


class Doubling(nn.Module):
    """Doubles the mean of a row, by way of a layer and a buffer; remembers how many rows came."""

    shift: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)
        self.normalised = nn.BatchNorm1d(1)
        self.register_buffer("shift", torch.tensor(5.0))
        self.batches: list[int] = []

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        self.batches.append(len(batch["numbers"]))
        out: Tensor = self.normalised(self.layer(batch["numbers"]))
        return out

    def predict(self, outputs: Tensor) -> Tensor:
        return outputs[:, 0] * 2 + self.shift


def rows(count: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(count)
    return {"numbers": torch.randn(count, 3, generator=generator)}


def test_rows_are_taken_in_batches_that_fit_the_cache_and_come_back_in_order() -> None:
    model = Doubling().eval()
    given = rows(2 * ROWS_AT_ONCE + 7)
    found = Inference(model)(given)
    assert model.batches == [ROWS_AT_ONCE, ROWS_AT_ONCE, 7]
    assert torch.allclose(found, model.predict(model(given)), atol=1e-6)
    assert found.dtype == torch.float32 and not found.requires_grad


def test_a_model_in_training_is_asked_in_evaluation_and_goes_on_training() -> None:
    model = Doubling().train()
    model.layer.eval()
    before = model.normalised.running_mean.clone()  # type: ignore[union-attr]
    Inference(model)(rows(9))
    assert torch.equal(before, model.normalised.running_mean)  # type: ignore[arg-type]
    assert model.training and model.normalised.training and not model.layer.training


def test_no_rows_give_no_predictions() -> None:
    assert Inference(Doubling())(rows(0)).shape == (0,)


def test_without_code_in_the_cache_nothing_is_compiled_where_it_is_not_worth_it(
    tmp_path: Path,
) -> None:
    inference = Inference(Doubling(), cache=tmp_path / "cache")
    answer = inference.capture(rows(9), worth_seconds=0.0)
    assert isinstance(answer, Refused) and "seconds" in answer.reason
    assert not inference.is_captured
    assert len(inference(rows(9))) == 9


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler here")
def test_captured_it_predicts_the_same_for_any_number_of_rows_and_follows_the_weights(
    tmp_path: Path,
) -> None:
    model = Doubling()
    inference = Inference(model, cache=tmp_path / "cache")
    answer = inference.capture(rows(9), worth_seconds=float("inf"))
    assert isinstance(answer, Captured) and inference.is_captured
    assert model.training, "tracing left the module as it was"
    model.batches.clear()

    given = rows(ROWS_AT_ONCE + 7)
    found = inference(given)
    assert model.batches == [], "no Python of the model's was run"
    assert torch.equal(inference({"numbers": given["numbers"][-7:]}), found[-7:])

    with torch.no_grad():
        model.layer.weight.mul_(-2)
        model.shift.fill_(-100.0)
    model.eval()
    assert torch.allclose(inference(given), model.predict(model(given)), atol=1e-4)


def test_code_that_computes_other_values_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from treadle.capture import inference as module

    made = Captured(key="k", path=tmp_path, was_cached=True, is_random=False, notes={}, seconds=1.0)
    monkeypatch.setattr(module, "capture_and_wait", lambda order: made)
    monkeypatch.setattr(module, "load", lambda path: lambda flat: [torch.zeros(ROWS_AT_ONCE)])
    inference = Inference(Doubling())
    answer = inference.capture(rows(9), worth_seconds=float("inf"))
    assert isinstance(answer, Refused) and "other values" in answer.reason
    assert not inference.is_captured and float(inference(rows(9)).abs().sum()) > 0
