"""Treadle's AdamW is torch's to the bit, and never loads torch's compiler."""

from __future__ import annotations

import copy
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from treadle.loop.adamw import AdamW

OPTIONS: list[dict[str, Any]] = [
    {},
    {"amsgrad": True, "weight_decay": 0.1},
    {"fused": True},
    {"foreach": True},
    {"foreach": False, "maximize": True},
    {"lr": torch.tensor(0.02), "betas": (0.8, 0.98)},
]
WITHOUT_COMPILER = """
import copy, sys, torch
from treadle.loop.adamw import AdamW
weight = torch.nn.Parameter(torch.ones(3))
optimizer = AdamW([{"params": [weight]}], lr=0.1)
for _ in range(2):
    optimizer.zero_grad()
    weight.sum().backward()
    optimizer.step()
other = torch.nn.Parameter(torch.ones(3))
AdamW([other]).load_state_dict(copy.deepcopy(optimizer.state_dict()))
print([name for name in ("torch._dynamo", "torch._inductor", "sympy") if name in sys.modules])
"""


def a_network() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 1))


def turned(kind: Any, steps: int, options: dict[str, Any]) -> tuple[nn.Module, Any]:
    network = a_network()
    optimizer = kind(network.parameters(), **options)
    inputs_NF = torch.linspace(-1, 1, 40).reshape(8, 5)
    for _ in range(steps):
        optimizer.zero_grad()
        network(inputs_NF).square().sum().backward()
        optimizer.step()
    return network, optimizer


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_equals_torchs_own_to_the_bit(options: dict[str, Any]) -> None:
    network, optimizer = turned(AdamW, 4, copy.deepcopy(options))
    expected_network, expected = turned(torch.optim.AdamW, 4, copy.deepcopy(options))
    assert equal(dict(network.state_dict()), dict(expected_network.state_dict()))
    assert equal(optimizer.state_dict(), expected.state_dict())
    assert expected.state_dict()["state"]


@pytest.mark.parametrize(
    ("saved", "loaded"), [(AdamW, torch.optim.AdamW), (torch.optim.AdamW, AdamW)]
)
def test_either_goes_on_from_the_state_of_the_other(saved: Any, loaded: Any) -> None:
    _, optimizer = turned(saved, 3, {"lr": 0.03})
    other = loaded(a_network().parameters())
    other.load_state_dict(optimizer.state_dict())
    assert equal(other.state_dict(), optimizer.state_dict())


def test_updates_without_gradients_of_its_own_and_gives_back_the_closures_loss() -> None:
    weight = nn.Parameter(torch.ones(2))
    optimizer = AdamW([weight])

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = weight.sum()
        loss.backward()
        return loss

    assert optimizer.step(closure) == 2
    assert weight.grad_fn is None
    assert torch.is_grad_enabled()


def test_hooks_of_torchs_optimizers_are_called() -> None:
    weight = nn.Parameter(torch.ones(2))
    optimizer, called = AdamW([weight]), []
    optimizer.register_step_pre_hook(lambda *_: called.append("before"))
    optimizer.register_step_post_hook(lambda *_: called.append("after"))
    optimizer.register_state_dict_post_hook(lambda *_: called.append("state"))
    optimizer.step()
    optimizer.state_dict()
    assert called == ["before", "after", "state"]


def test_refuses_what_torchs_own_refuses() -> None:
    weight = nn.Parameter(torch.ones(2))
    with pytest.raises(ValueError, match="more than one parameter group"):
        AdamW([{"params": [weight]}, {"params": [weight]}])


def test_never_loads_torchs_compiler() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_COMPILER], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"
