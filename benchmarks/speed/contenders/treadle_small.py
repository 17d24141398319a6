"""The small network turned by Treadle, and what the loop alone costs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from benchmarks.speed.contenders import torch_small, treadle_turning
from benchmarks.speed.data import Spec
from benchmarks.speed.gate import Gate
from treadle.contracts import Batch, Cursor
from treadle.data.batches import TensorSource
from treadle.loop.loop import turn
from treadle.loop.state import TrainState
from treadle.loop.until import steps as until_steps


def small(spec: Spec, gate: Gate) -> None:
    """Train the small network. spec: `engine`, eager or compiled; `fused`, the optimizer's."""
    x_NF, y_N1 = torch_small.tensors(spec)
    module = torch_small.network(spec)
    source = TensorSource({"x": x_NF, "y": y_N1}, batch_size=spec["batch"], seed=spec["seed"])

    def loss(batch: Batch) -> Tensor:
        return mse_loss(module(batch["x"]), batch["y"])

    state = TrainState(model=module, optimizers={"main": torch_small.adamw(module, spec)})
    gate.facts = torch_small.facts(module, x_NF, y_N1)
    treadle_turning.turn_for(spec, gate, state, source, loss)


class ReadyBatches:
    """Batches that are there already, given again and again."""

    num_rows = 100_000

    def __init__(self) -> None:
        batch = {"x": torch.zeros(256, 32)}
        cursors = [Cursor(0, 256 * place) for place in range(390)]
        self.pairs = [(batch, cursor) for cursor in cursors]

    def batches(self, start: Cursor) -> Iterator[tuple[Batch, Cursor]]:
        return cycle(self.pairs)


def loop_alone(spec: Spec, gate: Gate) -> None:
    """Turn the loop with a step that does nothing."""
    torch.set_num_threads(spec["threads"])
    state = TrainState(model=nn.Linear(1, 1))
    source = ReadyBatches()

    def step(_: TrainState, __: Batch) -> None:
        return None

    gate.serve(
        lambda steps: turn(state, source, step, until=until_steps(state.step + steps)) and None
    )
