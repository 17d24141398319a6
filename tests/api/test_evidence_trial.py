"""A trial trains on for a stretch, as training does, and leaves everything as it was."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from treadle.api.evidence_trial import Trials, can_try
from treadle.data.own_sources import TupleSource
from treadle.loop.schedules import warmup_cosine
from treadle.loop.state import TrainState
from treadle.loop.step import EagerStep
from treadle.watch.evidence import Probe, Seen
from treadle.watch.trials import Trial

X = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
Y = X @ torch.tensor([[1.0], [-2.0], [0.5]])


def a_training(make: Any = torch.optim.SGD, *, schedule: Any = None, **settings: Any) -> Any:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Dropout(settings.pop("dropout", 0.0)), nn.Linear(3, 1))
    state = TrainState(model=model, optimizers={"main": make(model.parameters(), **settings)})

    def loss(batch: tuple[Tensor, Tensor]) -> Tensor:
        return nn.functional.mse_loss(model(batch[0]), batch[1])

    step = EagerStep(loss, schedule=schedule)
    step.prepare(state)
    return SimpleNamespace(
        state=state, step=step, source=TupleSource([X, Y], batch_size=20, seed=0)
    )


def tried(training: Any, factor: float = 1.0, steps: int = 30, **more: bool) -> Probe:
    model = training.state.module

    def look() -> Seen:
        was = model.training
        model.eval()
        with torch.no_grad():
            errors = (model(X) - Y).square()[:, 0].double().numpy()
        model.train(was)
        return Seen(train=errors, held_out=errors)

    return Trials(training, look)(Trial(factor=factor, steps=steps, **more))


def test_a_higher_rate_comes_further_where_the_rate_is_too_low() -> None:
    training = a_training(lr=1e-4)
    low, high = tried(training), tried(training, 300.0)
    assert high.held_out.mean() < 0.2 * low.held_out.mean()


def test_the_scale_of_earlier_decisions_holds_in_a_trial() -> None:
    training = a_training(lr=3e-2)
    full = tried(training)
    training.state.scale = 1e-3
    assert tried(training).held_out.mean() > 2 * full.held_out.mean()


def test_a_schedule_that_has_run_out_does_not_hold_a_trial_back() -> None:
    training = a_training(lr=3e-2, schedule=warmup_cosine())
    training.state.step, training.state.horizon = 1_000, 1_000
    plain = tried(a_training(lr=3e-2))
    assert tried(training).held_out.mean() == pytest.approx(plain.held_out.mean(), rel=0.3)


def test_a_rate_that_falls_lets_what_bounces_come_to_rest() -> None:
    training = a_training(lr=0.5, momentum=0.5)
    assert tried(training, falls=True).held_out.mean() < tried(training).held_out.mean()


@pytest.mark.parametrize("held", ["decay", "dropout"])
def test_a_free_trial_is_not_held_back(held: str) -> None:
    settings = {"weight_decay": 5.0} if held == "decay" else {"dropout": 0.9}
    training = a_training(lr=3e-2, **settings)
    held_back, freed = tried(training, steps=60), tried(training, steps=60, free=True)
    assert freed.held_out.mean() < 0.3 * held_back.held_out.mean()


@pytest.mark.parametrize("free", [False, True])
def test_model_optimizer_generators_settings_and_mode_are_left_alone(free: bool) -> None:
    training = a_training(torch.optim.Adam, lr=1e-2, weight_decay=0.3, dropout=0.2)
    schedule, state = training.step.schedule, training.state
    kept, numbers = state.snapshot(), torch.get_rng_state()
    assert not tried(training, 10.0, free=free, falls=True).broke
    again = state.snapshot()
    for file, tensors in kept[0].items():
        for name, tensor in tensors.items():
            assert torch.equal(tensor, again[0][file][name])
    assert kept[1] | {"seconds": 0} == again[1] | {"seconds": 0}
    assert torch.equal(numbers, torch.get_rng_state())
    assert training.step.schedule is schedule
    assert state.module[0].p == 0.2
    assert state.optimizers["main"].param_groups[0]["weight_decay"] == 0.3


def test_a_trial_that_leaves_the_finite_numbers_says_so_and_is_undone() -> None:
    training = a_training(lr=1e-2)
    before = training.state.module[1].weight.clone()
    assert tried(training, 1e30).broke
    assert torch.equal(before, training.state.module[1].weight)


def test_what_cannot_be_tried_apart_is_not() -> None:
    assert can_try(a_training(lr=1e-2))
    assert not can_try(a_training(torch.optim.LBFGS))
    own = a_training(lr=1e-2)
    own.step = lambda state, batch: None
    assert not can_try(own)
    loader = a_training(lr=1e-2)
    loader.source = SimpleNamespace(num_rows=200)
    assert not can_try(loader)
