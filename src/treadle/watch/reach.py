"""How far the numbers of a batch reach: a broken one holds what no other batch comes near to.

A loss that jumps may come of a rate that is too high; numbers that are a hundred times as large as
those of all other batches never do.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from treadle.contracts import Cursor, Json, Source
from treadle.loop.state import TrainState
from treadle.watch.evidence import Array

if TYPE_CHECKING:
    from torch import Tensor

MEMORY = "reach"
WILD = 100.0
"""How many times as far as usual numbers must reach to be broken. Between batches of heavy-tailed
numbers (Student's t with three degrees of freedom) it is ten times at most."""

USUAL_OVER, FEWEST = 20, 5
"""Batches whose median reach is the usual one, and how many of them must have been seen."""

MOST_NOTED = 64
BEYOND = 1e30
"""What stands for no number at all."""


class Reaching:
    """A source that keeps its newest batch at hand, and a watcher that looks how far it reaches.

    What is usual, and which steps' batches were wild, is in the state: a resumed run goes on so.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.num_rows = source.num_rows
        self._batch: Any = None

    def batches(self, start: Cursor) -> Iterator[tuple[Any, Cursor]]:
        """Yield what the source yields."""
        for batch, cursor in self.source.batches(start):
            self._batch = batch
            yield batch, cursor

    def __call__(self, state: TrainState) -> None:
        memory = state.memory.setdefault(MEMORY, {"usual": [], "wild": []})
        reaches = [reach_of(tensor) for tensor in _tensors(self._batch)]
        while len(memory["usual"]) < len(reaches):
            memory["usual"].append([])
        times = 0.0
        for reach, usual in zip(reaches, memory["usual"], strict=False):
            if len(usual) >= FEWEST and 0 < statistics.median(usual) < reach / WILD:
                times = max(times, reach / statistics.median(usual))
            else:
                usual.append(reach)
                del usual[:-USUAL_OVER]
        if times and len(memory["wild"]) < MOST_NOTED:
            memory["wild"].append([state.step, min(times, BEYOND)])


def wild_of(memory: Json) -> Array:
    """Return the batches that reached too far: [W, 2], the step and how many times the usual."""
    found = memory.get(MEMORY, {}).get("wild", ())
    return np.array(found, dtype=np.float64).reshape(-1, 2)


def reach_of(tensor: Tensor) -> float:
    """Return how far from zero the numbers of a tensor reach; infinite for what is no number."""
    low, high = (float(end) for end in tensor.detach().aminmax())
    reach = max(-low, high)
    return reach if math.isfinite(reach) else math.inf


def _tensors(batch: Any) -> Iterator[Tensor]:
    """Yield the tensors of numbers in a batch, nested in any way, in their order."""
    if isinstance(batch, Mapping):
        for value in batch.values():
            yield from _tensors(value)
    elif isinstance(batch, (tuple, list)):
        for value in batch:
            yield from _tensors(value)
    elif hasattr(batch, "is_floating_point") and batch.is_floating_point() and batch.numel():
        yield batch
