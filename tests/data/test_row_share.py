"""Rows set aside by their number: the same whichever stretch is asked for."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from treadle.data.hashing import hash_rows
from treadle.data.row_share import RowShare
from treadle.data.split import SplitRule, split


@given(st.integers(0, 1000), st.integers(0, 500), st.integers(0, 2**40))
def test_a_stretch_is_told_as_it_is_told_in_the_whole(first: int, count: int, seed: int) -> None:
    share = RowShare(part="train", seed=seed)
    whole = share.mask(0, 1500)
    assert np.array_equal(share.mask(first, count), whole[first : first + count])


def test_each_row_either_trains_or_validates() -> None:
    masks = [RowShare(part=part, seed=3).mask(0, 10_000) for part in ("train", "validation")]
    assert np.array_equal(masks[0], ~masks[1])
    assert abs(masks[1].mean() - 0.15) < 0.01


def test_rows_are_set_aside_by_the_hash_that_splits_tables_in_memory() -> None:
    numbers = pl.DataFrame({"row": np.arange(20_000)})
    exact = split(numbers, SplitRule(fractions=(0.85, 0.15, 0.0), seed=5)).validation
    ours = np.flatnonzero(RowShare(part="validation", seed=5).mask(0, 20_000))
    assert len(np.setxor1d(exact, ours)) < 0.01 * 20_000


@given(st.integers(0, 2**50), st.integers(0, 2**40))
def test_a_row_is_told_by_the_hash_of_a_table_of_its_number(row: int, seed: int) -> None:
    hashed = int(hash_rows(pl.DataFrame({"row": [row]}), seed)[0])
    assert RowShare(part="train", seed=seed).mask(row, 1)[0] == (hashed < 0.85 * 2**64)


def test_another_seed_sets_others_aside() -> None:
    masks = [RowShare(part="validation", seed=seed).mask(0, 1000) for seed in (1, 2)]
    assert not np.array_equal(*masks)
