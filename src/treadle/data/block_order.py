"""In which order the rows of a table larger than memory come: a function of (seed, epoch, G)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch

from treadle.contracts import Cursor, mix
from treadle.data.batches import order
from treadle.data.gather import Rows


@dataclass(frozen=True)
class Block:
    """Row groups that are shuffled together.

    number: which block of its epoch
    start:  the position in its epoch of the block's first row
    groups: which row groups, in the order they are read
    """

    epoch: int
    number: int
    start: int
    groups: tuple[int, ...]
    num_rows: int


@dataclass(frozen=True, kw_only=True)
class BlockOrder:
    """The row groups permuted, G at a time taken together, the rows of these shuffled whole.

    Where G is all there are, they stay as they are read, and an epoch is one shuffle of all rows.

    rows_of_groups: the rows of each row group that take part
    groups_at_once: G
    shuffle:        False gives the rows as they stand
    """

    rows_of_groups: tuple[int, ...]
    groups_at_once: int
    seed: int
    shuffle: bool

    @property
    def is_whole(self) -> bool:
        return self.groups_at_once >= len(self.rows_of_groups)

    @property
    def most_rows(self) -> int:
        """The rows that a block has at most, whichever groups meet in it."""
        largest = sorted(self.rows_of_groups, reverse=True)
        return sum(largest[: self.groups_at_once])

    def blocks(self, epoch: int) -> Iterator[Block]:
        """Yield an epoch's blocks, in order."""
        groups = list(range(len(self.rows_of_groups)))
        if self.shuffle and not self.is_whole:
            groups = order(len(groups), self.seed, epoch).tolist()
        start = 0
        for number, first in enumerate(range(0, len(groups), self.groups_at_once)):
            together = tuple(groups[first : first + self.groups_at_once])
            num_rows = sum(self.rows_of_groups[group] for group in together)
            if num_rows:
                yield Block(epoch, number, start, together, num_rows)
            start += num_rows

    def blocks_from(self, start: Cursor) -> Iterator[Block]:
        """Yield the blocks from the one that holds a cursor's next row on, without end."""
        for epoch in count(start.epoch):
            begin = start.position if epoch == start.epoch else 0
            for block in self.blocks(epoch):
                if block.start + block.num_rows > begin:
                    yield block

    def put_rows(self, block: Block, out: Rows) -> None:
        """Put the order of a block's rows, int64 [rows], into the beginning of `out`."""
        rows = torch.from_numpy(out[: block.num_rows])
        if self.shuffle:
            order(block.num_rows, mix(self.seed, block.number), block.epoch, out=rows)
        else:
            rows.copy_(torch.from_numpy(np.arange(block.num_rows)))
