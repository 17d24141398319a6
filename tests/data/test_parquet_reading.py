"""Row groups read into arrays: the rows that are meant, and broken files told in words."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from tests.data.parquet import numbered, write
from treadle.data import parquet_reading
from treadle.data.parquet_columns import Plan, plan_columns
from treadle.data.parquet_files import ParquetTable, open_parquet
from treadle.data.parquet_reading import Reader, plan_encoded, read_group
from treadle.errors import DataError


def room_for(plan: Plan, num_rows: int) -> dict[str, np.ndarray[Any, Any]]:
    return {slot.name: np.zeros((num_rows, *slot.shape), slot.dtype) for slot in plan.slots}


def as_read(table: ParquetTable, plan: Plan, kept: Any = None) -> dict[str, np.ndarray[Any, Any]]:
    """Return all row groups under each other, of each the rows that `kept` marks."""
    arrays, end = room_for(plan, table.num_rows), 0
    reader = Reader(table)
    for group in table.groups:
        mask = None if kept is None else kept[group.first_row : group.first_row + group.num_rows]
        end = read_group(reader, plan, group, arrays, end, mask)
    reader.close()
    return {name: array[:end] for name, array in arrays.items()}


def test_cells_come_where_they_belong(tmp_path: Path) -> None:
    table = open_parquet(
        [numbered(tmp_path / "a.parquet", 23), numbered(tmp_path / "b.parquet", 9, first=23)]
    )
    arrays = as_read(table, plan_columns(table, target="y"))
    numbers = np.arange(32, dtype=np.float32)
    assert np.array_equal(arrays["x"], np.stack([numbers, -numbers], 1))
    assert arrays["target"].tolist() == [number % 7 for number in range(32)]


def test_only_rows_that_are_meant_are_kept(tmp_path: Path) -> None:
    table = open_parquet(numbered(tmp_path / "a.parquet"))
    kept = np.arange(47) % 3 == 1
    arrays = as_read(table, plan_columns(table, target="y"), kept)
    assert arrays["x"][:, 0].tolist() == np.flatnonzero(kept).tolist()


@pytest.mark.parametrize("kind", [pa.bool_(), pa.uint8(), pa.int64(), pa.float16(), pa.float64()])
def test_every_kind_of_number_is_read(tmp_path: Path, kind: Any) -> None:
    path = write(tmp_path / "a.parquet", {"a": pa.array([1, 0, 1]).cast(kind)})
    table = open_parquet(path)
    assert as_read(table, plan_columns(table))["x"].tolist() == [[1.0], [0.0], [1.0]]


def test_columns_packed_as_a_dictionary_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"a": [7, 7, 9] * 20}, group_rows=50, use_dictionary=True)
    table = open_parquet(path)
    assert as_read(table, plan_columns(table))["x"].ravel().tolist() == [7, 7, 9] * 20


def test_empty_cells_that_no_footer_told_are_refused_in_their_turn(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"a": [1.0, None, 3.0]}, write_statistics=False)
    table = open_parquet(path)
    with pytest.raises(DataError, match="'a': 1 cell is empty"):
        as_read(table, plan_columns(table))


def test_a_file_that_breaks_later_is_named_with_its_row_group(tmp_path: Path) -> None:
    path = numbered(tmp_path / "a.parquet", 5000, group_rows=1000)
    table = open_parquet(path)
    found = path.stat()
    with path.open("rb+") as file:
        file.write(bytes(found.st_size // 2))
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))  # a disk that fails keeps no record
    with pytest.raises(DataError, match=r"a\.parquet' could not be read at its row group \d"):
        as_read(table, plan_columns(table))


def test_many_files_are_not_all_open_at_once(tmp_path: Path) -> None:
    files = [numbered(tmp_path / f"{n:02}.parquet", 3, first=3 * n) for n in range(12)]
    table = open_parquet(files)
    reader, plan = Reader(table), plan_columns(table)
    for group in [*table.groups, *reversed(table.groups)]:
        read_group(reader, plan, group, room_for(plan, 3), 0, None)
        assert len(reader._open) <= 8


def split_in_two(frame: pl.DataFrame) -> Mapping[str, Any]:
    return {
        "numbers": frame.select("a", "b").to_numpy().astype(np.float32),
        "city": frame["city"]
        .replace_strict({"Rome": 0, "Oslo": 1}, return_dtype=pl.Int8)
        .to_numpy(),
    }


def test_an_encoder_makes_the_tensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_reading, "_ENCODED_ROWS", 4)
    cities = ["Rome", "Oslo", "Oslo"] * 9
    columns = {"a": np.arange(27.0), "b": np.zeros(27), "city": cities}
    table = open_parquet(write(tmp_path / "a.parquet", columns))
    plan = plan_encoded(table, split_in_two)
    assert [(slot.name, str(slot.dtype), slot.shape) for slot in plan.slots] == [
        ("numbers", "float32", (2,)),
        ("city", "int8", ()),
    ]
    kept = np.arange(27) % 9 < 5
    arrays = as_read(table, plan, kept)
    assert arrays["numbers"][:, 0].tolist() == np.flatnonzero(kept).tolist()
    assert arrays["city"].tolist() == [
        int(c == "Oslo") for c, k in zip(cities, kept, strict=True) if k
    ]


def test_an_encoder_that_changes_its_mind_is_refused(tmp_path: Path) -> None:
    table = open_parquet(numbered(tmp_path / "a.parquet"))

    def moody(frame: pl.DataFrame) -> Mapping[str, Any]:
        width = 1 if frame["a"][0] == 0 else 2
        return {"x": np.zeros((frame.height, width), np.float32)}

    with pytest.raises(DataError, match="the same tensors of any rows"):
        as_read(table, plan_encoded(table, moody))
