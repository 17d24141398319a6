"""The small network in plain torch: over tensor slices, with a DataLoader, captured whole."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.speed import data
from benchmarks.speed.data import Spec
from benchmarks.speed.gate import Gate


def network(spec: Spec) -> nn.Sequential:
    """Return the network with the first weights that all contenders share."""
    parts: list[nn.Module] = []
    for weight, bias in data.layers(spec):
        linear = nn.Linear(*weight.shape)
        linear.load_state_dict({"weight": torch.tensor(weight.T), "bias": torch.tensor(bias)})
        parts += [linear, nn.ReLU()]
    return nn.Sequential(*parts[:-1])


def tensors(spec: Spec) -> tuple[Tensor, Tensor]:
    torch.set_num_threads(spec["threads"])
    x_NF, y_N1 = data.regression(spec)
    return torch.from_numpy(x_NF), torch.from_numpy(y_N1)


def slices(spec: Spec, x_NF: Tensor, y_N1: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches without end, in the order that Treadle's source takes the rows."""
    epoch = 0
    while True:
        seed = spec["epoch_seeds"][epoch % len(spec["epoch_seeds"])]
        rows = torch.randperm(len(x_NF), generator=torch.Generator().manual_seed(seed))
        for batch in rows.split(spec["batch"]):
            yield x_NF.index_select(0, batch), y_N1.index_select(0, batch)
        epoch += 1


def facts(module: nn.Module, x_NF: Tensor, y_N1: Tensor) -> Callable[[], dict[str, Any]]:
    """Return what says that training took place: the loss now, and a digest of the weights."""

    def found() -> dict[str, Any]:
        with torch.no_grad():
            sample = slice(0, data.NUM_EVALUATED)
            loss = float(mse_loss(module(x_NF[sample]), y_N1[sample]))
        weights = b"".join(p.detach().numpy().tobytes() for p in module.parameters())
        digest = hashlib.sha256(weights).hexdigest()
        return {"loss": loss, "weights": digest, "torch": torch.__version__}

    return found


def loop(spec: Spec, gate: Gate) -> None:
    """Train as a careful engineer would write it by hand. spec: `fused`, the optimizer's."""
    x_NF, y_N1 = tensors(spec)
    module = network(spec)
    optimizer = adamw(module, spec)
    batches = slices(spec, x_NF, y_N1)

    def train(steps: int) -> None:
        for _ in range(steps):
            x_BF, y_B1 = next(batches)
            optimizer.zero_grad()
            mse_loss(module(x_BF), y_B1).backward()
            optimizer.step()

    gate.serve(train, facts(module, x_NF, y_N1))


def dataloader(spec: Spec, gate: Gate) -> None:
    """Train from a DataLoader over a TensorDataset, in the main process."""
    x_NF, y_N1 = tensors(spec)
    module = network(spec)
    optimizer = adamw(module, spec)
    loader = DataLoader(TensorDataset(x_NF, y_N1), batch_size=spec["batch"], shuffle=True)
    gate.facts = facts(module, x_NF, y_N1)
    while True:
        for x_BF, y_B1 in loader:
            optimizer.zero_grad()
            mse_loss(module(x_BF), y_B1).backward()
            optimizer.step()
            gate.tick()


def captured(spec: Spec, gate: Gate) -> None:
    """Train by one function that torch.compile captured whole: forward to update, in place."""
    x_NF, y_N1 = tensors(spec)
    module = network(spec)
    parameters = [p.detach() for p in module.parameters()]
    means, squares = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
    counter = torch.zeros(())
    step = torch.compile(_whole_step(spec), dynamic=False, fullgraph=True)
    batches = slices(spec, x_NF, y_N1)

    def train(steps: int) -> None:
        for _ in range(steps):
            x_BF, y_B1 = next(batches)
            step(parameters, means, squares, counter, x_BF, y_B1)

    gate.serve(train, facts(module, x_NF, y_N1))


def _whole_step(spec: Spec) -> Callable[..., None]:
    rate, decay = float(spec["rate"]), float(spec["decay"])

    def loss_of(parameters: list[Tensor], x_BF: Tensor, y_B1: Tensor) -> Tensor:
        w1, b1, w2, b2, w3, b3 = parameters
        hidden_BD = torch.relu(nn.functional.linear(x_BF, w1, b1))
        hidden_BD = torch.relu(nn.functional.linear(hidden_BD, w2, b2))
        return mse_loss(nn.functional.linear(hidden_BD, w3, b3), y_B1)

    def step(
        parameters: list[Tensor],
        means: list[Tensor],
        squares: list[Tensor],
        counter: Tensor,
        x_BF: Tensor,
        y_B1: Tensor,
    ) -> None:
        gradients = torch.func.grad(loss_of)(parameters, x_BF, y_B1)
        counter.add_(1)
        first, second = 1 - 0.9**counter, (1 - 0.999**counter).sqrt()
        for p, g, mean, square in zip(parameters, gradients, means, squares, strict=True):
            mean.lerp_(g, 0.1)
            square.mul_(0.999).addcmul_(g, g, value=0.001)
            p.mul_(1 - rate * decay)
            p.sub_(rate / first * mean / (square.sqrt() / second + 1e-8))

    return step


def adamw(module: nn.Module, spec: Spec) -> torch.optim.AdamW:
    rate, decay, fused = spec["rate"], spec["decay"], spec.get("fused")
    return torch.optim.AdamW(module.parameters(), lr=rate, weight_decay=decay, fused=fused)
