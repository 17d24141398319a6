"""The whole step, traced: it changes what the eager step changes, and to the same values."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from treadle.capture.trace import CannotCapture, trace
from treadle.contracts import Cursor
from treadle.data.batches import TensorSource
from treadle.loop.adamw import AdamW
from treadle.loop.agreement import Agreement, disagreement
from treadle.loop.leaves import leaves_of, skeleton_of
from treadle.loop.schedules import warmup_cosine
from treadle.loop.state import TrainState
from treadle.loop.step import EagerStep, StepOptions
from treadle.loop.whole_step import WholeStep, why_not


class AlongTime(nn.Module):
    """Numbers in a row → one number, by what `inner` (an LSTM, attention) makes of them."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.top = inner, nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        row = x[:, :4, None] * torch.ones(8)  # [B, T, 8]
        out = self.inner(row)
        return self.top((out[0] if isinstance(out, tuple) else out)[:, -1])


class Tied(nn.Module):
    """Two layers that share their weights, and a table of positions that nothing changes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.top = nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 1)
        self.second.weight = self.first.weight
        self.register_buffer("positions", torch.arange(5.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.top(self.second(torch.tanh(self.first(x + self.positions))))


class Codes(nn.Module):
    """An embedding, looked up by a column of the batch that is turned into codes."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.top = nn.Embedding(10, 6), nn.Linear(6, 1)
        self.unused = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.top(self.table((x[:, 0].abs() * 3).long().clamp(max=9)))


def plain() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1))


MODULES: dict[str, Callable[[], nn.Module]] = {
    "plain": plain,
    "batch norm, dropout": lambda: nn.Sequential(
        nn.Linear(5, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3),
        nn.Linear(16, 1),
    ),
    "LSTM": lambda: AlongTime(nn.LSTM(8, 8, batch_first=True)),
    "attention": lambda: AlongTime(
        nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    ),
    "convolution": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 5)), nn.Conv1d(1, 4, 3, padding=1), nn.GELU(), nn.Flatten(),
        nn.LayerNorm(20), nn.Linear(20, 1),
    ),
    "tied weights": Tied,
    "embedding, and layers that are not used": Codes,
}  # fmt: skip
OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01),
    "AdamW without decay": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.0, eps=1e-6),
    "Adam, amsgrad": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True, weight_decay=0.1),
    "AdamW, fused": lambda p: torch.optim.AdamW(p, lr=0.01, fused=True),
    "AdamW, ours": lambda p: AdamW(p, lr=0.01),
    "SGD": lambda p: torch.optim.SGD(p, lr=0.05, weight_decay=0.1),
    "SGD, Nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "SGD, damped": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, dampening=0.5),
    "SGD, uphill": lambda p: torch.optim.SGD(p, lr=0.001, maximize=True),
}
OPTIONS: dict[str, StepOptions] = {
    "nothing": StepOptions(),
    "clipped": StepOptions(clip_norm=0.05),
    "averaged": StepOptions(average=0.9),
    "in slices": StepOptions(accumulate=3, clip_norm=1.0),
    "bf16": StepOptions(precision="bf16"),
}


def batches(count: int) -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    x_NF = torch.randn(60, 5, generator=generator)
    tensors = {"x": x_NF, "y": x_NF[:, :1] ** 2, "weight": torch.rand(60, generator=generator)}
    source = TensorSource(tensors, batch_size=15, seed=2)
    return [
        {k: v.clone() for k, v in b.items()} for b, _ in islice(source.batches(Cursor(0, 0)), count)
    ]


def mean_loss(module: nn.Module) -> Callable[[Any], Tensor]:
    return lambda batch: nn.functional.mse_loss(module(batch["x"]), batch["y"])


def weighted_loss(module: nn.Module) -> Callable[[Any], tuple[Tensor, Tensor]]:
    def loss(batch: Any) -> tuple[Tensor, Tensor]:
        squares_B = (module(batch["x"]) - batch["y"]).square().squeeze(1)
        return (squares_B * batch["weight"]).sum(), batch["weight"].sum()

    return loss


class Both:
    """One step made eagerly, so that everything is there; then the next, traced."""

    def __init__(
        self,
        module: nn.Module,
        optimizer: torch.optim.Optimizer,
        options: StepOptions | None = None,
        loss: Callable[[nn.Module], Any] = mean_loss,
        **eager: Any,
    ) -> None:
        self.state = TrainState(model=module, optimizers={"main": optimizer}, horizon=10)
        self.eager = EagerStep(loss(module), options=options, **eager)
        self.eager.prepare(self.state)
        self.first, self.batch = batches(2)
        self.eager(self.state, self.first)
        self.state.step = 1
        self.whole = WholeStep(self.eager, self.state, skeleton_of(self.batch))
        self.leaves = leaves_of(self.batch)
        self.graph = trace(self.whole, self.whole.tensors(self.leaves))

    def run(self) -> list[Tensor]:
        self.eager.set_rates(self.state)
        self.whole.set_rates()
        with torch.no_grad():
            return list(self.graph(*self.whole.tensors(self.leaves)))

    def assert_equal(self) -> None:
        agreement = Agreement(self.whole, self.leaves)
        self.eager.forget_buffers()
        self.eager(self.state, self.batch)
        expected = agreement.take_back()
        self.run()
        precision = self.eager.options.precision
        assert disagreement(agreement, expected, precision) is None
        changed = 0
        for now, then, before in zip(agreement.places, expected, agreement.before, strict=True):
            coarse = (
                {"rtol": 1e-4, "atol": 3e-5}
                if precision == "float32"
                else {"rtol": 0.1, "atol": 0.03}
            )
            torch.testing.assert_close(now, then, **coarse)
            changed += not torch.equal(before, then)
        assert changed > 3, "a step that changes nothing proves nothing"


