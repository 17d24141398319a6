"""Which columns become which tensors, and what is refused in words."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from tests.data.parquet import numbered, write
from treadle.data.parquet_columns import Plan, encoded, plan_columns
from treadle.data.parquet_files import open_parquet
from treadle.errors import DataError, OptionError


def slots(plan: Plan) -> list[tuple[str, tuple[str, ...], str, tuple[int, ...]]]:
    return [(slot.name, slot.columns, str(slot.dtype), slot.shape) for slot in plan.slots]


ROWS: list[tuple[dict[str, Any], str, list[Any]]] = [
    ({}, "bare", [("x", ("a", "b", "y"), "float32", (3,))]),
    (
        {"target": "y"},
        "tuple",
        [("x", ("a", "b"), "float32", (2,)), ("target", ("y",), "int8", ())],
    ),
    (
        {"target": ["a"], "columns": ["y"]},
        "tuple",
        [("x", ("y",), "float32", (1,)), ("target", ("a",), "float32", (1,))],
    ),
    (
        {"target": "b", "columns": {"numbers": ["a", "y"], "codes": ["y"], "one": "y"}},
        "dict",
        [
            ("numbers", ("a", "y"), "float32", (2,)),
            ("codes", ("y",), "int8", (1,)),
            ("one", ("y",), "int8", ()),
            ("target", ("b",), "float32", ()),
        ],
    ),
]


@pytest.mark.parametrize(
    ("asked", "form", "expected"), ROWS, ids=["all", "x and y", "lists", "by name"]
)
def test_columns_become_tensors(
    tmp_path: Path, asked: dict[str, Any], form: str, expected: list[Any]
) -> None:
    plan = plan_columns(open_parquet(numbered(tmp_path / "a.parquet")), **asked)
    assert plan.form == form
    assert slots(plan) == expected
    assert plan.row_bytes == sum(
        np.dtype(dtype).itemsize * int(np.prod(shape)) for _, _, dtype, shape in expected
    )


def test_whole_numbers_of_several_widths_meet_in_the_wider(tmp_path: Path) -> None:
    columns = {"a": pa.array([1], pa.uint8()), "b": pa.array([1], pa.int16())}
    plan = plan_columns(
        open_parquet(write(tmp_path / "a.parquet", columns)), columns={"c": ["a", "b"]}
    )
    assert slots(plan) == [("c", ("a", "b"), "int16", (2,))]


def test_columns_that_are_not_there_are_named_together(tmp_path: Path) -> None:
    table = open_parquet(numbered(tmp_path / "a.parquet"))
    with pytest.raises(OptionError) as raised:
        plan_columns(table, target="z", columns=["aa", "b"])
    told = str(raised.value)
    assert "'z'" in told and "'aa'" in told and "did you mean 'a'?" in told


def test_a_table_of_nothing_but_its_target_is_refused(tmp_path: Path) -> None:
    table = open_parquet(write(tmp_path / "a.parquet", {"y": [1.0]}))
    with pytest.raises(OptionError, match="no column is left for 'x'"):
        plan_columns(table, target="y")


def test_text_dates_and_empty_cells_are_refused_together(tmp_path: Path) -> None:
    columns = {
        "city": ["Rome", "Oslo", "Bern"],
        "day": [date(2025, 1, 1)] * 3,
        "many": [[1.0], [2.0], [3.0]],
        "gap": [1.0, None, None],
        "y": [1, 2, 3],
    }
    table = open_parquet(write(tmp_path / "a.parquet", columns, group_rows=1))
    with pytest.raises(DataError) as raised:
        plan_columns(table, target="y")
    told = raised.value.message
    assert told.startswith("4 problems")
    assert "'city' holds string" in told and "'day' holds date32[day]" in told
    assert "'many' holds list" in told and "'gap': 2 cells are empty" in told
    assert plan_columns(table, columns=["y"]).read == ("y",)


def test_whole_numbers_that_float32_blurs_are_told(tmp_path: Path) -> None:
    table = open_parquet(write(tmp_path / "a.parquet", {"key": [2**24 + 1], "n": [2**24]}))
    (note,) = plan_columns(table).notes
    assert "'key' holds whole numbers" in note and "'n'" not in note
    assert plan_columns(table, columns={"key": "key"}).notes == []


@pytest.mark.parametrize(
    ("made", "found"),
    [
        ([1, 2], "returned a list"),
        ({}, "returned a dict"),
        ({"x": [1.0]}, r"\(1,\)"),
        ({"x": 3}, r"\(\)"),
        ({"x": ["a", "b"]}, "<U1"),
    ],
    ids=["a list", "nothing", "fewer rows", "a number", "text"],
)
def test_what_an_encoder_may_not_make_is_refused(made: Any, found: str) -> None:
    with pytest.raises(DataError, match=found):
        encoded(lambda frame: made, pl.DataFrame({"a": [1, 2]}))


def test_what_an_encoder_makes_is_kept_in_its_type_and_doubles_become_single() -> None:
    made = encoded(
        lambda frame: {"x": [1.0, 2.0], "c": np.int16([1, 2])}, pl.DataFrame({"a": [1, 2]})
    )
    assert {name: str(array.dtype) for name, array in made.items()} == {
        "x": "float32",
        "c": "int16",
    }
