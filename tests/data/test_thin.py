"""Values that hardly any row has are told, most rare first."""

from __future__ import annotations

import polars as pl

from treadle.data.columns import infer_schema
from treadle.data.thin import thin_parts


def table(values: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"shop": values, "y": [n % 2 for n in range(len(values))]})


def told(values: list[str]) -> list[str]:
    frame = table(values)
    return [finding.sentence for finding in thin_parts(frame, infer_schema(frame, "y"))]


def test_rare_values_are_named_with_their_rows() -> None:
    (sentence,) = told(["a"] * 300 + ["b"] * 290 + ["c"] * 5 + ["d"] * 12)
    assert "'shop' c (5), 'shop' d (12):" in sentence


def test_values_with_rows_enough_and_columns_of_many_values_are_not_told() -> None:
    assert told(["a"] * 300 + ["b"] * 300) == []
    assert told([f"v{n % 60}" for n in range(600)]) == []


def test_a_small_table_is_thin_everywhere_and_not_told() -> None:
    assert told(["a"] * 90 + ["b"] * 5) == []
