"""Parquet files as one table: what they hold, and in words what is wrong with them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data.parquet import numbered, write
from treadle.data.parquet_files import Group, are_files, open_parquet
from treadle.errors import DataError, MissingExtraError


def test_row_groups_of_all_files_are_numbered_through(tmp_path: Path) -> None:
    files = [numbered(tmp_path / "b.parquet", 25), numbered(tmp_path / "a.parquet", 12)]
    table = open_parquet(files)
    assert table.num_rows == 37 and table.largest_group == 10
    assert table.groups == (
        Group(0, 0, 0, 10),
        Group(0, 1, 10, 10),
        Group(0, 2, 20, 5),
        Group(1, 0, 25, 10),
        Group(1, 1, 35, 2),
    )
    assert list(table.columns) == ["a", "b", "y"]


def test_folders_and_patterns_give_their_files_in_order(tmp_path: Path) -> None:
    for name in ("c.parquet", "a.pq", "b.parquet"):
        numbered(tmp_path / name)
    (tmp_path / "readme.txt").write_text("no table")
    assert [p.name for p in open_parquet(tmp_path).paths] == ["a.pq", "b.parquet", "c.parquet"]
    pattern = str(tmp_path / "*.parquet")
    assert [p.name for p in open_parquet(pattern).paths] == ["b.parquet", "c.parquet"]


def test_row_groups_and_files_without_rows_are_passed_over(tmp_path: Path) -> None:
    empty = write(tmp_path / "0.parquet", {"a": pa.array([], pa.float64())})
    schema = pa.schema([("a", pa.float64())])
    with pq.ParquetWriter(tmp_path / "1.parquet", schema) as writer:
        for values in ([], [1.0, 2.0], [], [3.0]):
            writer.write_table(pa.table({"a": pa.array(values, pa.float64())}))
    table = open_parquet([empty, tmp_path / "1.parquet"])
    assert [group.num_rows for group in table.groups] == [2, 1]
    assert [group.first_row for group in table.groups] == [0, 2]


def test_all_that_is_wrong_with_files_is_said_together(tmp_path: Path) -> None:
    (tmp_path / "zero.parquet").touch()
    (tmp_path / "text.parquet").write_text("a,b\n1,2\n" * 9)
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    (tmp_path / "nothing").mkdir()
    whole = numbered(tmp_path / "whole.parquet").read_bytes()
    (tmp_path / "torn.parquet").write_bytes(whole[: len(whole) // 2])
    names = ["zero.parquet", "text.parquet", "table.csv", "nothing", "torn.parquet", "gone.parquet"]
    with pytest.raises(DataError) as raised:
        open_parquet([tmp_path / name for name in names])
    told = raised.value.message
    assert told.startswith("6 problems")
    assert all(name in told for name in names)
    assert "holds no Parquet file" in told and "is not there" in told and "by its ending" in told


def test_files_of_different_columns_are_refused_with_the_difference(tmp_path: Path) -> None:
    first = write(tmp_path / "1.parquet", {"a": [1.0], "b": [2]})
    second = write(tmp_path / "2.parquet", {"a": ["x"], "c": [2]})
    with pytest.raises(DataError) as raised:
        open_parquet([first, second])
    told = raised.value.message
    assert "lacks 'b'" in told and "has 'c' besides" in told
    assert "holds 'a' as string, not double" in told


def test_files_without_a_row_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no row"):
        open_parquet(write(tmp_path / "0.parquet", {"a": pa.array([], pa.float64())}))


def test_a_fingerprint_knows_the_data_and_not_its_path(tmp_path: Path) -> None:
    first = open_parquet(numbered(tmp_path / "a.parquet")).fingerprint()
    shutil.copy(tmp_path / "a.parquet", tmp_path / "other.parquet")
    assert open_parquet(tmp_path / "other.parquet").fingerprint() == first
    others = [
        numbered(tmp_path / "b.parquet", group_rows=9),
        numbered(tmp_path / "c.parquet", first=1),
        numbered(tmp_path / "d.parquet", 46),
    ]
    prints = [first] + [open_parquet(path).fingerprint() for path in others]
    assert len({found["sha256"] for found in prints}) == 4


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = numbered(tmp_path / "a.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtraError, match=r"treadle\[parquet\]"):
        open_parquet(path)


@pytest.mark.parametrize(
    ("data", "expected"),
    [("a", True), (Path("a"), True), (["a", Path("b")], True), ([], False), (([1],), False)],
    ids=repr,
)
def test_paths_are_told_from_data(data: object, expected: bool) -> None:
    assert are_files(data) is expected
