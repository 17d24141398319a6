"""An engineer's own data as a source: tensors, dicts of tensors, a Dataset, a DataLoader."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    TensorDataset,
    default_collate,
    get_worker_info,
)

from treadle.contracts import Cursor, mix
from treadle.data.batches import TensorSource, order
from treadle.errors import DataError

OwnBatch = Any
"""What a user's loss gets: (input, target) or a dict of tensors, or what their loader yields."""


class TupleSource:
    """Tensors given as a tuple (x, y): batches are tuples of the same."""

    def __init__(self, tensors: Sequence[Tensor], **options: Any) -> None:
        self.inner = TensorSource({str(i): t for i, t in enumerate(tensors)}, **options)
        self.width = len(tensors)
        self.num_rows = self.inner.num_rows
        self.steps_per_epoch = self.inner.steps_per_epoch

    def batches(self, start: Cursor) -> Iterator[tuple[OwnBatch, Cursor]]:
        for batch, cursor in self.inner.batches(start):
            yield self._tuple(batch), cursor

    def once(self) -> Iterator[OwnBatch]:
        return map(self._tuple, self.inner.once())

    def _tuple(self, batch: dict[str, Tensor]) -> tuple[Tensor, ...]:
        return tuple(batch[str(i)] for i in range(self.width))


class DictSource(TensorSource):
    """A dict of tensors: batches are dicts of the same names, without a row number."""

    def batches(self, start: Cursor) -> Iterator[tuple[OwnBatch, Cursor]]:
        for batch, cursor in super().batches(start):
            yield {name: t for name, t in batch.items() if name != "row"}, cursor

    def once(self) -> Iterator[OwnBatch]:
        for batch in super().once():
            yield {name: tensor for name, tensor in batch.items() if name != "row"}


