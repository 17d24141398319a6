"""Rows set aside by a hash of their number, told of any stretch without seeing the others."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from treadle.contracts import Frozen
from treadle.data.hashing import hash_text, mixed


class RowShare(Frozen):
    """The rows that train, or those that validate, of a table too large to order all its rows.

    The hash is the one by which `split` orders the rows of a table in memory. There the shares are
    exact; here a row is told by its own hash alone, so they come out nearly so.

    part:     which rows are meant
    held_out: the share of rows that validate
    """

    part: Literal["train", "validation"]
    held_out: float = 0.15
    seed: int = 0

    def mask(self, first_row: int, num_rows: int) -> NDArray[np.bool_]:
        """Return whether each of `num_rows` rows from number `first_row` on is meant, bool [N]."""
        numbers = np.arange(first_row, first_row + num_rows, dtype=np.float64)
        # what hash_rows does with a table of one column "row", without making that table
        named = mixed(numbers.view(np.uint64)) ^ np.uint64(hash_text("row", self.seed))
        mark = np.uint64((1.0 - self.held_out) * 2.0**64)
        trains: NDArray[np.bool_] = mixed(mixed(named)) < mark
        return trains if self.part == "train" else ~trains
