"""The order of row groups and rows: each once an epoch, from any cursor on."""

from __future__ import annotations

from itertools import islice, takewhile

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from treadle.contracts import Cursor
from treadle.data.block_order import Block, BlockOrder

SIZES = st.lists(st.integers(0, 9), min_size=1, max_size=12).filter(any)


def an_order(sizes: list[int], at_once: int, seed: int = 1, shuffle: bool = True) -> BlockOrder:
    return BlockOrder(
        rows_of_groups=tuple(sizes), groups_at_once=at_once, seed=seed, shuffle=shuffle
    )


def rows_of(order: BlockOrder, block: Block) -> list[int]:
    out = np.full(100, -1)
    order.put_rows(block, out)
    assert (out[block.num_rows :] == -1).all()
    return out[: block.num_rows].tolist()


@given(SIZES, st.integers(1, 14), st.integers(0, 2**40), st.booleans(), st.integers(0, 9))
def test_every_group_and_row_comes_once_an_epoch(
    sizes: list[int], at_once: int, seed: int, shuffle: bool, epoch: int
) -> None:
    order = an_order(sizes, at_once, seed, shuffle)
    blocks = list(order.blocks(epoch))
    groups = [group for block in blocks for group in block.groups]
    assert {g for g, size in enumerate(sizes) if size} <= set(groups)
    assert len(groups) == len(set(groups))
    ends = np.cumsum([0] + [block.num_rows for block in blocks])
    assert [block.start for block in blocks] == ends[:-1].tolist() and ends[-1] == sum(sizes)
    for block in blocks:
        assert len(block.groups) <= at_once
        assert sorted(rows_of(order, block)) == list(range(block.num_rows))


@given(SIZES, st.integers(1, 14), st.data())
def test_a_cursor_leads_to_the_block_that_holds_its_next_row(
    sizes: list[int], at_once: int, data: st.DataObject
) -> None:
    order = an_order(sizes, at_once)
    position = data.draw(st.integers(0, sum(sizes) - 1))
    from_cursor = order.blocks_from(Cursor(2, position))
    left = list(takewhile(lambda block: block.epoch == 2, from_cursor))
    assert left[0].start <= position < left[0].start + left[0].num_rows
    whole = list(order.blocks(2))
    assert left == whole[len(whole) - len(left) :]


def test_an_epoch_is_followed_by_the_next() -> None:
    order = an_order([3, 0, 2], 1)
    assert [b.epoch for b in islice(order.blocks_from(Cursor(4, 0)), 5)] == [4, 4, 5, 5, 6]


def test_groups_and_rows_come_in_another_order_each_epoch_and_seed() -> None:
    orders = [(an_order([50] * 40, 4, seed), epoch) for seed, epoch in ((1, 0), (1, 1), (2, 0))]
    groups = [[g for b in order.blocks(epoch) for g in b.groups] for order, epoch in orders]
    rows = [rows_of(order, Block(epoch, 0, 0, (), 90)) for order, epoch in orders]
    blocks = [rows_of(orders[0][0], Block(0, number, 0, (), 90)) for number in (0, 1)]
    for drawn in (groups, rows, blocks):
        assert all(one != other for i, one in enumerate(drawn) for other in drawn[:i])


def test_all_groups_at_once_stay_as_they_are_read() -> None:
    order = an_order([5, 5, 5], 3)
    assert order.is_whole
    assert [block.groups for epoch in range(5) for block in order.blocks(epoch)] == [(0, 1, 2)] * 5


def test_without_shuffling_rows_come_as_they_stand() -> None:
    order = an_order([2, 3, 4], 2, shuffle=False)
    blocks = list(order.blocks(7))
    assert [block.groups for block in blocks] == [(0, 1), (2,)]
    assert rows_of(order, blocks[0]) == [0, 1, 2, 3, 4]
