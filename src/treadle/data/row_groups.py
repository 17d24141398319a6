"""Tables larger than memory: row groups in a new order each epoch, G of them shuffled together."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from threading import Event
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from treadle.contracts import Cursor
from treadle.data.block_order import Block, BlockOrder
from treadle.data.gather import Buffers, Rows, gatherer
from treadle.data.parquet_columns import Plan
from treadle.data.parquet_files import Group, ParquetTable
from treadle.data.parquet_reading import Reader, read_group
from treadle.data.prefetch import one_by_one, read_ahead
from treadle.data.row_share import RowShare
from treadle.errors import DataError


class RowGroupSource:
    """Endless batches of a Parquet table of which G row groups are in memory, and G more to come.

    The order is BlockOrder's, a function of (seed, epoch, G). Batches are cut across the borders:
    each row comes once an epoch, and only an epoch's last batch is smaller. Going on from a cursor
    reads no more than the groups that are left. A thread reads the next G row groups while these
    are trained on.

    The memory of a batch is used again once nobody holds the batch: see TensorSource.

    groups_at_once: G; it is part of the order. Where it is all there are, they are read once and
                    kept, and an epoch is one shuffle of all rows
    share:          which rows are meant; all by default
    kept:           how many of each row group are meant, where that was counted before
    shuffle:        False gives the rows as they stand
    reads_ahead:    False reads in the thread that asks; the order is the same

    Raises: DataError when no row is meant; in batches: a broken file, an empty cell.
    """

    def __init__(
        self,
        table: ParquetTable,
        plan: Plan,
        *,
        batch_size: int,
        groups_at_once: int,
        seed: int = 0,
        shuffle: bool = True,
        share: RowShare | None = None,
        kept: list[int] | None = None,
        device: torch.device | None = None,
        reads_ahead: bool = True,
    ) -> None:
        self.table = table
        self.plan = plan
        self.batch_size = batch_size
        self.groups_at_once = min(groups_at_once, len(table.groups))
        self.share = share
        self.device = device or torch.device("cpu")
        self.reads_ahead = reads_ahead
        self._whole: dict[str, NDArray[Any]] | None = None
        self.kept_rows = kept_rows(table, share) if kept is None else kept
        self.order = BlockOrder(
            rows_of_groups=tuple(self.kept_rows),
            groups_at_once=self.groups_at_once,
            seed=seed,
            shuffle=shuffle,
        )
        self.num_rows = sum(self.kept_rows)
        if self.num_rows == 0:
            raise DataError(
                f"no row of {table.num_rows:,} is left for {share.part if share else 'training'}.",
                "Give more rows, or validation data of its own.",
            )

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.num_rows // self.batch_size)

    @property
    def is_kept_whole(self) -> bool:
        """Whether the rows are read once and kept in memory."""
        return self.order.is_whole

    def batches(self, start: Cursor) -> Iterator[tuple[Any, Cursor]]:
        """Yield (batch, the cursor after it) from `start` on, without end."""
        with closing(self._filled(start)) as places:
            yield from self._cut(places, start)

    def once(self) -> Iterator[Any]:
        """Yield every row once, in order, as for validation; one row group is read at a time."""
        for arrays in [self._all_rows()] if self.is_kept_whole else self._one_group_each():
            tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
            num_rows = len(next(iter(tensors.values())))
            for start in range(0, num_rows, self.batch_size):
                end = start + self.batch_size
                yield self._formed({name: t[start:end] for name, t in tensors.items()})

    def _one_group_each(self) -> Iterator[dict[str, NDArray[Any]]]:
        """Yield the arrays of each row group; what a metric keeps of one is left to it."""
        slots, most = self.plan.slots, max(self.kept_rows)
        rooms = {slot.name: Buffers(slot.dtype, slot.shape, count=2) for slot in slots}
        with closing(Reader(self.table)) as reader:
            for group, num_rows in zip(self.table.groups, self.kept_rows, strict=True):
                if not num_rows:
                    continue
                arrays = {name: room.part(num_rows, most) for name, room in rooms.items()}
                read_group(reader, self.plan, group, arrays, 0, self._mask(group))
                yield arrays

    def _filled(self, start: Cursor) -> Generator[_Place, None, None]:
        """Yield the blocks from a cursor on, each in memory until the next is asked for."""
        if self.is_kept_whole:
            place = _Place(self._all_rows())
            for place.block in self.order.blocks_from(start):
                yield place
        places = [
            _Place(self._room(self.order.most_rows)) for _ in range(2 if self.reads_ahead else 1)
        ]
        reading = read_ahead if self.reads_ahead else one_by_one
        with (
            closing(Reader(self.table)) as reader,
            closing(reading(self.order.blocks_from(start), places, self._filler(reader))) as filled,
        ):
            yield from filled

    def _all_rows(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of all rows, read when they are first asked for."""
        if self._whole is None:
            place = _Place(self._room(self.num_rows))
            with closing(Reader(self.table)) as reader:
                self._filler(reader)(next(self.order.blocks(0)), place, Event())
            self._whole = place.arrays
        return self._whole

    def _filler(self, reader: Reader) -> Callable[[Block, _Place, Event], None]:
        def fill(block: Block, place: _Place, stop: Event) -> None:
            place.block, end = block, 0
            for number in block.groups:
                if stop.is_set():
                    return
                group = self.table.groups[number]
                end = read_group(reader, self.plan, group, place.arrays, end, self._mask(group))

        return fill

    def _cut(
        self, places: Generator[_Place, None, None], start: Cursor
    ) -> Iterator[tuple[Any, Cursor]]:
        """Cut the blocks into batches, across the borders of blocks but not of epochs."""
        position = start.position
        order = np.empty(self.order.most_rows, np.int64)
        parts: list[dict[str, Tensor]] = []
        missing = min(self.batch_size, self.num_rows - position)
        for place in places:
            block = place.block
            # drawn here, not in the thread that reads, which must not compute: see read_ahead
            self.order.put_rows(block, order)
            row = position - block.start
            while row < block.num_rows:
                taken = min(missing, block.num_rows - row)
                parts.append(place.gather(order[row : row + taken]))
                row, position, missing = row + taken, position + taken, missing - taken
                if missing:
                    break
                is_last = position == self.num_rows
                after = Cursor(block.epoch + 1, 0) if is_last else Cursor(block.epoch, position)
                yield self._formed(_joined(parts)), after
                parts, position = [], after.position
                missing = min(self.batch_size, self.num_rows - position)

    def _room(self, num_rows: int) -> dict[str, NDArray[Any]]:
        return {
            slot.name: np.empty((num_rows, *slot.shape), slot.dtype) for slot in self.plan.slots
        }

    def _mask(self, group: Group) -> NDArray[np.bool_] | None:
        return self.share.mask(group.first_row, group.num_rows) if self.share else None

    def _formed(self, batch: dict[str, Tensor]) -> Any:
        """Return a batch as its consumer takes it: whole numbers wide, on the device."""
        for slot in self.plan.slots:
            if slot.is_widened:
                batch[slot.name] = batch[slot.name].long()
        if self.device.type != "cpu":
            batch = {name: t.to(self.device, non_blocking=True) for name, t in batch.items()}
        if self.plan.form == "dict":
            return batch
        return tuple(batch.values()) if self.plan.form == "tuple" else next(iter(batch.values()))


class _Place:
    """Memory for a block: its rows as they were read."""

    block: Block

    def __init__(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.arrays = arrays
        self._columns = {name: gatherer(torch.from_numpy(array)) for name, array in arrays.items()}

    def gather(self, rows: Rows) -> dict[str, Tensor]:
        """Return copies of rows of the block, good for as long as wanted."""
        return {name: gather(rows) for name, gather in self._columns.items()}


def kept_rows(table: ParquetTable, share: RowShare | None) -> list[int]:
    """Return how many rows of each row group are meant."""
    if share is None:
        return [group.num_rows for group in table.groups]
    return [int(share.mask(group.first_row, group.num_rows).sum()) for group in table.groups]


def _joined(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    if len(parts) == 1:
        return parts[0]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
