"""Rows of an own module's training: inputs, target, and what a network must know of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.zoo.networks import Shape

Maker = Callable[[int, int, Path | None, Path], "Rows"]
"""(how many rows, seed, folder of real data, cache) → rows in an order drawn with the seed."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """inputs: tensors [N, …] that the module is given; target [N], or [N, O] for numbers."""

    inputs: tuple[Tensor, ...]
    target: Tensor
    shape: Shape

    def __len__(self) -> int:
        return len(self.target)

    def take(self, places: Tensor | slice) -> Rows:
        inputs = tuple(tensor[places] for tensor in self.inputs)
        return replace(self, inputs=inputs, target=self.target[places])

    @property
    def has_classes(self) -> bool:
        return self.target.dtype == torch.int64

    def tensors(self) -> tuple[Tensor, ...]:
        return (*self.inputs, self.target)


def table_rows(x_NF: Tensor, target_N: Tensor) -> Rows:
    """Return rows of numbers: float32 [N, F] and classes int64 [N], or values made [N, 1]."""
    if target_N.dtype == torch.int64:
        shape = Shape(inputs=x_NF.shape[1], outputs=int(target_N.max()) + 1)
        return Rows(inputs=(x_NF.float(),), target=target_N, shape=shape)
    target_NO = target_N.float().reshape(len(target_N), -1)
    shape = Shape(inputs=x_NF.shape[1], outputs=target_NO.shape[1])
    return Rows(inputs=(x_NF.float(),), target=target_NO, shape=shape)


def shuffled(rows: Rows, count: int, seed: int) -> Rows:
    """Return `count` rows, drawn with `seed`. Raises: ValueError where there are fewer."""
    if count > len(rows):
        raise ValueError(f"{count:,} rows are asked for, and there are {len(rows):,}.")
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    return rows.take(order[:count])
