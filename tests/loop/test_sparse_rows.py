"""Sparse gradients are summed by row as torch would, and rows are written back byte by byte."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from treadle.loop.sparse_rows import put_rows, summed


def a_gradient(lookups: list[int], *, width: int = 6, num_rows: int = 40) -> Tensor:
    generator = torch.Generator().manual_seed(len(lookups))
    values = torch.randn(len(lookups), width, generator=generator)
    return torch.sparse_coo_tensor(
        torch.tensor(lookups, dtype=torch.int64)[None],
        values,
        (num_rows, width),
        check_invariants=False,
    )


@pytest.mark.parametrize(
    "lookups",
    [[5], [5, 5], [7, 3, 39, 0], [3, 9, 3, 3, 9, 0, 39], [4] * 33, []],
    ids=["one", "one twice", "all different", "some again", "all the same", "none"],
)
@pytest.mark.parametrize("width", [1, 6])
def test_sums_are_those_of_torch(lookups: list[int], width: int) -> None:
    gradient = a_gradient(lookups, width=width)
    ours, torchs = summed(gradient), gradient.coalesce()
    assert ours.is_coalesced()
    assert torch.equal(ours.indices(), torchs.indices())
    torch.testing.assert_close(ours.values(), torchs.values())
    assert ours.shape == gradient.shape


def test_what_is_summed_is_not_summed_again() -> None:
    once = summed(a_gradient([3, 3, 8]))
    assert summed(once) is once


@pytest.mark.parametrize(
    "gradient",
    [
        a_gradient([3, 3, 8]).double(),
        torch.sparse_coo_tensor(
            [[1, 1, 2], [0, 0, 3]], [1.0, 2.0, 3.0], (5, 4), check_invariants=False
        ),
        torch.sparse_coo_tensor([[1, 1, 2]], [1.0, 2.0, 3.0], (5,), check_invariants=False),
    ],
    ids=["float64", "single values", "a vector"],
)
def test_other_sparse_gradients_are_left_to_torch(gradient: Tensor) -> None:
    ours = summed(gradient)
    assert ours.is_coalesced()
    assert torch.equal(ours.to_dense(), gradient.coalesce().to_dense())


def test_values_of_a_row_are_added_in_the_order_of_the_batch() -> None:
    large = torch.tensor([[1e8], [1.0], [-1e8], [1.0]])
    gradient = torch.sparse_coo_tensor([[2, 2, 2, 2]], large, (3, 1), check_invariants=False)
    assert summed(gradient).values().tolist() == [[1.0]]  # ((1e8 + 1) − 1e8) + 1 in float32


@pytest.mark.parametrize(
    "table",
    [
        torch.zeros(9, 8),
        torch.zeros(9, 6),
        torch.zeros(9, 5),
        torch.zeros(9, 1),
        torch.zeros(8, 9).T,
        torch.zeros(73)[1:].view(9, 8),
        torch.zeros(9, 8, dtype=torch.float64),
    ],
    ids=["16 bytes", "8 bytes", "odd", "a column", "transposed", "unaligned", "float64"],
)
def test_rows_are_written_whatever_the_layout(table: Tensor) -> None:
    rows = torch.tensor([2, 7])
    values = torch.randn(2, table.shape[1], dtype=table.dtype)
    values[0, 0] = torch.nan
    put_rows(table, rows, values)
    assert torch.equal(table[rows].nan_to_num(7.0), values.nan_to_num(7.0))
    assert int((table != 0).any(1).sum()) == 2
