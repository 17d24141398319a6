"""Cells, usual values and parts as people write them."""

from __future__ import annotations

from datetime import datetime

import polars as pl
import pytest

from treadle.serve.reason_words import (
    cell_beside_usual,
    cells_in_words,
    reason,
    usual_in_words,
)


def test_cells_are_written_as_people_write_them() -> None:
    numbers = pl.Series([1200.0, 0.25, -3.0, 1234.5678, None, float("inf")])
    expected = ["1,200", "0.25", "-3", "1,234.57", "empty", "empty"]
    assert cells_in_words(numbers, year=False) == expected
    assert cells_in_words(pl.Series([2024.0]), year=True) == ["2024"]
    dates = pl.Series(
        [datetime.fromisoformat("2024-05-01"), datetime.fromisoformat("2024-05-01T07:30"), None]
    )
    assert cells_in_words(dates, year=False) == ["2024-05-01", "2024-05-01 07:30", "empty"]
    texts = pl.Series(["Rome", None, "x" * 60])
    assert cells_in_words(texts, year=False) == ["Rome", "empty", "x" * 39 + "…"]


def test_usual_values_are_written_like_cells() -> None:
    assert usual_in_words(2900.0, is_date=False, year=False) == "2,900"
    assert usual_in_words("2024-05-01T00:00:00", is_date=True, year=False) == "2024-05-01"
    assert usual_in_words("Rome", is_date=False, year=False) == "Rome"
    assert usual_in_words(None, is_date=False, year=False) == "empty"


def test_a_chance_is_told_of_a_hundred() -> None:
    told = [cell_beside_usual("income", "1,200", "2,900")]
    assert reason(told, -0.1234, "the chance of 'yes'", is_chance=True) == (
        "income 1,200 (usual 2,900): lowers the chance of 'yes' by 12 in 100"
    )


@pytest.mark.parametrize(
    ("effect", "by"), [(0.0341, "3.4 in 100"), (0.0996, "10 in 100"), (0.00012, "0.012 in 100")]
)
def test_small_chances_keep_two_digits(effect: float, by: str) -> None:
    assert reason(["a 1 (as usual)"], effect, "it", is_chance=True).endswith(f"raises it by {by}")


@pytest.mark.parametrize(
    ("effect", "by"),
    [(1234567.0, "1,230,000"), (12.34, "12.3"), (-0.00123456, "0.00123"), (999.6, "1,000")],
)
def test_numbers_are_told_in_three_digits(effect: float, by: str) -> None:
    assert reason(["a 1 (as usual)"], effect, "'paid'", is_chance=False).endswith(f"by {by}")


def test_columns_that_tell_the_same_are_named_together() -> None:
    told = [cell_beside_usual(name, "1", "1") for name in ("a", "b", "c", "d")]
    words = reason(told, 1.0, "'paid'", is_chance=False)
    assert words.startswith("a 1 (as usual) with b 1 (as usual) and 2 more like them: raises")
