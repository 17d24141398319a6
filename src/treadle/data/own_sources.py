"""An engineer's own data in batches: tensors, dicts of tensors, a Dataset, a DataLoader."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from treadle.contracts import Cursor, mix
from treadle.data.batches import TensorSource, order
from treadle.data.sampling import (
    SeededDataset,
    generators,
    kept_generators,
    leave_stopping_to_parent,
    set_generators,
)
from treadle.data.workers import PATIENCE_SECONDS, Workers
from treadle.errors import DataError

OwnBatch = Any
"""What a user's loss gets: (input, target) or a dict of tensors, or what their loader yields."""


class TupleSource(TensorSource):
    """Tensors given as a tuple (x, y): batches are tuples of the same; of one given bare, it."""

    def __init__(self, tensors: Sequence[Tensor], *, bare: bool = False, **options: Any) -> None:
        named = {str(number): tensor for number, tensor in enumerate(tensors)}
        super().__init__(named, with_row=False, **options)
        self.bare = bare

    def _formed(self, batch: dict[str, Tensor]) -> OwnBatch:
        return batch["0"] if self.bare else tuple(batch.values())


class DictSource(TensorSource):
    """A dict of tensors: batches are dicts of the same names, without a row number of ours."""

    def __init__(self, tensors: Mapping[str, Tensor], **options: Any) -> None:
        super().__init__(tensors, with_row=False, **options)


