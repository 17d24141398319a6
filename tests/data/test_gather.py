"""Gathering rows: what torch would gather, in memory that nobody else looks at."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from treadle.data.gather import NUM_BUFFERS, BufferedColumn, gatherer

ROWS = np.array([3, 1, 9, 9])
DTYPES = [
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.float8_e4m3fn,
    torch.bool,
    torch.uint8,
    torch.int16,
    torch.int64,
    torch.complex64,
    torch.complex128,
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gathers_the_bytes_that_were_there(dtype: torch.dtype) -> None:
    table = torch.arange(40).reshape(10, 4).to(dtype)
    gathered = gatherer(table)(ROWS)
    assert gathered.dtype == dtype
    expected = torch.stack([table[row] for row in ROWS])
    assert torch.equal(gathered.view(torch.uint8), expected.view(torch.uint8))


@pytest.mark.parametrize("shape", [(10,), (10, 1), (10, 3, 2), (10, 0)], ids=str)
def test_rows_of_any_shape_are_gathered(shape: tuple[int, ...]) -> None:
    table = torch.arange(float(np.prod(shape))).reshape(shape)
    assert torch.equal(gatherer(table)(ROWS), table[torch.from_numpy(ROWS)])


def test_large_gathers_are_the_same_on_several_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    table, rows = torch.randn(300, 200), np.random.default_rng(0).permutation(300)
    alone = gatherer(table)(rows)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert torch.equal(gatherer(table)(rows), alone)


@pytest.mark.parametrize(
    "table",
    [
        torch.randn(10, 8)[:, ::2],
        torch.randn(10, 4, requires_grad=True),
        torch.randn(10, 4).to_sparse(),
        torch.randn(10, 4, dtype=torch.complex64).conj(),
        torch.nn.Parameter(torch.randn(10, 4)),
    ],
    ids=["not contiguous", "with a gradient", "sparse", "conjugated", "a parameter"],
)
def test_what_is_more_than_its_bytes_is_left_to_torch(table: Tensor) -> None:
    gather = gatherer(table)
    assert not isinstance(gather, BufferedColumn)
    expected = table.index_select(0, torch.from_numpy(ROWS))
    assert torch.equal(gather(ROWS).to_dense(), expected.to_dense())
    assert gather(ROWS).requires_grad == table.requires_grad


HOLDERS: dict[str, Callable[[Tensor], Any]] = {
    "the batch": lambda batch: batch,
    "a view": lambda batch: batch[1:, 0],
    "its array": lambda batch: batch.numpy()[2:],
    "its storage": lambda batch: batch.untyped_storage(),
    "a detached one": lambda batch: batch.detach(),
    "other eyes": lambda batch: batch.view(torch.int32),
    "a graph": lambda batch: (batch @ torch.ones(4, 2, requires_grad=True)).sum(),
}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
def test_what_somebody_holds_is_never_overwritten(holder: Callable[[Tensor], Any]) -> None:
    gather = gatherer(torch.arange(40.0).reshape(10, 4))
    batch = gather(ROWS)
    place, before = batch.data_ptr(), batch.clone()
    held = holder(batch)
    del batch
    places = {gather(ROWS[::-1].copy()).data_ptr() for _ in range(4 * NUM_BUFFERS)}
    assert place not in places
    if isinstance(held, Tensor) and held.requires_grad:
        held.backward()  # what it saved for this is as it was
    elif isinstance(held, Tensor) and held.shape == before.shape:
        assert torch.equal(held.view(torch.float32), before)


def test_memory_is_used_again_once_nobody_holds_it() -> None:
    gather = gatherer(torch.arange(40.0).reshape(10, 4))
    places = {gather(ROWS).data_ptr() for _ in range(50)}
    assert len(places) == NUM_BUFFERS


def test_many_batches_can_be_held_at_once() -> None:
    table = torch.arange(10)
    gather = gatherer(table)
    held = [gather(np.array([row])) for row in range(10)]
    assert torch.cat(held).tolist() == list(range(10))


def test_smaller_and_larger_batches_fit_in_turn() -> None:
    gather = gatherer(torch.arange(10))
    for rows in ([1, 2], [3], [4, 5, 6, 7], [8], [9, 0, 1, 2, 3]):
        assert gather(np.array(rows)).tolist() == rows


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.complex128], ids=str)
def test_every_batch_begins_at_a_cache_line(dtype: torch.dtype) -> None:
    gather = gatherer(torch.ones(10, 3).to(dtype))
    held = [gather(ROWS[: 1 + number % 4]) for number in range(12)]
    assert {batch.data_ptr() % 64 for batch in held} == {0}


def test_threads_never_share_a_buffer() -> None:
    gather = gatherer(torch.arange(1000).repeat_interleave(64).reshape(1000, 64))

    def gather_own(row: int) -> bool:
        batch = gather(np.full(200, row))
        return bool((batch == row).all())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(gather_own, range(800)))


def test_what_is_changed_in_the_data_is_seen() -> None:
    table = torch.zeros(10, 2)
    gather = gatherer(table)
    table[3] = 7.0
    assert gather(np.array([3])).tolist() == [[7.0, 7.0]]