@pytest.mark.parametrize("make", MODULES.values(), ids=MODULES.keys())
def test_every_module_is_trained_as_the_eager_step_trains_it(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    module = make()
    # no Adam here: where a gradient is nothing but rounding (attention's keys have a bias without
    # any effect) it makes whole steps of it
    Both(module, torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)).assert_equal()


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_every_optimizer_does_what_torchs_own_does(
    make: Callable[[Any], torch.optim.Optimizer],
) -> None:
    torch.manual_seed(0)
    module = plain()
    Both(module, make(module.parameters()), loss=weighted_loss).assert_equal()


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
@pytest.mark.parametrize("loss", [mean_loss, weighted_loss], ids=["mean", "weighted"])
def test_every_option_does_what_it_does_in_the_eager_step(options: StepOptions, loss: Any) -> None:
    torch.manual_seed(0)
    module = plain()
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.01)
    Both(module, optimizer, options, loss, schedule=warmup_cosine()).assert_equal()


def test_each_group_has_its_own_rate_and_settings() -> None:
    torch.manual_seed(0)
    module = plain()
    groups = [
        {"params": [module[0].weight, module[0].bias], "lr": 0.1, "weight_decay": 0.5},
        {"params": [module[2].weight], "lr": 0.001},
    ]
    both = Both(module, torch.optim.AdamW(groups, lr=0.01))
    bias = module[2].bias.clone()
    both.assert_equal()
    assert torch.equal(module[2].bias, bias), "what no optimizer holds stays as it is"


def test_a_new_learning_rate_needs_no_new_graph() -> None:
    torch.manual_seed(0)
    module = plain()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    both = Both(module, optimizer)
    optimizer.param_groups[0]["lr"] = 0.0
    before = copy.deepcopy(module.state_dict())
    both.run()
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    optimizer.param_groups[0]["lr"] = 0.5
    both.assert_equal()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_batch_that_is_not_finite_changes_nothing_but_its_count(bad: float) -> None:
    torch.manual_seed(0)
    module = MODULES["batch norm, dropout"]()
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.01)
    both = Both(module, optimizer, StepOptions(average=0.9, clip_norm=1.0))
    both.leaves[0][3, 2] = bad
    agreement = Agreement(both.whole, both.leaves)
    both.run()
    pairs = zip(agreement.places, agreement.before, strict=True)
    assert [torch.equal(now, then) for now, then in pairs].count(False) == 1
    assert int(both.state.totals.non_finite) == 1


def test_what_is_logged_comes_out_by_name() -> None:
    torch.manual_seed(0)
    module = plain()
    logged: list[Tensor] = []
    both: Both

    def with_log(module: nn.Module) -> Callable[[Any], Tensor]:
        def loss(batch: Any) -> Tensor:
            found = mean_loss(module)(batch)
            if logging:
                both_state.totals.log("root", found.sqrt())
            return found

        return loss

    logging = False
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    both = Both(module, optimizer, loss=with_log)
    logging, both_state = True, both.state
    both.graph = trace(both.whole, both.whole.tensors(both.leaves))
    expected = mean_loss(module)(both.batch).sqrt()
    (root,) = both.run()
    logged.append(root)
    assert both.whole.notes["logs"] == ["root"]
    assert root.item() == pytest.approx(expected.item(), rel=1e-6)


def test_the_graph_has_no_python_and_waits_for_nothing() -> None:
    module = MODULES["batch norm, dropout"]()
    both = Both(module, torch.optim.AdamW(module.parameters(), lr=0.01), StepOptions(clip_norm=1.0))
    kinds = {node.op for node in both.graph.graph.nodes}
    assert kinds <= {"placeholder", "call_function", "output", "get_attr"}
    targets = [str(node.target) for node in both.graph.graph.nodes]
    assert not [
        target for target in targets if target.startswith("aten") and "scalar_dense" in target
    ]


def test_a_module_that_looks_into_a_tensor_cannot_be_captured() -> None:
    class Looks(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x if float(x.sum()) > 0 else -x)

    module = Looks(5, 1)
    with pytest.raises(CannotCapture, match="looks at a number inside a tensor"):
        Both(module, torch.optim.SGD(module.parameters(), lr=0.01))


def test_a_tensor_from_outside_cannot_be_frozen_unnoticed() -> None:
    scale = torch.tensor([2.0])

    def scaled(module: nn.Module) -> Callable[[Any], Tensor]:
        return lambda batch: (module(batch["x"]) * scale).square().mean()

    module = plain()
    with pytest.raises(CannotCapture, match="neither a parameter nor a buffer"):
        Both(module, torch.optim.SGD(module.parameters(), lr=0.01), loss=scaled)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (torch.optim.LBFGS, "LBFGS"),
        (lambda p: torch.optim.SGD([torch.zeros(3, requires_grad=True)], lr=0.1), "not the module"),
        (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), "no gradient yet"),
    ],
)
def test_what_cannot_be_captured_is_said_before_anything_is_tried(make: Any, reason: str) -> None:
    module = plain()
    state = TrainState(model=module, optimizers={"main": make(module.parameters())})
    said = why_not(EagerStep(mean_loss(module)), state)
    assert said is not None
    assert reason in said
