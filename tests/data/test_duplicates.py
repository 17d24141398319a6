"""Rows nearly alike, inside a part and across parts."""

from __future__ import annotations

import numpy as np
import polars as pl

import treadle
from treadle.data.columns import infer_schema
from treadle.data.duplicates import near_pairs

ROWS = 600
RANDOM = np.random.default_rng(0)
FRAME = pl.DataFrame(
    {
        **{f"x{i}": RANDOM.normal(size=ROWS) for i in range(5)},
        "name": [f"Shop No. {i % 40}" for i in range(ROWS)],
        "y": RANDOM.integers(2, size=ROWS),
    }
)


def pairs(frame: pl.DataFrame) -> int:
    found = near_pairs(frame, infer_schema(frame, "y"))
    return 0 if found is None else len(found.one)


def again(scale: float, count: int = 60) -> pl.DataFrame:
    few = FRAME.head(count)
    noise = [pl.col(f"x{i}") + pl.Series(RANDOM.normal(0, scale, count)) for i in range(5)]
    return pl.concat([FRAME, few.with_columns(*noise)])


def test_rows_measured_twice_are_found_and_others_are_not() -> None:
    assert pairs(FRAME) == 0
    assert 55 <= pairs(again(0.005)) <= 60
    assert pairs(again(0.5)) == 0


def test_equal_rows_are_not_told_a_second_time() -> None:
    assert pairs(again(0.0)) == 0


def test_text_written_differently_is_the_same() -> None:
    few = FRAME.head(30).with_columns(pl.col("name").str.to_uppercase().str.replace(r"\. ", " "))
    assert pairs(pl.concat([FRAME, few])) == 30
    other = FRAME.head(30).with_columns(name=pl.lit("Shop No. 99"))
    assert pairs(pl.concat([FRAME, other])) == 0


def test_tables_of_few_values_are_alike_by_nature() -> None:
    frame = pl.DataFrame({"x": RANDOM.integers(5, size=ROWS) / 3, "y": FRAME["y"]})
    assert pairs(frame) == 0


def test_a_deep_look_tells_what_training_and_test_share() -> None:
    found = treadle.check(again(0.005, 300), target="y", deep=True)["findings"]
    titles = {finding["title"]: finding["severity"] for finding in found}
    assert titles["Rows of test hardly differ from training"] == "warning"
    assert "Nearly the same rows" in titles


def test_equal_rows_with_different_answers_are_told() -> None:
    torn = FRAME.head(40).with_columns(y=1 - pl.col("y"))
    found = treadle.check(pl.concat([FRAME, torn]), target="y", deep=True)["findings"]
    told = next(f for f in found if f["title"] == "Equal rows with different answers")
    assert told["evidence"]["rows"] == 80
