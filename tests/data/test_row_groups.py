"""Tables larger than memory: each row once an epoch, the same from wherever one goes on."""

from __future__ import annotations

import threading
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.parquet import numbered, write
from treadle.contracts import Cursor
from treadle.data import row_groups
from treadle.data.parquet_columns import plan_columns
from treadle.data.parquet_files import ParquetTable, open_parquet
from treadle.data.parquet_reading import read_group
from treadle.data.row_groups import RowGroupSource
from treadle.data.row_share import RowShare
from treadle.errors import DataError

START = Cursor(0, 0)
ROWS = 47 + 31


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> ParquetTable:
    """78 rows in nine row groups of two files; the last row groups are smaller."""
    place = tmp_path_factory.mktemp("rows")
    return open_parquet(
        [numbered(place / "a.parquet", 47), numbered(place / "b.parquet", 31, first=47)]
    )


def a_source(table: ParquetTable, **options: Any) -> RowGroupSource:
    plan = plan_columns(table, target="y")
    return RowGroupSource(
        table, plan, **{"batch_size": 8, "groups_at_once": 2, "seed": 3} | options
    )


def taken(
    source: RowGroupSource, count: int, start: Cursor = START
) -> list[tuple[list[int], Cursor]]:
    """Return (the numbers of the rows, the cursor after them) of some batches, each checked."""
    found = []
    batches = source.batches(start)
    for (x, y), cursor in islice(batches, count):
        assert torch.equal(x[:, 0], -x[:, 1]) and torch.equal(x[:, 0].long() % 7, y)
        found.append((x[:, 0].int().tolist(), cursor))
    batches.close()  # type: ignore[attr-defined]
    return found


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 90),
    st.integers(1, 11),
    st.integers(0, 2**40),
    st.booleans(),
    st.sampled_from([None, "train", "validation"]),
)
def test_every_row_comes_exactly_once_an_epoch(
    table: ParquetTable, batch_size: int, at_once: int, seed: int, shuffle: bool, part: Any
) -> None:
    share = RowShare(part=part, held_out=0.3) if part else None
    source = a_source(
        table,
        batch_size=batch_size,
        groups_at_once=at_once,
        seed=seed,
        shuffle=shuffle,
        share=share,
        reads_ahead=False,
    )
    expected = list(range(ROWS)) if share is None else np.flatnonzero(share.mask(0, ROWS)).tolist()
    assert source.num_rows == len(expected)
    steps = source.steps_per_epoch
    found = taken(source, 2 * steps)
    for epoch in range(2):
        batches = [rows for rows, _ in found[epoch * steps : (epoch + 1) * steps]]
        assert sorted(row for rows in batches for row in rows) == expected
        assert {len(rows) for rows in batches[:-1]} <= {batch_size}
    assert found[-1][1] == Cursor(2, 0)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 90), st.integers(1, 11), st.booleans(), st.data())
