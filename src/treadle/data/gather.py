"""Rows gathered from tensors in memory, into buffers that are used again once nobody holds them."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Rows: TypeAlias = NDArray[np.int64]
NUM_BUFFERS = 3
"""A loop holds a batch while it asks for the next one; the third is for a step that keeps one."""

_LINE_BYTES = 64
_WORTH_THREADS = 32_768  # elements from which torch gathers on several threads
_SAME_WIDTH = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def gatherer(tensor: Tensor) -> Callable[[Any], Tensor]:
    """Return a function of row numbers int64 [B] that gathers them from `tensor` [N, …].

    The numbers come as an array for a tensor on the CPU, and as a tensor beside it elsewhere.
    What is returned is never overwritten while anybody holds it, a view or a graph made of it.
    """
    if can_be_reused(tensor):
        return BufferedColumn(tensor)
    if tensor.device.type == "cpu":
        return lambda rows: tensor.index_select(0, torch.from_numpy(rows))
    return lambda rows: tensor.index_select(0, rows)


def can_be_reused(tensor: Tensor) -> bool:
    """Tell whether a plain copy of its bytes is all that a gather of this tensor means."""
    return (
        type(tensor) is torch.Tensor
        and tensor.device.type == "cpu"
        and tensor.layout == torch.strided
        and tensor.is_contiguous()
        and not (tensor.requires_grad or tensor.is_conj() or tensor.is_neg())
        and not tensor.is_quantized
        and (tensor.dtype.itemsize in _SAME_WIDTH or tensor.dtype == torch.complex128)
    )


class BufferedColumn:
    """One tensor, and a few buffers its rows are gathered into by turns.

    Small gathers are numpy's, which takes rows in a third of the time torch needs to begin; large
    ones are torch's where it has several threads.
    """

    def __init__(self, tensor: Tensor) -> None:
        self.dtype = tensor.dtype
        self.table = _as_numpy(tensor)  # [N, …]
        self.row_elements = math.prod(tensor.shape[1:])
        self.needs_view = torch.from_numpy(self.table[:0]).dtype != tensor.dtype
        self.buffers = Buffers(self.table.dtype, self.table.shape[1:])

    def __call__(self, rows: Rows) -> Tensor:
        """Return rows [B, …] of the tensor."""
        part = self.buffers.part(len(rows))
        gathered = torch.from_numpy(part)
        if len(rows) * self.row_elements >= _WORTH_THREADS and torch.get_num_threads() > 1:
            torch.index_select(
                torch.from_numpy(self.table), 0, torch.from_numpy(rows), out=gathered
            )
        else:
            self.table.take(rows, 0, part, "clip")  # any other mode gathers twice
        return gathered.view(self.dtype) if self.needs_view else gathered


class Buffers:
    """Room for rows of one shape and type, the same few pieces of memory given out by turns.

    What somebody still holds is left to them, and new memory takes its turn.
    """

    def __init__(
        self, dtype: np.dtype[Any], shape: tuple[int, ...], *, count: int = NUM_BUFFERS
    ) -> None:
        self.dtype, self.shape, self.count = dtype, shape, count
        self._given: list[_Buffer] = []
        self._turn = 0

    def part(self, num_rows: int, capacity: int = 0) -> NDArray[Any]:
        """Return room [num_rows, …]; memory that is made new has room for `capacity` rows."""
        self._turn = (self._turn + 1) % self.count
        if self._turn < len(self._given):
            part = self._given[self._turn].part(num_rows)
            if part is not None:
                return part
        made = _Buffer(self.dtype, (max(num_rows, capacity), *self.shape))
        if self._turn < len(self._given):
            self._given[self._turn] = made
        else:
            self._given.append(made)
        part = made.part(num_rows)
        assert part is not None
        return part


class _Buffer:
    """Memory for some rows, and the knowledge whether anybody still looks at it.

    Every tensor, view, storage or saved activation on it holds the slice it was given, and every
    slice holds the memory: the count of references says it all.
    """

    def __init__(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        size = math.prod(shape) * dtype.itemsize
        self.memory = np.empty(size + _LINE_BYTES, np.uint8)
        # where a tensor begins decides how a matrix product sums it: always at a cache line
        start = -self.memory.ctypes.data % _LINE_BYTES
        self.whole = self.memory[start : start + size].view(dtype).reshape(shape)
        self.capacity = shape[0]
        self.unheld = sys.getrefcount(self.memory) + 1

    def part(self, num_rows: int) -> NDArray[Any] | None:
        """Return the first rows, or None where they do not fit or somebody holds them."""
        part = self.whole[:num_rows]  # taken before it is counted: two threads never share one
        is_free = sys.getrefcount(self.memory) == self.unheld
        return part if is_free and num_rows <= self.capacity else None


def _as_numpy(tensor: Tensor) -> NDArray[Any]:
    """Return an array on the tensor's own memory, of integers where numpy lacks the type."""
    try:
        array: NDArray[Any] = tensor.numpy()
    except TypeError:
        array = tensor.view(_SAME_WIDTH[tensor.dtype.itemsize]).numpy()
    return array
