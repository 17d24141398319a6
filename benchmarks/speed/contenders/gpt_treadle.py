"""The character GPT turned by Treadle."""

from __future__ import annotations

from torch import Tensor

from benchmarks.speed.contenders import gpt_model, gpt_torch, torch_small, treadle_turning
from benchmarks.speed.data import Spec
from benchmarks.speed.gate import Gate
from treadle.contracts import Batch
from treadle.data.batches import TensorSource
from treadle.loop.state import TrainState


def characters(spec: Spec, gate: Gate) -> None:
    """Train the GPT. spec: `engine`, eager or compiled; `fused`, the optimizer's."""
    module, windows = gpt_model.model(spec), gpt_model.windows(spec)
    source = TensorSource({"text": windows}, batch_size=spec["batch"], seed=spec["seed"])

    def loss(batch: Batch) -> Tensor:
        found: Tensor = module(batch["text"])
        return found

    state = TrainState(model=module, optimizers={"main": torch_small.adamw(module, spec)})
    gate.facts = gpt_torch.facts(module, windows)
    treadle_turning.turn_for(spec, gate, state, source, loss)