def test_going_on_from_any_cursor_gives_the_tail_of_the_whole(
    table: ParquetTable, batch_size: int, at_once: int, reads_ahead: bool, data: st.DataObject
) -> None:
    options = {"batch_size": batch_size, "groups_at_once": at_once}
    whole = taken(a_source(table, **options), 2 * -(-ROWS // batch_size))
    left_after = data.draw(st.integers(0, len(whole) - 2))
    source = a_source(table, reads_ahead=reads_ahead, **options)
    tail = taken(source, len(whole) - left_after - 1, whole[left_after][1])
    assert tail == whole[left_after + 1 :]


def test_the_thread_that_reads_computes_nothing_with_torch(
    table: ParquetTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    drew: list[tuple[str, int]] = []
    real = torch.randperm

    def randperm(size: int, **options: Any) -> torch.Tensor:
        drew.append((threading.current_thread().name, size))
        return real(size, **options)

    monkeypatch.setattr(torch, "randperm", randperm)
    source = a_source(table)
    taken(source, source.steps_per_epoch)
    by_reader = {size for name, size in drew if name == "treadle-read-ahead"}
    assert by_reader == {len(table.groups)}  # which groups, a few numbers; rows are shuffled here
    assert {name for name, size in drew if size > len(table.groups)} == {"MainThread"}


def test_reading_ahead_does_not_move_the_order(table: ParquetTable) -> None:
    assert taken(a_source(table), 30) == taken(a_source(table, reads_ahead=False), 30)


def test_the_order_follows_from_seed_epoch_and_groups_at_once(table: ParquetTable) -> None:
    base = taken(a_source(table), 20)
    torch.manual_seed(9)
    assert taken(a_source(table), 20) == base
    assert taken(a_source(table, seed=4), 20) != base
    assert taken(a_source(table, groups_at_once=3), 20) != base
    assert [rows for rows, _ in base[:10]] != [rows for rows, _ in base[10:]]


def test_rows_of_a_block_come_from_its_groups_and_are_mixed(table: ParquetTable) -> None:
    source = a_source(table, batch_size=1)
    block = next(source.order.blocks(0))
    rows = [rows[0] for rows, _ in taken(source, block.num_rows)]
    spans = [table.groups[number] for number in block.groups]
    expected = [row for g in spans for row in range(g.first_row, g.first_row + g.num_rows)]
    assert sorted(rows) == sorted(expected) and rows != expected
    assert set(rows[: block.num_rows // 2]) & set(expected[: spans[0].num_rows]) != set()
    assert set(rows[: block.num_rows // 2]) & set(expected[spans[0].num_rows :]) != set()


def test_batches_are_cut_across_blocks_and_hold_what_they_held(table: ParquetTable) -> None:
    source = a_source(table, batch_size=33)
    held = [batch for batch, _ in islice(source.batches(START), 6)]
    again = [batch for batch, _ in islice(source.batches(START), 6)]
    assert [len(x) for x, _ in held] == [33, 33, 12] * 2
    for (x, y), (same_x, same_y) in zip(held, again, strict=True):
        assert torch.equal(x, same_x) and torch.equal(y, same_y)


class Watched:
    """Notes which row groups are read, and into how many rooms."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.groups: list[int] = []
        self.rooms: set[int] = set()

        def watched(reader: Any, plan: Any, group: Any, arrays: Any, *rest: Any) -> int:
            self.groups.append(group.first_row)
            self.rooms.add(arrays["x"].ctypes.data)
            return read_group(reader, plan, group, arrays, *rest)

        monkeypatch.setattr(row_groups, "read_group", watched)


@pytest.mark.parametrize(("reads_ahead", "most"), [(True, 2), (False, 1)])
def test_memory_is_made_once_and_holds_two_blocks(
    table: ParquetTable, monkeypatch: pytest.MonkeyPatch, reads_ahead: bool, most: int
) -> None:
    watched = Watched(monkeypatch)
    source = a_source(table, reads_ahead=reads_ahead)
    taken(source, 5 * source.steps_per_epoch)
    assert len(watched.rooms) == most
    assert len(watched.groups) >= 5 * len(table.groups)


def test_no_more_than_the_next_block_is_read_ahead(
    table: ParquetTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(monkeypatch)
    source = a_source(table)
    blocks = list(islice(source.order.blocks_from(START), 20))
    for _, (epoch, position) in islice(source.batches(START), 30):
        at = sum((block.epoch, block.start) <= (epoch, position) for block in blocks)
        assert len(watched.groups) <= sum(len(block.groups) for block in blocks[: at + 1])


def test_going_on_reads_only_the_groups_that_are_left(
    table: ParquetTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(monkeypatch)
    source = a_source(table, reads_ahead=False)
    blocks = list(source.order.blocks(0))
    next(source.batches(Cursor(0, blocks[2].start + 3)))
    assert watched.groups == [table.groups[number].first_row for number in blocks[2].groups]


def test_all_groups_at_once_are_read_once_and_kept(
    table: ParquetTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(monkeypatch)
    source = a_source(table, groups_at_once=99)
    assert source.is_kept_whole and source.groups_at_once == len(table.groups)
    first = taken(source, 3 * source.steps_per_epoch)
    list(source.once())
    assert taken(source, 3 * source.steps_per_epoch) == first
    assert watched.groups == [group.first_row for group in table.groups]
    two = source.batches(START), source.batches(Cursor(1, 0))
    rows = [[next(batches)[0][0][:, 0].int().tolist() for batches in two] for _ in range(5)]
    assert [row for row, _ in rows] == [row for row, _ in first[:5]]


def test_once_gives_the_rows_as_they_stand_a_row_group_at_a_time(table: ParquetTable) -> None:
    for at_once in (1, 99):
        source = a_source(table, groups_at_once=at_once)
        batches = list(source.once())
        assert torch.cat([x[:, 0] for x, _ in batches]).tolist() == list(range(ROWS))
        assert {y.dtype for _, y in batches} == {torch.int64}
        assert max(len(x) for x, _ in batches) == 8


def test_leaving_ends_the_reading_thread(table: ParquetTable) -> None:
    batches = a_source(table).batches(START)
    next(batches)
    assert any(t.name == "treadle-read-ahead" for t in threading.enumerate())
    del batches
    assert not any(t.name == "treadle-read-ahead" for t in threading.enumerate())


def test_what_is_wrong_with_a_row_group_is_told_to_the_loop(tmp_path: Path) -> None:
    values = [1.0] * 15 + [None] * 5 + [1.0] * 20
    path = write(tmp_path / "a.parquet", {"a": values}, write_statistics=False)
    table = open_parquet(path)
    source = RowGroupSource(table, plan_columns(table), batch_size=4, groups_at_once=1)
    with pytest.raises(DataError, match="'a': 5 cells are empty"):
        list(islice(source.batches(START), 20))


def test_a_share_without_a_row_is_refused(tmp_path: Path) -> None:
    table = open_parquet(numbered(tmp_path / "a.parquet", 1))
    masks = {part: RowShare(part=part).mask(0, 1)[0] for part in ("train", "validation")}
    (empty,) = [part for part, is_kept in masks.items() if not is_kept]
    with pytest.raises(DataError, match=f"no row of 1 is left for {empty}"):
        a_source(table, share=RowShare(part=empty))


def test_batches_come_as_asked_for(table: ParquetTable) -> None:
    plans = [
        plan_columns(table, columns=["a"]),
        plan_columns(table, columns={"n": ["a", "b"], "code": "y"}, target="a"),
    ]
    sources = [RowGroupSource(table, p, batch_size=8, groups_at_once=2) for p in plans]
    (bare, _), (named, _) = (next(source.batches(START)) for source in sources)
    assert bare.shape == (8, 1)
    assert {name: (t.dtype, t.shape) for name, t in named.items()} == {
        "n": (torch.float32, (8, 2)),
        "code": (torch.int64, (8,)),
        "target": (torch.float32, (8,)),
    }
