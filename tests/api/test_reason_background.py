"""What a model keeps for reasons: few rows that stand for all, and what is usual."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from tests.conftest import Finished
from treadle.api.reason_background import background_facts, usual_mixes

Array = NDArray[Any]
NO_CATEGORIES = np.zeros(0, np.int64)


def test_the_mean_of_the_few_rows_is_nearly_that_of_all() -> None:
    draw = np.random.default_rng(0)
    numbers = draw.normal(size=(2_000, 5)).astype(np.float32)
    arrays: dict[str, Array] = {
        "numbers": numbers,
        "categories": np.zeros((2_000, 0), np.uint8),
    }
    mixes = usual_mixes(arrays, {"numbers": np.arange(5), "categories": NO_CATEGORIES}, 1)
    assert mixes["numbers"].shape == (16, 5)
    # sixteen rows at random would be off by a quarter
    assert np.abs(mixes["numbers"].mean(axis=0) - numbers.mean(axis=0)).max() < 0.03
    tied = np.corrcoef(mixes["numbers"], rowvar=False) - np.eye(5)
    assert np.abs(tied).max() < 0.6


def test_two_draws_of_the_same_rows_give_nearly_the_same() -> None:
    numbers = np.random.default_rng(0).normal(size=(6_000, 4)).astype(np.float32)
    groups = {"numbers": np.arange(4), "categories": NO_CATEGORIES}
    one, other = (
        usual_mixes({"numbers": part, "categories": np.zeros((3_000, 0), np.uint8)}, groups)
        for part in (numbers[:3_000], numbers[3_000:])
    )
    assert np.abs(one["numbers"] - other["numbers"]).mean() < 0.1


def test_categories_come_as_often_as_in_training_and_columns_of_a_group_from_one_row() -> None:
    codes = np.repeat(np.array([2, 3], np.uint8), (1_500, 500))[:, None]
    numbers = np.where(codes == 2, 1.0, np.nan).astype(np.float32)
    groups = {"numbers": np.array([0]), "categories": np.array([0])}
    mixes = usual_mixes({"numbers": numbers, "categories": codes}, groups, 1)
    assert np.bincount(mixes["categories"][:, 0]).tolist() == [0, 0, 12, 4]
    assert (np.isnan(mixes["numbers"]) == (mixes["categories"] == 3)).all()


def test_each_value_is_taken_once_and_once_a_sixteenth_in_each_slice() -> None:
    numbers = np.random.default_rng(0).permuted(np.tile(np.arange(640), (3, 1)), axis=1).T
    arrays = {"numbers": numbers.astype(np.float32), "categories": np.zeros((640, 0), np.uint8)}
    groups = {"numbers": np.arange(3), "categories": NO_CATEGORIES}
    mixes = usual_mixes(arrays, groups)["numbers"]
    assert mixes.shape == (64, 3)
    levels = (mixes // 10).astype(int)
    assert (np.sort(levels, axis=0) == np.arange(64)[:, None]).all()
    for number in range(4):
        part = levels[16 * number : 16 * number + 16] // 4
        assert (np.sort(part, axis=0) == np.arange(16)[:, None]).all()
    assert set((levels[:16] % 4).reshape(-1)) == {1, 2}


def test_fewer_rows_than_are_wanted_are_all_kept() -> None:
    arrays: dict[str, Array] = {
        "numbers": np.ones((3, 1), np.float32),
        "categories": np.zeros((3, 0), np.uint8),
    }
    mixes = usual_mixes(arrays, {"numbers": np.array([0]), "categories": NO_CATEGORIES})
    assert len(mixes["numbers"]) == 3


def test_usual_is_the_middle_the_commonest_or_nothing() -> None:
    facts = background_facts(
        pl.DataFrame(
            {
                "amount": [1.0, 2.0, 50.0, None],
                "year": [2019.0, 2020.0, 2020.0, 2021.0],
                "city": ["Rome", "Oslo", "Rome", None],
                "day": [datetime.fromisoformat(f"2024-01-0{day}") for day in (1, 2, 3, 4)],
                "rare": [None, None, None, 1.0],
            }
        )
    )
    assert facts.usual == {
        "amount": 2.0,
        "year": 2020.0,
        "city": "Rome",
        "day": "2024-01-03T00:00:00",
        "rare": None,
    }
    assert facts.years == ("year",)


@pytest.mark.parametrize("name", ["reasons.json", "background.safetensors"])
def test_it_is_small(table_run: Finished, name: str) -> None:
    assert (table_run.path / "model" / name).stat().st_size < 4_096
