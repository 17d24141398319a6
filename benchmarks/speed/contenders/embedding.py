"""A large embedding table in plain torch: dense Adam, and torch's own SparseAdam."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from benchmarks.speed.data import Spec
from benchmarks.speed.gate import Gate

NUM_EVALUATED = 65_536


class Scores(nn.Module):
    """A table of vectors and one linear layer: identities int64 [B] → logits float32 [B]."""

    def __init__(self, spec: Spec, *, sparse: bool) -> None:
        super().__init__()
        self.table = nn.Embedding(spec["identities"], spec["width"], sparse=sparse)
        self.head = nn.Linear(spec["width"], 1)

    def forward(self, identities: Tensor) -> Tensor:
        return self.head(self.table(identities))[:, 0]


def module(spec: Spec, *, sparse: bool) -> Scores:
    torch.set_num_threads(spec["threads"])
    torch.manual_seed(spec["seed"])
    return Scores(spec, sparse=sparse)


def tensors(spec: Spec) -> dict[str, Tensor]:
    """Return identities int64 [N], a few of them frequent, and the answers float32 [N]."""
    draw = np.random.default_rng(spec["seed"])
    uniform = draw.random(spec["rows"])
    identities = (spec["identities"] * uniform**3).astype(np.int64)
    taste = draw.random(spec["identities"], dtype=np.float32)
    answers = draw.random(spec["rows"]) < taste[identities]
    return {"x": torch.from_numpy(identities), "y": torch.from_numpy(answers.astype(np.float32))}


def loop(spec: Spec, gate: Gate) -> None:
    """Train by hand. spec: `sparse` takes SparseAdam for the table and Adam for the head."""
    data = tensors(spec)
    network = module(spec, sparse=spec["sparse"])
    optimizers = adams(network, spec)
    draw = torch.Generator().manual_seed(spec["seed"])

    def train(steps: int) -> None:
        for _ in range(steps):
            rows = torch.randint(spec["rows"], (spec["batch"],), generator=draw)
            for optimizer in optimizers:
                optimizer.zero_grad()
            logits_B = network(data["x"].index_select(0, rows))
            answers_B = data["y"].index_select(0, rows)
            binary_cross_entropy_with_logits(logits_B, answers_B).backward()
            for optimizer in optimizers:
                optimizer.step()

    gate.serve(train, facts(network, data))


def adams(network: Scores, spec: Spec) -> list[torch.optim.Optimizer]:
    """Return Adam for everything, or SparseAdam for the table and Adam for the head."""
    if not spec["sparse"]:
        return [torch.optim.Adam(network.parameters(), lr=spec["rate"])]
    return [
        torch.optim.SparseAdam(network.table.parameters(), lr=spec["rate"]),
        torch.optim.Adam(network.head.parameters(), lr=spec["rate"]),
    ]


def facts(network: nn.Module, data: dict[str, Tensor]) -> Callable[[], dict[str, Any]]:
    def found() -> dict[str, Any]:
        with torch.no_grad():
            logits_B = network(data["x"][:NUM_EVALUATED])
            answers_B = data["y"][:NUM_EVALUATED]
            return {"loss": float(binary_cross_entropy_with_logits(logits_B, answers_B))}

    return found