class DatasetSource:
    """A map-style Dataset in our own order, which is a function of (seed, epoch), from any row on.

    Every sample is fetched with generators seeded by (seed, epoch, row): augmentation is the same
    after a resume, and however many worker processes fetch.

    loading: options of torch's DataLoader, such as num_workers
    worker_timeout_seconds: how long a worker process may take over a batch, where `loading` does
             not say; see data/workers.py

    Raises: DataError naming the row where a worker process hangs or dies.
    """

    def __init__(
        self,
        dataset: Dataset[Any],
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        drop_last: bool = False,
        collate: Callable[[list[Any]], OwnBatch] | None = None,
        loading: Mapping[str, Any] | None = None,
        worker_timeout_seconds: float = PATIENCE_SECONDS,
        device: torch.device | None = None,
    ) -> None:
        self.dataset = dataset
        self.num_rows = len(dataset)  # type: ignore[arg-type]
        if self.num_rows == 0:
            raise DataError("the Dataset is empty.", "Training needs at least one sample.")
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.collate = collate or default_collate
        self.loading = dict(loading or {})
        num_workers = self.loading.get("num_workers", 0)
        if num_workers and not self.loading.get("timeout"):
            self.loading["timeout"] = worker_timeout_seconds
        self.workers = Workers(num_workers)
        self.device = device or torch.device("cpu")
        whole = self.num_rows // batch_size
        self.steps_per_epoch = whole if drop_last and whole else -(-self.num_rows // batch_size)

    def batches(self, start: Cursor) -> Iterator[tuple[OwnBatch, Cursor]]:
        epoch, position = start
        while True:
            for batch in self._fetch(self._chunks(epoch)[position // self.batch_size :], epoch):
                position += self.batch_size
                last = position // self.batch_size >= self.steps_per_epoch
                yield batch, Cursor(epoch + 1, 0) if last else Cursor(epoch, position)
            epoch, position = epoch + 1, 0

    def once(self) -> Iterator[OwnBatch]:
        rows = range(self.num_rows)
        step = self.batch_size
        yield from self._fetch([list(rows[i : i + step]) for i in range(0, len(rows), step)], 0)

    def _chunks(self, epoch: int) -> list[list[int]]:
        drawn = order(self.num_rows, self.seed, epoch) if self.shuffle else None
        rows = list(range(self.num_rows)) if drawn is None else drawn.tolist()
        starts = range(0, self.steps_per_epoch * self.batch_size, self.batch_size)
        return [rows[i : i + self.batch_size] for i in starts]

    def _fetch(self, chunks: list[list[int]], epoch: int) -> Iterator[OwnBatch]:
        at_start = self.loading.get("worker_init_fn")
        loader: DataLoader[Any] = DataLoader(
            SeededDataset(self.dataset, self.seed, epoch, self.workers.at),
            batch_sampler=chunks,
            collate_fn=self.collate,
            generator=torch.Generator().manual_seed(mix(self.seed, epoch, 1)),
            **{**self.loading, "worker_init_fn": partial(leave_stopping_to_parent, at_start)},
        )
        for batch in self.workers.watched(loader, epoch, chunks):
            yield to_device(batch, self.device)


class LoaderSource:
    """A DataLoader whose order is not ours: it is turned as it is.

    Where it has a state_dict (torchdata's StatefulDataLoader), that is saved and put back;
    otherwise a resume starts its epoch anew, and `exact` is False. Of a stream that does not know
    its length, the rows and steps of an epoch are guesses until a first epoch was turned.

    worker_timeout_seconds: how long a worker process of a torch DataLoader may take over a batch,
        where the loader itself does not say

    Raises: DataError naming the batch where a worker process hangs or dies.
    """

    def __init__(
        self,
        loader: Any,
        device: torch.device | None = None,
        *,
        worker_timeout_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.loader = loader
        if isinstance(loader, DataLoader) and loader.num_workers and not loader.timeout:
            loader.timeout = worker_timeout_seconds
        self.workers = Workers(0)
        self.device = device or torch.device("cpu")
        self.batch_size = getattr(loader, "batch_size", None) or 1
        try:
            self.num_batches: int | None = len(loader)
        except TypeError:  # an iterable dataset does not know its length
            self.num_batches = None
        keeps_place = hasattr(loader, "state_dict") and hasattr(loader, "load_state_dict")
        self.exact = keeps_place and self.num_batches is not None
        self.steps_per_epoch = self.num_batches or 1_000
        self.num_rows = self.steps_per_epoch * self.batch_size

    def batches(self, start: Cursor) -> Iterator[tuple[OwnBatch, Cursor]]:
        epoch, position = start if self.exact else Cursor(start.epoch, 0)
        empty = 0  # a loader put back at the end of an epoch has nothing left in its first pass
        while empty < 2:
            before, states = position, generators()
            for batch, is_last in self._marked(position // self.batch_size, epoch):
                position += self.batch_size
                after = Cursor(epoch + 1, 0) if is_last else Cursor(epoch, position)
                if is_last:
                    self.num_rows, self.steps_per_epoch = position, position // self.batch_size
                yield to_device(batch, self.device), after
            if position == before:
                set_generators(states)
                empty, position = empty + 1, 0
            else:
                empty, epoch, position = 0, epoch + 1, 0
        raise DataError("the DataLoader yielded no batch.", "Does its dataset have rows?")

    def once(self) -> Iterator[OwnBatch]:
        for batch in self.workers.watched(self.loader):
            yield to_device(batch, self.device)

    def _marked(self, taken: int, epoch: int) -> Iterator[tuple[OwnBatch, bool]]:
        """Yield (batch, whether it is the epoch's last); never ahead where the length is known.

        Going on in the middle of an epoch leaves the process's generators as a run that was never
        left would have them.
        """
        with kept_generators() if taken else nullcontext():
            items = self.workers.watched(iter(self.loader), epoch, taken=taken)
        if self.num_batches is None:
            yield from _mark_last(items)
            return
        for number, batch in enumerate(items, start=taken + 1):
            yield batch, number >= self.num_batches


def to_device(batch: OwnBatch, device: torch.device) -> OwnBatch:
    """Move every tensor of a batch, nested in any way, and leave the rest as it is."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, Mapping):
        return {name: to_device(value, device) for name, value in batch.items()}
    if isinstance(batch, (tuple, list)):
        moved = [to_device(value, device) for value in batch]
        return type(batch)(*moved) if hasattr(batch, "_fields") else type(batch)(moved)
    return batch


def _mark_last(items: Iterator[Any]) -> Iterator[tuple[Any, bool]]:
    """Yield (item, whether it is the last)."""
    try:
        current = next(items)
    except StopIteration:
        return
    for following in items:
        yield current, False
        current = following
    yield current, True
