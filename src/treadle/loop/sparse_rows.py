"""The rows that a sparse gradient touches: summed up once, gathered, and written back.

Shape legend: N rows of a table, D its width, B lookups of a batch, U different rows among them.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def summed(gradient: Tensor) -> Tensor:
    """Return a sparse gradient [N, D] with each row named once, rows ascending.

    What `gradient.coalesce()` returns, in half its time or less on a processor. Values of one row
    are added in the order of the batch, so that the sum is the same to the bit every time.
    """
    if gradient.is_coalesced():
        return gradient
    rows_B, values_BD = gradient._indices()[0], gradient._values()
    count = len(rows_B)
    if count == 0 or not _is_plain(gradient) or gradient.shape[0] * count >= 2**62:
        return gradient.coalesce()
    rows_U, order_B, starts_U = _grouped(rows_B)
    values_UD = functional.embedding_bag(order_B, values_BD, starts_U, mode="sum")
    return torch.sparse_coo_tensor(
        rows_U[None], values_UD, gradient.shape, is_coalesced=True, check_invariants=False
    )


def _is_plain(gradient: Tensor) -> bool:
    values = gradient._values()
    on_processor = gradient.device.type == "cpu" and gradient.dtype == torch.float32
    return on_processor and gradient.sparse_dim() == 1 and values.ndim == 2 and values.shape[1] > 0


def _grouped(rows_B: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the different rows [U], the order [B] that brings equal rows together, and where
    each row begins in that order [U].

    Row and place in the batch make one number each: NumPy sorts such numbers with vector
    instructions, many times as fast as torch sorts pairs, and no two of them are equal.
    """
    count = len(rows_B)
    bits = (count - 1).bit_length()
    keys_B = rows_B.numpy() << bits
    keys_B |= np.arange(count)
    keys_B.sort()
    sorted_B = keys_B >> bits
    keys_B &= (1 << bits) - 1
    is_first_B = np.empty(count, dtype=bool)
    is_first_B[0] = True
    np.not_equal(sorted_B[1:], sorted_B[:-1], out=is_first_B[1:])
    starts_U = np.flatnonzero(is_first_B)
    return (
        torch.from_numpy(sorted_B[starts_U]),
        torch.from_numpy(keys_B),
        torch.from_numpy(starts_U),
    )


def put_rows(table: Tensor, rows_U: Tensor, values_UD: Tensor) -> None:
    """Write `values_UD` into the rows of `table` [N, D]; no row may be named twice."""
    kind = _widest(table)
    table.view(kind).index_copy_(0, rows_U, values_UD.view(kind))


def _widest(table: Tensor) -> torch.dtype:
    """Return the widest number as which rows of float32 can be seen.

    torch writes rows back a number at a time, so that of 16 bytes it writes less than half as
    long as of 4. The bytes are copied as they are: nothing is computed with these numbers.
    """
    if table.dtype != torch.float32 or not table.is_contiguous():
        return table.dtype
    for kind, floats in ((torch.complex128, 4), (torch.float64, 2)):
        starts = (table.shape[1], table.storage_offset(), table.data_ptr() // 4)
        if all(start % floats == 0 for start in starts):
            return kind
    return table.dtype