class DatasetSource:
    """A map-style Dataset in our own order, which is a function of (seed, epoch), from any row on.

    num_workers: processes that fetch samples. In them every sample is fetched with generators
    seeded by (seed, epoch, row), so that augmentation is the same however many there are.
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
        num_workers: int = 0,
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
        self.num_workers = num_workers
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
        loader: DataLoader[Any] = DataLoader(
            _Seeded(self.dataset, self.seed, epoch) if self.num_workers else self.dataset,
            batch_sampler=chunks,
            collate_fn=self.collate,
            num_workers=self.num_workers,
            generator=torch.Generator().manual_seed(mix(self.seed, epoch, 1)),
        )
        for batch in loader:
            yield to_device(batch, self.device)


class LoaderSource:
    """A DataLoader whose order is not ours: it is turned as it is.

    Where it has a state_dict (torchdata's StatefulDataLoader), that is saved and put back;
    otherwise a resume starts its epoch anew, and `exact` is False.
    """

    def __init__(self, loader: Any, device: torch.device | None = None) -> None:
        self.loader = loader
        self.device = device or torch.device("cpu")
        batch_size = getattr(loader, "batch_size", None) or 1
        try:
            self.num_batches: int | None = len(loader)
        except TypeError:  # an iterable dataset does not know its length
            self.num_batches = None
        keeps_place = hasattr(loader, "state_dict") and hasattr(loader, "load_state_dict")
        self.exact = keeps_place and self.num_batches is not None
        self.steps_per_epoch = self.num_batches or 1_000
        self.num_rows = self.steps_per_epoch * batch_size

    def batches(self, start: Cursor) -> Iterator[tuple[OwnBatch, Cursor]]:
        epoch, position = start if self.exact else Cursor(start.epoch, 0)
        while True:
            before = position
            for batch, is_last in self._marked(position):
                position += 1
                after = Cursor(epoch + 1, 0) if is_last else Cursor(epoch, position)
                yield to_device(batch, self.device), after
            if position == before:
                raise DataError("the DataLoader yielded no batch.", "Does its dataset have rows?")
            epoch, position = epoch + 1, 0

    def _marked(self, position: int) -> Iterator[tuple[OwnBatch, bool]]:
        """Yield (batch, whether it is the epoch's last); never ahead where the length is known."""
        if self.num_batches is None:
            yield from _mark_last(iter(self.loader))
            return
        for number, batch in enumerate(self.loader, start=position + 1):
            yield batch, number >= self.num_batches

    def once(self) -> Iterator[OwnBatch]:
        for batch in self.loader:
            yield to_device(batch, self.device)


class _Seeded(Dataset[Any]):
    """Fetches each sample with generators seeded by its place, in worker processes alone."""

    def __init__(self, inner: Dataset[Any], seed: int, epoch: int) -> None:
        self.inner = inner
        self.seed = seed
        self.epoch = epoch

    def __getitem__(self, row: int) -> Any:
        if get_worker_info() is not None:
            import random

            number = mix(self.seed, self.epoch, row)
            torch.manual_seed(number)
            np.random.seed(number % (1 << 32))
            random.seed(number)
        return self.inner[row]


Own = TupleSource | DictSource | DatasetSource | LoaderSource


def as_source(
    data: Any, *, batch_size: int, seed: int, device: torch.device, shuffle: bool = True
) -> tuple[Own, list[str]]:
    """Return a source of a user's data, and what must be said of it.

    Raises: DataError for a kind of data that is not known.
    """
    options = {"batch_size": batch_size, "seed": seed, "shuffle": shuffle}
    if isinstance(data, TensorDataset):
        data = data.tensors
    if isinstance(data, DataLoader) or (hasattr(data, "__iter__") and hasattr(data, "dataset")):
        return _from_loader(data, seed, device)
    if isinstance(data, Mapping):
        tensors = {str(name): as_tensor(value, device) for name, value in data.items()}
        return DictSource(tensors, **options), []  # type: ignore[arg-type]
    if isinstance(data, (tuple, list)) and all(hasattr(part, "shape") for part in data):
        return TupleSource([as_tensor(part, device) for part in data], **options), []
    if hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        return DatasetSource(data, device=device, **options), []  # type: ignore[arg-type]
    raise DataError(
        f"data of the kind {type(data).__name__} is not known.",
        "Give (x, y), a dict of tensors or arrays, a torch Dataset, or a DataLoader.",
    )


def rows_of(data: Any, rows: Any) -> Any:
    """Return some rows (int64 array) of tensors, dicts, or a Dataset, as the same kind of data."""
    if isinstance(data, TensorDataset):
        data = data.tensors
    if isinstance(data, Mapping):
        return {name: value[rows] for name, value in data.items()}
    if isinstance(data, (tuple, list)) and all(hasattr(part, "shape") for part in data):
        return tuple(part[rows] for part in data)
    return Subset(data, rows.tolist())


def as_tensor(value: Any, device: torch.device) -> Tensor:
    """Return a tensor on `device`; arrays of float64 become float32, as torch modules expect."""
    if isinstance(value, Tensor):
        return value.to(device)
    array = np.asarray(value)
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)


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


def _from_loader(loader: Any, seed: int, device: torch.device) -> tuple[Own, list[str]]:
    if _has_standard_order(loader):
        source = DatasetSource(
            loader.dataset,
            batch_size=loader.batch_size,
            seed=seed,
            shuffle=isinstance(loader.sampler, RandomSampler),
            drop_last=loader.drop_last,
            collate=loader.collate_fn,
            num_workers=loader.num_workers,
            device=device,
        )
        return source, [
            "the DataLoader's sampler is a standard one, so Treadle's own took its place: the "
            "order is a function of the seed and the epoch, and a resume is exact."
        ]
    own = LoaderSource(loader, device)
    if own.exact:
        return own, ["the DataLoader keeps its own place, which is saved with each checkpoint."]
    return own, [
        "not exact: the DataLoader has a sampler or a stream of its own and cannot say where it "
        "stands, so a resume starts its epoch anew."
    ]


def _has_standard_order(loader: Any) -> bool:
    return (
        type(loader) is DataLoader
        and not isinstance(loader.dataset, IterableDataset)
        and type(loader.sampler) in (RandomSampler, SequentialSampler)
        and not getattr(loader.sampler, "replacement", False)
        and type(loader.batch_sampler) is BatchSampler
    )


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
