"""Batches sliced from tensors in memory, in an order that is a function of (seed, epoch)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import torch

from treadle.contracts import Batch, Cursor, mix
from treadle.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor


def order(num_rows: int, seed: int, epoch: int) -> Tensor:
    """Return an epoch's order of rows, int64 [N]: a permutation drawn from (seed, epoch)."""
    generator = torch.Generator().manual_seed(mix(seed, epoch))
    return torch.randperm(num_rows, generator=generator)


class TensorSource:
    """Endless batches of dict-of-tensors data, one gather a tensor and no Python per row.

    tensors:    name → tensor [N, …]; `row` int64 [N] is added where it is absent
    batch_size: B; the last batch of an epoch holds what is left, so each row comes once an epoch
    shuffle:    False gives the rows as they stand
    with_epoch: add `epoch` int64 [B], which counter-based randomness in a model needs

    Raises: DataError when the tensors differ in their number of rows or have none.
    """

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        with_epoch: bool = False,
    ) -> None:
        self.num_rows = _common_rows(tensors)
        if self.num_rows == 0 or batch_size < 1:
            raise DataError(
                f"there are {self.num_rows:,} rows in batches of {batch_size:,}.",
                "Training needs at least one row and a batch of at least one.",
            )
        self.tensors = dict(tensors)
        device = next(iter(tensors.values())).device
        self.tensors.setdefault("row", torch.arange(self.num_rows, device=device))
        self.device = device
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.with_epoch = with_epoch

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.num_rows // self.batch_size)

    def batches(self, start: Cursor) -> Iterator[tuple[Batch, Cursor]]:
        """Yield (batch, the cursor after it) from `start` on, without end."""
        epoch, position = start
        while True:
            rows = self._rows(epoch)
            while position < self.num_rows:
                end = min(position + self.batch_size, self.num_rows)
                after = Cursor(epoch, end) if end < self.num_rows else Cursor(epoch + 1, 0)
                yield self._batch(rows[position:end], epoch), after
                position = end
            epoch, position = epoch + 1, 0

    def once(self) -> Iterator[Batch]:
        """Yield every row once, in order, as for validation."""
        for start in range(0, self.num_rows, self.batch_size):
            end = start + self.batch_size
            yield {name: tensor[start:end] for name, tensor in self.tensors.items()}

    def _rows(self, epoch: int) -> Tensor:
        if not self.shuffle:
            return torch.arange(self.num_rows, device=self.device)
        return order(self.num_rows, self.seed, epoch).to(self.device)

    def _batch(self, rows: Tensor, epoch: int) -> Batch:
        batch = {name: tensor.index_select(0, rows) for name, tensor in self.tensors.items()}
        if self.with_epoch:
            batch["epoch"] = torch.full_like(rows, epoch)
        return batch


def _common_rows(tensors: Mapping[str, Tensor]) -> int:
    """Return how many rows all tensors have. Raises: DataError."""
    numbers = [name for name, tensor in tensors.items() if tensor.ndim == 0]
    sizes = {name: len(tensor) for name, tensor in tensors.items() if tensor.ndim}
    if not numbers and len(set(sizes.values())) == 1:
        return next(iter(sizes.values()))
    if numbers or not sizes:
        found = f"{', '.join(numbers)} is a single number" if numbers else "there are no tensors"
    else:
        found = "the tensors differ in their number of rows: " + ", ".join(
            f"{name} has {size:,}" for name, size in sizes.items()
        )
    raise DataError(f"{found}.", "Every tensor's first dimension is the row.")


class WholeSource:
    """The whole data as one batch, an epoch a step: how trees take it."""

    def __init__(self, tensors: Batch) -> None:
        self.tensors = tensors
        self.num_rows = len(next(iter(tensors.values())))
        self.steps_per_epoch = 1

    def batches(self, start: Cursor) -> Iterator[tuple[Batch, Cursor]]:
        epoch = start.epoch
        while True:
            epoch += 1
            yield self.tensors, Cursor(epoch, 0)
