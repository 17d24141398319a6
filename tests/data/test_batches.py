"""Batches sliced from memory: every row once an epoch, the same from wherever one goes on."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.contracts import Cursor
from treadle.data.batches import TensorSource, WholeSource, order
from treadle.errors import DataError


def rows_and_cursors(
    source: TensorSource, start: Cursor, count: int
) -> list[tuple[list[int], Cursor]]:
    taken = islice(source.batches(start), count)
    return [(batch["row"].tolist(), cursor) for batch, cursor in taken]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 2**31), st.booleans())
def test_every_row_comes_exactly_once_an_epoch(
    num_rows: int, batch_size: int, seed: int, shuffle: bool
) -> None:
    source = TensorSource(
        {"x": torch.arange(num_rows)}, batch_size=batch_size, seed=seed, shuffle=shuffle
    )
    steps = source.steps_per_epoch
    taken = rows_and_cursors(source, Cursor(0, 0), 3 * steps)
    for epoch in range(3):
        rows = [row for batch, _ in taken[epoch * steps : (epoch + 1) * steps] for row in batch]
        assert sorted(rows) == list(range(num_rows))
    assert taken[-1][1] == Cursor(3, 0)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 2**31), st.data())
def test_going_on_from_any_cursor_gives_the_tail_of_the_whole(
    num_rows: int, batch_size: int, seed: int, data: st.DataObject
) -> None:
    source = TensorSource({"x": torch.arange(num_rows)}, batch_size=batch_size, seed=seed)
    whole = rows_and_cursors(source, Cursor(0, 0), 3 * source.steps_per_epoch)
    left_after = data.draw(st.integers(0, len(whole) - 2))
    tail = rows_and_cursors(source, whole[left_after][1], len(whole) - left_after - 1)
    assert tail == whole[left_after + 1 :]


def test_the_order_is_a_function_of_seed_and_epoch_alone() -> None:
    torch.manual_seed(1)
    first = order(100, seed=3, epoch=7)
    torch.manual_seed(2)
    assert torch.equal(first, order(100, seed=3, epoch=7))
    assert not torch.equal(first, order(100, seed=4, epoch=7))
    assert not torch.equal(first, order(100, seed=3, epoch=8))


def test_drawing_the_order_leaves_the_process_generator_alone() -> None:
    before = torch.get_rng_state()
    list(islice(TensorSource({"x": torch.arange(9)}, batch_size=2).batches(Cursor(0, 0)), 12))
    assert torch.equal(before, torch.get_rng_state())


def test_rows_of_all_tensors_stay_together() -> None:
    x = torch.arange(20)
    source = TensorSource({"x": x, "y": x * 10}, batch_size=6)
    for batch, _ in islice(source.batches(Cursor(0, 0)), 8):
        assert torch.equal(batch["x"] * 10, batch["y"])
        assert torch.equal(batch["x"], batch["row"])


def test_a_batch_knows_its_epoch_when_asked() -> None:
    source = TensorSource({"x": torch.arange(4)}, batch_size=4, with_epoch=True)
    epochs = [batch["epoch"].tolist() for batch, _ in islice(source.batches(Cursor(0, 0)), 2)]
    assert epochs == [[0] * 4, [1] * 4]


def test_once_gives_the_rows_as_they_stand() -> None:
    source = TensorSource({"x": torch.arange(7)}, batch_size=3)
    for name in ("x", "row"):
        assert [batch[name].tolist() for batch in source.once()] == [[0, 1, 2], [3, 4, 5], [6]]


def test_batches_can_all_be_kept() -> None:
    source = TensorSource({"x": torch.arange(50), "y": torch.arange(50.0)}, batch_size=4)
    kept = [batch for batch, _ in islice(source.batches(Cursor(0, 0)), 3 * source.steps_per_epoch)]
    for batch in kept:
        assert torch.equal(batch["x"], batch["row"])
        assert torch.equal(batch["y"], batch["row"].float())
    for epoch in range(3):
        rows = [row for batch in kept[13 * epoch : 13 * epoch + 13] for row in batch["x"].tolist()]
        assert sorted(rows) == list(range(50))


def test_a_batch_that_its_step_changes_leaves_the_data_alone() -> None:
    x = torch.arange(20.0)
    source = TensorSource({"x": x}, batch_size=4, shuffle=False)
    for batch, _ in islice(source.batches(Cursor(0, 0)), 20):
        assert torch.equal(batch["x"], batch["row"].float())
        batch["x"].zero_()
        batch["row"].zero_()
    assert torch.equal(x, torch.arange(20.0))


def test_two_who_take_batches_at_once_do_not_disturb_each_other() -> None:
    source = TensorSource({"x": torch.arange(30)}, batch_size=4)
    alone = rows_and_cursors(source, Cursor(0, 0), 16)
    both = zip(source.batches(Cursor(0, 0)), source.batches(Cursor(1, 0)), strict=False)
    for (expected, _), ((batch, _), (other, _)) in zip(alone, both, strict=False):
        assert batch["x"].tolist() == expected and torch.equal(other["x"], other["row"])


def test_no_row_number_is_added_where_none_is_wanted() -> None:
    source = TensorSource({"x": torch.arange(4)}, batch_size=4, with_row=False)
    assert list(next(source.batches(Cursor(0, 0)))[0]) == list(next(source.once())) == ["x"]


def test_a_row_number_that_was_given_is_kept() -> None:
    source = TensorSource({"row": torch.arange(10, 15)}, batch_size=5, shuffle=False)
    batch, _ = next(source.batches(Cursor(0, 0)))
    assert batch["row"].tolist() == [10, 11, 12, 13, 14]


@pytest.mark.parametrize(
    ("tensors", "found"),
    [
        ({"x": torch.zeros(3), "y": torch.zeros(4)}, "x has 3, y has 4"),
        ({"x": torch.zeros(0)}, "0 rows"),
        ({"x": torch.tensor(1.0)}, "x is a single number"),
        ({}, "no tensors"),
    ],
    ids=["different lengths", "no rows", "a number", "nothing"],
)
def test_what_is_no_table_is_refused(tensors: dict[str, torch.Tensor], found: str) -> None:
    with pytest.raises(DataError, match=found):
        TensorSource(tensors, batch_size=2)


def test_whole_data_is_one_batch_and_one_epoch() -> None:
    source = WholeSource({"x": torch.arange(5)})
    taken = list(islice(source.batches(Cursor(2, 0)), 2))
    assert [cursor for _, cursor in taken] == [Cursor(3, 0), Cursor(4, 0)]
    assert all(batch["x"].tolist() == [0, 1, 2, 3, 4] for batch, _ in taken)
