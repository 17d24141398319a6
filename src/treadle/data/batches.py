"""Batches sliced from tensors in memory, in an order that is a function of (seed, epoch)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch

from treadle.contracts import Batch, Cursor, mix
from treadle.data.gather import Rows, gatherer
from treadle.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor


def order(num_rows: int, seed: int, epoch: int, out: Tensor | None = None) -> Tensor:
    """Return an epoch's order of rows, int64 [N]: a permutation drawn from (seed, epoch).

    out: int64 [N] to put it into
    """
    generator = torch.Generator().manual_seed(mix(seed, epoch))
    return torch.randperm(num_rows, generator=generator, out=out)


class TensorSource:
    """Endless batches of dict-of-tensors data, one gather a tensor and no Python per row.

    tensors:    name → tensor [N, …]; `row` int64 [N] is added where it is absent
    batch_size: B; the last batch of an epoch holds what is left, so each row comes once an epoch
    shuffle:    False gives the rows as they stand
    with_row:   False adds no `row`
    with_epoch: add `epoch` int64 [B], which counter-based randomness in a model needs

    The memory of a batch is used again once nobody holds the batch, or anything made of it that
    shares its memory: keep one as long as you like.

    Raises: DataError when the tensors differ in their number of rows or have none.
    """

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        with_row: bool = True,
        with_epoch: bool = False,
    ) -> None:
        self.num_rows = _common_rows(tensors)
        if self.num_rows == 0 or batch_size < 1:
            raise DataError(
                f"there are {self.num_rows:,} rows in batches of {batch_size:,}.",
                "Training needs at least one row and a batch of at least one.",
            )
        self.tensors = dict(tensors)
        self.device = next(iter(tensors.values())).device
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.with_row = with_row and "row" not in tensors
        self.with_epoch = with_epoch
        self._columns = {name: gatherer(tensor) for name, tensor in tensors.items()}

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.num_rows // self.batch_size)

    def batches(self, start: Cursor) -> Iterator[tuple[Any, Cursor]]:
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

    def once(self) -> Iterator[Any]:
        """Yield every row once, in order, as for validation: views of the data, nothing copied."""
        parts = [tensor.split(self.batch_size) for tensor in self.tensors.values()]
        for number, row in enumerate(range(0, self.num_rows, self.batch_size)):
            batch = dict(zip(self.tensors, (part[number] for part in parts), strict=True))
            if self.with_row:
                end = min(row + self.batch_size, self.num_rows)
                batch["row"] = torch.arange(row, end, device=self.device)
            yield self._formed(batch)

    def _rows(self, epoch: int) -> Rows | Tensor:
        """Return an epoch's order int64 [N]: an array for data on the CPU, else a tensor there."""
        rows = (
            order(self.num_rows, self.seed, epoch) if self.shuffle else torch.arange(self.num_rows)
        )
        return rows.numpy() if self.device.type == "cpu" else rows.to(self.device)

    def _batch(self, rows: Rows | Tensor, epoch: int) -> Any:
        batch = {name: gather(rows) for name, gather in self._columns.items()}
        if self.with_row:
            # an epoch's order is drawn anew and each part of it is used once: no copy is needed
            batch["row"] = rows if isinstance(rows, torch.Tensor) else torch.from_numpy(rows)
        if self.with_epoch:
            batch["epoch"] = torch.full((len(rows),), epoch, device=self.device)
        return self._formed(batch)

    def _formed(self, batch: Batch) -> Any:
        """Return the batch in the form its consumer takes."""
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
