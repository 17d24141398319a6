"""Fetching samples of a Dataset so that chance depends on (seed, epoch, row) and nothing else."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, Subset, get_worker_info

from treadle.contracts import mix

IDLE = -1


class SeededDataset(Dataset[Any]):
    """Fetches each sample with the generators of torch, numpy and Python seeded by its place.

    In the process that trains, the generators are put back after each batch.

    at: int64 [workers] in shared memory: the row that each worker is fetching now, else IDLE; so
        that one that hangs or dies can be told by its row
    """

    def __init__(
        self, inner: Dataset[Any], seed: int, epoch: int, at: torch.Tensor | None = None
    ) -> None:
        self.inner = inner
        self.seed = seed
        self.epoch = epoch
        self.at = at

    def __getitems__(self, rows: list[int]) -> list[Any]:
        """Return the samples of a batch, as torch's DataLoader asks for them."""
        if (worker := get_worker_info()) is not None:
            found = self._fetch(rows)
            if self.at is not None:
                self.at[worker.id] = IDLE
            return found
        with kept_generators():
            return self._fetch(rows)

    def _fetch(self, rows: list[int]) -> list[Any]:
        """Fetch a batch whole where the Dataset offers that, else sample by sample."""
        whole: Callable[[list[int]], list[Any]] | None = getattr(self.inner, "__getitems__", None)
        if whole is not None and not isinstance(self.inner, Subset):
            self._seed(rows[0])
            return whole(rows)
        return [self._sample(row) for row in rows]

    def _sample(self, row: int) -> Any:
        self._seed(row)
        return self.inner[row]

    def _seed(self, row: int) -> None:
        if self.at is not None and (worker := get_worker_info()) is not None:
            self.at[worker.id] = row
        number = mix(self.seed, self.epoch, row)
        torch.default_generator.manual_seed(number)
        np.random.seed(number % (1 << 32))
        random.seed(number)


def generators() -> tuple[Any, ...]:
    """Return where the process's generators stand."""
    return torch.get_rng_state(), np.random.get_state(), random.getstate()


def set_generators(states: tuple[Any, ...]) -> None:
    """Put the process's generators where they stood."""
    torch.set_rng_state(states[0])
    np.random.set_state(states[1])
    random.setstate(states[2])


@contextmanager
def kept_generators() -> Iterator[None]:
    """Let what is drawn inside leave the process's generators as they were."""
    states = generators()
    try:
        yield
    finally:
        set_generators(states)


def leave_stopping_to_parent(at_start: Callable[[int], Any] | None, worker: int) -> None:
    """Let a worker process outlive Ctrl-C: training finishes its step, saves, and ends it.

    What ends it is SIGTERM, for which a forked worker has its parent's handler at first.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if at_start is not None:
        at_start(worker)
