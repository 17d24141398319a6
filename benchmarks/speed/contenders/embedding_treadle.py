"""The embedding table turned by Treadle: by torch's SparseAdam, and by row-wise updates."""

from __future__ import annotations

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from benchmarks.speed.contenders import embedding, treadle_turning
from benchmarks.speed.data import Spec
from benchmarks.speed.gate import Gate
from treadle.contracts import Batch, LossParts
from treadle.data.batches import TensorSource
from treadle.loop.row_adam import RowAdam
from treadle.loop.state import TrainState


def sparse(spec: Spec, gate: Gate) -> None:
    """Train with the optimizers of the loop by hand, called as they are."""
    network = embedding.module(spec, sparse=True)
    table, head = embedding.adams(network, {**spec, "sparse": True})
    _turn(spec, gate, network, {"table": table, "head": head})


def rowwise(spec: Spec, gate: Gate) -> None:
    """Train with Treadle's own updates of the rows that a batch looked up."""
    network = embedding.module(spec, sparse=True)
    _, head = embedding.adams(network, {**spec, "sparse": True})
    table = RowAdam(network.table.parameters(), lr=spec["rate"])
    _turn(spec, gate, network, {"table": table, "head": head})


def _turn(
    spec: Spec,
    gate: Gate,
    network: embedding.Scores,
    optimizers: dict[str, torch.optim.Optimizer],
) -> None:
    tensors = embedding.tensors(spec)
    state = TrainState(model=network, optimizers=optimizers)
    source = TensorSource(tensors, batch_size=spec["batch"], seed=spec["seed"])

    def loss(batch: Batch) -> LossParts:
        logits_B = network(batch["x"])
        total = binary_cross_entropy_with_logits(logits_B, batch["y"], reduction="sum")
        return total, logits_B.new_tensor(len(logits_B))

    gate.facts = embedding.facts(network, tensors)
    treadle_turning.turn_for(spec, gate, state, source, loss)
