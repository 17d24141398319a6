"""The character GPT in a script by hand: compiled model, fused AdamW, nothing besides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.speed.contenders import gpt_model, torch_small
from benchmarks.speed.data import Spec
from benchmarks.speed.gate import Gate

NUM_EVALUATED = 16


def script(spec: Spec, gate: Gate) -> None:
    """Train by a script tuned by hand. spec: `compile`, off for the same script in eager mode."""
    module, windows = gpt_model.model(spec), gpt_model.windows(spec)
    loss = torch.compile(module, dynamic=False) if spec.get("compile", True) else module
    optimizer = torch_small.adamw(module, spec)
    batches = _batches(spec, windows)

    def train(steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            loss(next(batches)).backward()
            optimizer.step()

    gate.serve(train, facts(module, windows))


def trainer(spec: Spec, gate: Gate) -> None:
    """Train by Hugging Face's Trainer, the same module wrapped as it wants it."""
    from benchmarks.speed.contenders import hf_trainer

    module, windows = gpt_model.model(spec), gpt_model.windows(spec)
    gate.facts = facts(module, windows)
    hf_trainer.train(WithLoss(module), hf_trainer.Rows({"text": windows}), spec, gate)


class WithLoss(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, text: Tensor) -> dict[str, Tensor]:
        return {"loss": self.module(text)}


def facts(module: nn.Module, windows: Tensor) -> Callable[[], dict[str, Any]]:
    def found() -> dict[str, Any]:
        with torch.no_grad():
            loss = float(module(windows[:NUM_EVALUATED]))
        return {"loss": loss, "parameters": sum(p.numel() for p in module.parameters())}

    return found


def _batches(spec: Spec, windows: Tensor) -> Iterator[Tensor]:
    """Yield whole batches of windows in the order that Treadle's source takes them."""
    epoch = 0
    while True:
        seed = spec["epoch_seeds"][epoch % len(spec["epoch_seeds"])]
        rows = torch.randperm(len(windows), generator=torch.Generator().manual_seed(seed))
        for batch in rows.split(spec["batch"]):
            yield windows.index_select(0, batch)
        epoch += 1
