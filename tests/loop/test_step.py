"""The eager step: to the bit what one would write by hand, and nothing changes by a bad batch."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from treadle.contracts import Cursor
from treadle.data.batches import TensorSource
from treadle.errors import OptionError
from treadle.loop.adamw import AdamW
from treadle.loop.schedules import warmup_cosine
from treadle.loop.state import TrainState
from treadle.loop.step import EagerStep, StepOptions, num_rows, prime, set_rate, slices

MakeOptimizer = Callable[[Iterator[nn.Parameter]], torch.optim.Optimizer]
OPTIMIZERS: dict[str, MakeOptimizer] = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.05),
    "SGD with momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01),
    "AdamW, fused": lambda p: torch.optim.AdamW(p, lr=0.01, fused=True),
    "AdamW, ours": lambda p: AdamW(p, lr=0.01),
    "Adam amsgrad": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "LBFGS": lambda p: torch.optim.LBFGS(p, lr=0.1, max_iter=4),
    "LBFGS, strong Wolfe": lambda p: torch.optim.LBFGS(p, line_search_fn="strong_wolfe"),
}
every_optimizer = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())


def a_network(*, dropout: float = 0.2) -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Linear(5, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(16, 1))


def a_source() -> TensorSource:
    generator = torch.Generator().manual_seed(1)
    x_NF = torch.randn(60, 5, generator=generator)
    tensors = {"x": x_NF, "y": x_NF[:, :1] ** 2, "weight": torch.rand(60, generator=generator)}
    return TensorSource(tensors, batch_size=16, seed=2)


def some_batches(count: int) -> list[dict[str, Tensor]]:
    return [batch for batch, _ in islice(a_source().batches(Cursor(0, 0)), count)]


def mean_loss(module: nn.Module) -> Callable[[dict[str, Tensor]], Tensor]:
    return lambda batch: nn.functional.mse_loss(module(batch["x"]), batch["y"])


def weighted_loss(module: nn.Module) -> Callable[[dict[str, Tensor]], tuple[Tensor, Tensor]]:
    def loss(batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        squares_B = (module(batch["x"]) - batch["y"]).square().squeeze(1)
        return (squares_B * batch["weight"]).sum(), batch["weight"].sum()

    return loss


def a_training(
    module: nn.Module, make: MakeOptimizer, loss: Any = None, **options: Any
) -> tuple[TrainState, EagerStep]:
    state = TrainState(model=module, optimizers={"main": make(module.parameters())})
    step = EagerStep(loss or mean_loss(module), options=StepOptions(**options))
    step.prepare(state)
    return state, step


def everything(state: TrainState) -> dict[str, Tensor]:
    """Return a copy of every tensor that a step may change, but its counters."""
    files, _ = state.snapshot()
    names = ("model", "optimizers", "average")
    return {f"{file}/{name}": t for file in names for name, t in files[file].items()}


def assert_same(got: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert got.keys() == expected.keys()
    assert [name for name in got if not torch.equal(got[name], expected[name])] == []


@every_optimizer
def test_is_equal_to_the_bit_to_the_loop_one_writes_by_hand(make: MakeOptimizer) -> None:
    by_hand = a_network()
    optimizer = make(by_hand.parameters())
    torch.manual_seed(7)
    losses = []
    for batch in some_batches(12):

        def closure(batch: dict[str, Tensor] = batch) -> Tensor:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(by_hand(batch["x"]), batch["y"])
            loss.backward()
            return loss.detach()

        if isinstance(optimizer, torch.optim.LBFGS):
            losses.append(float(optimizer.step(closure)))  # type: ignore[arg-type]
        else:
            losses.append(float(closure()))
            optimizer.step()

    module = a_network()
    state, step = a_training(module, make)
    torch.manual_seed(7)
    ours = []
    for batch in some_batches(12):
        step(state, batch)
        ours.append(state.totals.take_mean())
    assert_same(dict(module.state_dict()), dict(by_hand.state_dict()))
    assert ours == pytest.approx(losses, rel=1e-6)
    assert int(state.totals.non_finite) == 0


@every_optimizer
def test_every_optimizer_goes_on_to_the_bit_from_a_snapshot(make: MakeOptimizer) -> None:
    batches = some_batches(8)
    state, step = a_training(a_network(dropout=0.0), make)
    for batch in batches[:5]:
        step(state, batch)
    files, facts = state.snapshot()
    for batch in batches[5:]:
        step(state, batch)
    whole = everything(state)

    other, other_step = a_training(a_network(dropout=0.0), make)
    other_step(other, batches[0])
    other.restore(files, facts)
    for batch in batches[5:]:
        other_step(other, batch)
    assert_same(everything(other), whole)


@pytest.mark.parametrize("accumulate", [2, 3, 4, 16, 40])
@pytest.mark.parametrize("kind", ["mean", "weighted"])
def test_accumulation_gives_the_gradient_of_the_whole_batch(accumulate: int, kind: str) -> None:
    gradients, losses = [], []
    for slices_a_batch in (1, accumulate):
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))
        loss = (mean_loss if kind == "mean" else weighted_loss)(module)
        state, step = a_training(
            module, lambda p: torch.optim.SGD(p, lr=0.0), loss, accumulate=slices_a_batch
        )
        last = some_batches(4)[3]
        assert len(last["x"]) == 12  # the last batch of the epoch, and its slices are unequal
        step(state, last)
        gradients.append([p.grad.clone() for p in module.parameters() if p.grad is not None])
        losses.append(state.totals.take_mean())
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    for whole, sliced in zip(*gradients, strict=True):
        torch.testing.assert_close(whole, sliced, rtol=1e-5, atol=1e-7)


def test_a_weighted_loss_is_divided_by_its_weights() -> None:
    module = nn.Linear(5, 1)
    batch = some_batches(1)[0]
    state, step = a_training(module, lambda p: torch.optim.SGD(p, lr=0.0), weighted_loss(module))
    step(state, batch)
    squares_B = (module(batch["x"]) - batch["y"]).square().squeeze(1)
    expected = (squares_B * batch["weight"]).sum() / batch["weight"].sum()
    assert state.totals.take_mean() == pytest.approx(float(expected.detach()), rel=1e-6)
    gradient = torch.autograd.grad(expected, module.weight)[0]
    assert module.weight.grad is not None
    torch.testing.assert_close(module.weight.grad, gradient)


def test_accumulation_works_in_double_precision() -> None:
    module = nn.Linear(5, 1).double()
    batch = {name: t.double() for name, t in some_batches(1)[0].items()}
    state, step = a_training(
        module, lambda p: torch.optim.SGD(p, lr=0.1), weighted_loss(module), accumulate=3
    )
    step(state, batch)
    assert module.weight.grad is not None and module.weight.grad.dtype == torch.float64


def test_clipping_bounds_the_norm_of_all_gradients_together() -> None:
    module = a_network()
    state, step = a_training(module, lambda p: torch.optim.SGD(p, lr=0.0), clip_norm=0.01)
    step(state, some_batches(1)[0])
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    assert float(norm) == pytest.approx(0.01, rel=1e-3)


def test_the_average_follows_the_weights() -> None:
    module = nn.Linear(5, 1)
    state, step = a_training(module, lambda p: torch.optim.SGD(p, lr=0.1), average=0.75)
    expected = module.weight.detach().clone()
    for batch in some_batches(3):
        step(state, batch)
        expected = 0.75 * expected + 0.25 * module.weight.detach()
    torch.testing.assert_close(state.average["weight"], expected)


def test_bf16_computes_in_half_and_keeps_whole_weights() -> None:
    module = nn.Linear(5, 1)
    seen: list[torch.dtype] = []

    def loss(batch: dict[str, Tensor]) -> Tensor:
        output = module(batch["x"])
        seen.append(output.dtype)
        return nn.functional.mse_loss(output.float(), batch["y"])

    state, step = a_training(module, OPTIMIZERS["AdamW"], loss, precision="bf16", accumulate=2)
    before = module.weight.detach().clone()
    step(state, some_batches(1)[0])
    assert seen == [torch.bfloat16] * 2
    assert module.weight.dtype == torch.float32
    assert not torch.equal(before, module.weight)


@every_optimizer
@pytest.mark.parametrize("bad", ["input", "target"])
@pytest.mark.parametrize("good_before", [0, 1, 3])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_batch_that_is_not_finite_changes_nothing_and_is_counted(
    make: MakeOptimizer, bad: str, good_before: int, accumulate: int
) -> None:
    module = a_network()
    state, step = a_training(module, make, average=0.9, accumulate=accumulate)
    batches = some_batches(good_before + 2)
    for batch in batches[:good_before]:
        step(state, batch)
    before = everything(state)
    state.totals.take_mean()
    poisoned = copy.deepcopy(batches[good_before])
    poisoned["x" if bad == "input" else "y"][3] = math.nan
    step(state, poisoned)
    after = everything(state)
    momenta = {name for name in after if name not in before}
    assert not momenta
    assert_same(after, before)
    assert int(state.totals.non_finite) == 1
    assert float(state.totals.weight) == 0
    step(state, batches[-1])
    assert all(bool(t.isfinite().all()) for t in everything(state).values())
    assert int(state.totals.non_finite) == 1


def test_a_gradient_that_is_not_finite_is_caught_where_the_loss_is_finite() -> None:
    module = nn.Linear(5, 1)
    with torch.no_grad():
        module.weight.zero_()
        module.bias.zero_()
    state, step = a_training(
        module, OPTIMIZERS["AdamW"], lambda batch: module(batch["x"]).abs().sqrt().mean()
    )
    before = everything(state)
    step(state, some_batches(1)[0])
    assert_same(everything(state), before)
    assert int(state.totals.non_finite) == 1


def test_lbfgs_that_leads_out_of_the_finite_numbers_is_put_back() -> None:
    module = nn.Linear(5, 1)
    asked = 0

    def loss(batch: dict[str, Tensor]) -> Tensor:
        nonlocal asked
        asked += 1
        found = nn.functional.mse_loss(module(batch["x"]), batch["y"])
        return found * (math.nan if asked % 3 == 0 else 1.0)

    state, step = a_training(module, OPTIMIZERS["LBFGS"], loss)
    batches = some_batches(3)
    before = everything(state)
    step(state, batches[0])
    assert int(state.totals.non_finite) == 1
    assert_same(everything(state), before)


def test_a_large_buffer_is_put_back_too() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.line = nn.Linear(5, 1)
            self.register_buffer("large", torch.zeros(20_000))
            self.register_buffer("bound_anew", torch.zeros(3))

        def forward(self, x_BF: Tensor) -> Tensor:
            self.large += float(x_BF.sum())
            self.bound_anew = self.bound_anew + x_BF.sum().detach()
            found: Tensor = self.line(x_BF)
            return found

    module = Counting()
    state, step = a_training(module, OPTIMIZERS["SGD"])
    for number, batch in enumerate(some_batches(4)):
        before = everything(state)
        if number in (0, 2):
            batch["x"][0, 0] = math.nan
            step(state, batch)
            assert_same(everything(state), before)
        else:
            step(state, batch)
            assert not torch.equal(module.large, before["model//large"])
    assert bool(module.large.isfinite().all()) and bool(module.bound_anew.isfinite().all())


def test_parameters_outside_the_optimizer_take_no_part() -> None:
    body, head = nn.Linear(5, 4), nn.Linear(4, 1)
    module = nn.Sequential(body, head)
    state = TrainState(
        model=module, optimizers={"main": torch.optim.SGD(head.parameters(), lr=0.1)}
    )
    step = EagerStep(mean_loss(module), options=StepOptions(accumulate=2, clip_norm=1.0))
    step.prepare(state)
    batches = some_batches(3)
    batches[0]["x"][0] = math.nan  # leaves a NaN in the body's gradient, which nobody clears
    before = head.weight.detach().clone()
    for batch in batches:
        step(state, batch)
    assert int(state.totals.non_finite) == 1
    assert not torch.equal(before, head.weight)


def test_parameters_of_an_optimizer_outside_the_module_are_averaged_over_slices() -> None:
    module, temperature = nn.Linear(5, 1), nn.Parameter(torch.ones(()))
    optimizer = torch.optim.SGD([*module.parameters(), temperature], lr=0.0)
    state = TrainState(model=module, optimizers={"main": optimizer})
    loss = lambda b: nn.functional.mse_loss(module(b["x"]) * temperature, b["y"])  # noqa: E731
    gradients = []
    for accumulate in (1, 4):
        EagerStep(loss, options=StepOptions(accumulate=accumulate))(state, some_batches(1)[0])
        assert temperature.grad is not None
        gradients.append(float(temperature.grad))
    assert gradients[0] == pytest.approx(gradients[1], rel=1e-5)


@pytest.mark.parametrize("options", [{}, {"clip_norm": 0.1}, {"accumulate": 3}], ids=str)
def test_sparse_gradients_of_an_embedding_are_taken(options: dict[str, Any]) -> None:
    table = nn.Embedding(50, 4, sparse=True)
    state = TrainState(
        model=table, optimizers={"main": torch.optim.SparseAdam(table.parameters(), lr=0.1)}
    )
    step = EagerStep(
        lambda batch: table(batch["item"]).square().mean(), options=StepOptions(**options)
    )
    step.prepare(state)
    before = table.weight.detach().clone()
    items = torch.tensor([3, 3, 7, 9, 11])
    step(state, {"item": items})
    moved = (table.weight != before).any(1).nonzero().flatten().tolist()
    assert moved == [3, 7, 9, 11]
    assert int(state.totals.non_finite) == 0


@pytest.mark.parametrize(
    "options",
    [{}, {"amsgrad": True}, {"weight_decay": 0.1}, {"fused": True}, {"foreach": False}],
    ids=str,
)
@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW, AdamW])
def test_priming_makes_what_the_first_step_would(kind: Any, options: dict[str, Any]) -> None:
    lazy, primed = a_network(), a_network()
    lazy_optimizer = kind(lazy.parameters(), **options)
    primed_optimizer = kind(primed.parameters(), **options)
    prime(primed_optimizer)
    assert len(primed_optimizer.state) == len(list(primed.parameters()))
    for optimizer, module in ((lazy_optimizer, lazy), (primed_optimizer, primed)):
        for parameter in module.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
    assert_same(dict(lazy.state_dict()), dict(primed.state_dict()))
    states = [o.state_dict()["state"] for o in (lazy_optimizer, primed_optimizer)]
    assert states[0].keys() == states[1].keys()
    for number in states[0]:
        assert_same(states[0][number], states[1][number])
        for name in states[0][number]:
            assert states[0][number][name].dtype == states[1][number][name].dtype


@pytest.mark.parametrize("rate", [0.1, torch.tensor(0.1)], ids=["number", "tensor"])
def test_a_schedule_multiplies_each_groups_own_rate(rate: Any) -> None:
    module = nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 1))
    groups = [{"params": module[0].parameters()}, {"params": module[1].parameters(), "lr": 0.02}]
    optimizer = torch.optim.SGD(groups, lr=rate, foreach=False)
    state = TrainState(model=module, optimizers={"main": optimizer}, horizon=10)
    schedule = warmup_cosine(warmup=0.0)
    for step in range(11):
        state.step = step
        set_rate(state, schedule)
        rates = [float(group["lr"]) for group in optimizer.param_groups]
        assert rates == pytest.approx([f * schedule(step, 10, 1.0) for f in (0.1, 0.02)], abs=1e-8)


def test_without_a_schedule_a_torch_scheduler_moves_the_rate() -> None:
    module = nn.Linear(5, 1)
    state, step = a_training(module, OPTIMIZERS["SGD"])
    scheduler = torch.optim.lr_scheduler.ExponentialLR(state.optimizers["main"], 0.5)
    for batch in some_batches(3):
        step(state, batch)
        scheduler.step()
    assert state.optimizers["main"].param_groups[0]["lr"] == pytest.approx(0.05 / 8)


def test_a_decided_scale_lowers_the_rate_without_a_schedule_and_raises_it_again() -> None:
    module = nn.Linear(5, 1)
    state, step = a_training(module, OPTIMIZERS["SGD"])
    rates = []
    for scale, batch in zip((1.0, 0.3, 1.0), some_batches(3), strict=True):
        state.scale = scale
        step(state, batch)
        rates.append(state.optimizers["main"].param_groups[0]["lr"])
    assert rates == pytest.approx([0.05, 0.015, 0.05])


class Pair(NamedTuple):
    x: Tensor
    y: Tensor


@pytest.mark.parametrize(
    "batch",
    [
        (torch.arange(5), torch.arange(5)),
        [torch.arange(5)],
        {"a": torch.arange(5), "b": {"c": torch.arange(5)}},
        Pair(torch.arange(5), torch.arange(5)),
        torch.arange(5),
    ],
    ids=["tuple", "list", "dict", "named tuple", "tensor"],
)
def test_batches_of_any_nesting_are_sliced_by_rows(batch: Any) -> None:
    assert num_rows(batch) == 5
    parts = list(slices(batch, 2))
    assert [num_rows(part) for part in parts] == [3, 2]
    assert all(type(part) is type(batch) for part in parts)


def test_fewer_rows_than_slices_give_a_slice_a_row() -> None:
    assert [num_rows(part) for part in slices(torch.arange(2), 8)] == [1, 1]


def test_all_wrong_options_are_said_together() -> None:
    with pytest.raises(OptionError) as raised:
        StepOptions(accumulate=0, clip_norm=-1.0, average=1.5)
    assert raised.value.message.startswith("3 problems")
