"""Which kind of data an engineer gave, and what it is as a source of batches."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
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
)

from treadle.data.batches import TensorSource
from treadle.data.own_files import source_of_files
from treadle.data.own_sources import DatasetSource, DictSource, LoaderSource, TupleSource
from treadle.data.parquet_files import are_files
from treadle.data.row_groups import RowGroupSource
from treadle.data.workers import PATIENCE_SECONDS
from treadle.errors import DataError

Own = TupleSource | DictSource | DatasetSource | LoaderSource | RowGroupSource
FINGERPRINT_ROWS = 100_000


def as_source(
    data: Any,
    *,
    batch_size: int,
    seed: int,
    device: torch.device,
    shuffle: bool = True,
    worker_timeout_seconds: float = PATIENCE_SECONDS,
) -> tuple[Own, list[str]]:
    """Return a source of a user's data, and what must be said of it.

    Raises: DataError for a kind of data that is not known.
    """
    options: dict[str, Any] = {"batch_size": batch_size, "seed": seed, "shuffle": shuffle}
    if isinstance(data, TensorDataset):
        data = data.tensors
    if isinstance(data, IterableDataset):
        data = DataLoader(data, batch_size=batch_size)
    if are_files(data):
        return source_of_files(data, batch_size=batch_size, device=device), []
    if is_loader(data):
        return _from_loader(data, seed, device, worker_timeout_seconds)
    if isinstance(data, Mapping):
        tensors = {str(name): as_tensor(value, device) for name, value in data.items()}
        return DictSource(tensors, **options), []
    if isinstance(data, (tuple, list)) and _is_columns(data):
        return TupleSource([as_tensor(part, device) for part in data], **options), []
    if hasattr(data, "shape"):
        return TupleSource([as_tensor(data, device)], bare=True, **options), []
    if hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        return DatasetSource(data, device=device, **options), []
    raise DataError(
        f"data of the kind {type(data).__name__} is not known.",
        "Give (x, y), a dict of tensors or arrays, a torch Dataset, a DataLoader, or the path of a "
        "Parquet file.",
    )


def is_loader(data: Any) -> bool:
    """Tell whether data comes in batches already, in an order that is not ours to draw."""
    return isinstance(data, (DataLoader, IterableDataset)) or (
        hasattr(data, "__iter__") and hasattr(data, "dataset") and not isinstance(data, Dataset)
    )


def num_rows_of(data: Any) -> int:
    """Return how many rows tensors, arrays, dicts of them, or a Dataset have."""
    if isinstance(data, Mapping):
        return len(next(iter(data.values()), ()))
    return len(data[0]) if isinstance(data, (tuple, list)) and _is_columns(data) else len(data)


def rows_of(data: Any, rows: Any) -> Any:
    """Return some rows (int64 array) of tensors, dicts, or a Dataset, as the same kind of data."""
    if isinstance(data, TensorDataset):
        data = data.tensors
    if isinstance(data, Mapping):
        return {name: _taken(value, rows) for name, value in data.items()}
    if isinstance(data, (tuple, list)) and _is_columns(data):
        return tuple(_taken(part, rows) for part in data)
    return _taken(data, rows) if hasattr(data, "shape") else Subset(data, rows.tolist())


def as_tensor(value: Any, device: torch.device) -> Tensor:
    """Return a tensor on `device`; arrays of float64 become float32, as torch modules expect.

    Raises: DataError for what holds no numbers.
    """
    if isinstance(value, Tensor):
        return value.to(device)
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"an array of {array.dtype} holds no numbers that a tensor could.",
            "Turn text and dates into numbers first, or let treadle.fit(frame, target=…) do it.",
        )
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    return torch.from_numpy(np.require(array, requirements=["C", "W"])).to(device)


def fingerprint(source: Own, held_out: Own | None = None) -> dict[str, Any]:
    """Return what tells tensors or files from others; of a Dataset or loader only its size.

    Of tensors with over 100,000 rows as many rows, evenly spread, are looked at; of Parquet files
    their footers, whatever they are called. How many row groups are shuffled together is a part of
    it, for the order follows from that.
    """
    digest, files = hashlib.sha256(), []
    for part in (source, held_out):
        digest.update(str(part.num_rows if part else None).encode())
        if isinstance(part, RowGroupSource):
            facts = part.table.fingerprint() | {"groups_at_once": part.groups_at_once}
            files += [file for file in part.table.marks() if file not in files]
            slots = [(slot.name, slot.columns, str(slot.dtype)) for slot in part.plan.slots]
            digest.update(f"{facts} {slots} {part.share}".encode())
        if isinstance(part, TensorSource):
            for name, tensor in part.tensors.items():
                few = tensor.detach()[:: max(1, len(tensor) // FINGERPRINT_ROWS)].cpu()
                digest.update(f"{name} {few.dtype} {tuple(tensor.shape)}".encode())
                digest.update(few.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    found = {"sha256": digest.hexdigest(), "rows": source.num_rows}
    return found | ({"files": files} if files else {})


def _is_columns(data: Sequence[Any]) -> bool:
    """Tell (x, y) from a list of samples: a tuple with an array in it, or a list of arrays."""
    shaped = [hasattr(part, "shape") for part in data]
    return any(shaped) if isinstance(data, tuple) else bool(shaped) and all(shaped)


def _taken(value: Any, rows: Any) -> Any:
    return value[rows] if isinstance(value, Tensor) else np.asarray(value)[rows]


def _from_loader(
    loader: Any, seed: int, device: torch.device, worker_timeout_seconds: float
) -> tuple[Own, list[str]]:
    if _has_standard_order(loader):
        source = DatasetSource(
            loader.dataset,
            batch_size=loader.batch_size,
            seed=seed,
            shuffle=isinstance(loader.sampler, RandomSampler),
            drop_last=loader.drop_last,
            collate=loader.collate_fn,
            loading=_loading(loader),
            worker_timeout_seconds=worker_timeout_seconds,
            device=device,
        )
        return source, [
            "the DataLoader's sampler is a standard one, so Treadle's own took its place: the "
            "order is a function of the seed and the epoch, and a resume is exact."
        ]
    own = LoaderSource(loader, device, worker_timeout_seconds=worker_timeout_seconds)
    if own.exact:
        return own, ["the DataLoader keeps its own place, which is saved with each checkpoint."]
    return own, [
        "not exact: the DataLoader has a sampler or a stream of its own and cannot say where it "
        "stands, so a resume starts its epoch anew."
    ]


def _loading(loader: Any) -> dict[str, Any]:
    """Return how a DataLoader fetches: all but what it fetches, and in which order."""
    names = "num_workers", "pin_memory", "timeout", "worker_init_fn", "multiprocessing_context"
    found = {name: getattr(loader, name) for name in names}
    return found | ({"prefetch_factor": loader.prefetch_factor} if loader.num_workers else {})


def _has_standard_order(loader: Any) -> bool:
    return (
        type(loader) is DataLoader
        and not isinstance(loader.dataset, IterableDataset)
        and type(loader.sampler) in (RandomSampler, SequentialSampler)
        and not getattr(loader.sampler, "replacement", False)
        and type(loader.batch_sampler) is BatchSampler
        and loader.batch_size is not None  # a batch sampler of the user's own leaves it out
        and len(loader.sampler) == len(loader.dataset)  # type: ignore[arg-type]
    )
