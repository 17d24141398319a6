"""Learning rates side by side: every lane is the run that its rate alone would have been."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from treadle.contracts import Cursor
from treadle.data.batches import TensorSource
from treadle.errors import OptionError
from treadle.loop import side_by_side as module_of_lanes
from treadle.loop.side_by_side import Lanes, OneAfterAnother, Vectorised, side_by_side
from treadle.loop.state import TrainState
from treadle.loop.step import EagerStep, StepOptions

FACTORS = [0.1, 1.0, 5.0]
OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.003),
    "SGD": lambda p: torch.optim.SGD(p, lr=0.02),
    "SGD with momentum": lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9),
}


def network() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Linear(5, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1)]
    return nn.Sequential(*layers)


def batches(count: int) -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    x_NF = torch.randn(56, 5, generator=generator)
    source = TensorSource({"x": x_NF, "y": x_NF[:, :1] ** 2}, batch_size=16, seed=2)
    found = islice(source.batches(Cursor(0, 0)), count)
    return [{name: tensor.clone() for name, tensor in batch.items()} for batch, _ in found]


class Run:
    """A network after one step, so that every optimizer has all its values."""

    def __init__(self, make: Callable[[Any], torch.optim.Optimizer], **options: Any) -> None:
        self.module = network()
        optimizer = make(self.module.parameters())
        self.state = TrainState(model=self.module, optimizers={"main": optimizer})
        self.eager = EagerStep(self.loss, options=StepOptions(clip_norm=1.0, **options))
        self.eager.prepare(self.state)
        self.eager(self.state, batches(1)[0])
        self.state.totals.take_mean()

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        return nn.functional.mse_loss(self.module(batch["x"]), batch["y"])

    def lanes(self, **options: Any) -> Lanes:
        lanes, self.why = side_by_side(self.eager, self.state, batches(1)[0], FACTORS, **options)
        return lanes


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectorised, but run as it is: the compiler has a test of its own."""

    def captured(self: Vectorised, cache: Path) -> Any:
        return lambda flat: module_of_lanes._step_all(self._lane, flat)

    monkeypatch.setattr(Vectorised, "_captured", captured)


def alone(make: Callable[[Any], torch.optim.Optimizer], factor: float) -> tuple[Run, float]:
    """Return the run with one rate, after the same batches, and its mean loss."""
    run = Run(make)
    run.state.optimizers["main"].param_groups[0]["lr"] *= factor
    for batch in batches(5)[1:]:
        run.eager(run.state, batch)
    return run, run.state.totals.take_mean()


def assert_lanes_are(lanes: Lanes, make: Callable[[Any], torch.optim.Optimizer]) -> None:
    losses = lanes.take_losses()
    for lane, factor in enumerate(FACTORS):
        run, loss = alone(make, factor)
        assert losses[lane].item() == pytest.approx(loss, rel=1e-4)
        for name, weight in lanes.weights(lane).items():
            wanted = run.module.get_parameter(name)
            torch.testing.assert_close(weight, wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_every_lane_is_the_run_that_its_rate_would_have_been(
    make: Callable[[Any], torch.optim.Optimizer],
) -> None:
    run = Run(make)
    before = copy.deepcopy(run.module.state_dict())
    lanes = run.lanes()
    assert isinstance(lanes, Vectorised), run.why
    for batch in batches(5)[1:]:  # the third of them is shorter
        lanes(batch)
    assert_lanes_are(lanes, make)
    for name, tensor in run.module.state_dict().items():
        assert torch.equal(tensor, before[name]), "where all lanes begin is left as it is"


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_one_after_another_comes_to_the_same(
    make: Callable[[Any], torch.optim.Optimizer],
) -> None:
    run = Run(make)
    before = copy.deepcopy(run.module.state_dict())
    lanes = OneAfterAnother(run.eager, run.state, FACTORS)
    for batch in batches(5)[1:]:
        lanes(batch)
    assert_lanes_are(lanes, make)
    for name, tensor in run.module.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert (
        run.state.optimizers["main"].param_groups[0]["lr"]
        == make([nn.Parameter(torch.ones(1))]).param_groups[0]["lr"]
    )


def test_what_cannot_be_vectorised_goes_one_after_another_and_says_why() -> None:
    run = Run(lambda p: torch.optim.RMSprop(p, lr=0.01))
    lanes = run.lanes()
    assert isinstance(lanes, OneAfterAnother)
    assert "RMSprop" in str(run.why)
    run = Run(OPTIMIZERS["AdamW"], accumulate=2)
    assert isinstance(run.lanes(), OneAfterAnother)
    assert "slices" in str(run.why)


@pytest.mark.usefixtures("uncompiled")
def test_a_lane_that_diverges_does_not_take_the_others_with_it() -> None:
    run = Run(lambda p: torch.optim.SGD(p, lr=0.01))
    lanes, _ = side_by_side(run.eager, run.state, batches(1)[0], [1.0, 1e30])
    for batch in batches(4):
        lanes(batch)
    skipped = lanes.skipped().tolist()
    assert skipped[0] == 0
    assert skipped[1] > 0
    assert torch.isfinite(lanes.weights(0)["0.weight"]).all()


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler here")
def test_compiled_the_lanes_are_the_same(tmp_path: Path) -> None:
    make = OPTIMIZERS["AdamW"]
    run = Run(make)
    lanes = run.lanes(cache=tmp_path / "cache")
    assert isinstance(lanes, Vectorised), run.why
    for batch in batches(5)[1:]:
        lanes(batch)
    assert_lanes_are(lanes, make)


@pytest.mark.parametrize("factors", [[], [1.0, 0.0], [-1.0]])
def test_factors_that_are_no_rates_are_refused(factors: list[float]) -> None:
    run = Run(OPTIMIZERS["SGD"])
    with pytest.raises(OptionError, match="above 0"):
        side_by_side(run.eager, run.state, batches(1)[0], factors)
