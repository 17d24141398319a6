"""A trial of another rate trains a copy, and leaves everything else as it was."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from treadle.api.evidence_probe import probe
from treadle.data.own_sources import TupleSource
from treadle.loop.state import TrainState
from treadle.watch.evidence import Probe, Seen

X = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
Y = X @ torch.tensor([[1.0], [-2.0], [0.5]])


def a_state(make: Any = torch.optim.SGD, **settings: Any) -> TrainState:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(3, 1), nn.Dropout(0.1))
    return TrainState(model=model, optimizers={"main": make(model.parameters(), **settings)})


def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return nn.functional.mse_loss(model(batch[0]), batch[1])


def look(model: nn.Module) -> Seen:
    model.eval()
    with torch.no_grad():
        errors = (model(X) - Y).square()[:, 0].double().numpy()
    return Seen(train=errors, held_out=errors)


def tried(state: TrainState, factor: float, steps: int = 30) -> Probe | None:
    source = TupleSource([X, Y], batch_size=20, seed=0)
    return probe(state, source, loss, look, factor=factor, steps=steps)


def test_a_higher_rate_comes_further_where_the_rate_is_too_low() -> None:
    state = a_state(lr=1e-4)
    before = look(state.module).held_out
    low, high = tried(state, 1.0), tried(state, 300.0)
    assert low is not None and high is not None and before is not None
    assert high.held_out.mean() < 0.2 * low.held_out.mean() < 0.2 * before.mean()


def test_the_scale_of_earlier_decisions_holds_in_a_trial() -> None:
    state = a_state(lr=3e-2)
    full = tried(state, 1.0)
    state.scale = 1e-3
    scaled = tried(state, 1.0)
    assert full is not None and scaled is not None
    assert scaled.held_out.mean() > 2 * full.held_out.mean()


def test_model_optimizer_generators_and_mode_are_left_alone() -> None:
    state = a_state(torch.optim.Adam, lr=1e-2)
    loss(state.module, (X, Y)).backward()
    state.optimizers["main"].step()
    state.module.train()
    kept, numbers = state.snapshot(), torch.get_rng_state()
    assert tried(state, 10.0) is not None
    again = state.snapshot()
    for file, tensors in kept[0].items():
        for name, tensor in tensors.items():
            assert torch.equal(tensor, again[0][file][name])
    assert torch.equal(numbers, torch.get_rng_state())
    assert state.module.training


def test_a_trial_that_leaves_the_finite_numbers_ends_there() -> None:
    found = tried(a_state(lr=1e-2), 1e30)
    assert found is not None


@pytest.mark.parametrize("kind", ["LBFGS", "no copy"])
def test_what_cannot_be_tried_apart_is_not(kind: str) -> None:
    state = a_state(torch.optim.LBFGS) if kind == "LBFGS" else a_state(lr=1e-2)
    if kind == "no copy":
        state.module.register_buffer("odd", torch.zeros(1, requires_grad=True) * 2)
    assert tried(state, 1.0) is None
