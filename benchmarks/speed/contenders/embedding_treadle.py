"""The embedding table turned by Treadle: by torch's SparseAdam, and by row-wise updates."""

from __future__ import annotations

import importlib.util

from torch.nn.functional import binary_cross_entropy_with_logits

from benchmarks.speed.contenders import embedding, treadle_turning
from benchmarks.speed.data import Spec
from benchmarks.speed.gate import Gate
from treadle.contracts import Batch, LossParts
from treadle.data.batches import TensorSource
from treadle.loop.state import TrainState

ROWWISE = "treadle.loop.rowwise"


def sparse(spec: Spec, gate: Gate) -> None:
    """Train with the optimizers of the loop by hand, called as they are."""
    tensors = embedding.tensors(spec)
    network = embedding.module(spec, sparse=True)
    table, head = embedding.adams(network, {**spec, "sparse": True})
    state = TrainState(model=network, optimizers={"table": table, "head": head})
    source = TensorSource(tensors, batch_size=spec["batch"], seed=spec["seed"])

    def loss(batch: Batch) -> LossParts:
        logits_B = network(batch["x"])
        total = binary_cross_entropy_with_logits(logits_B, batch["y"], reduction="sum")
        return total, logits_B.new_tensor(len(logits_B))

    gate.facts = embedding.facts(network, tensors)
    treadle_turning.turn_for(spec, gate, state, source, loss)


def rowwise(spec: Spec, gate: Gate) -> None:
    """Say that updates of the touched rows alone are not there to be measured."""
    there = importlib.util.find_spec(ROWWISE) is not None
    words = "has them, and this suite does not turn them yet" if there else "has none"
    raise RuntimeError(f"row-wise updates: this version of Treadle {words}")
