"""Packed files that unpack to more than they should: refused before a reader ends the process."""

from __future__ import annotations

import gzip
import stat
import zipfile
from pathlib import Path

import pytest

from tests.safety import workbooks
from treadle.data import unpacked
from treadle.data.read import read_tables
from treadle.data.unpacked import check_workbook
from treadle.errors import DataError


def test_a_plain_workbook_is_read(tmp_path: Path) -> None:
    frame = read_tables([workbooks.write(tmp_path / "a.xlsx")]).frame
    assert frame.rows() == [(1, 2)] and frame.columns == ["a", "b"]


@pytest.mark.parametrize(
    ("last", "words"),
    [
        ("XFD1048576", "1,048,576 rows of 16,384 columns"),
        ("A4294967295", "a cell that no sheet has"),
        ("ZZZZ9", "a cell that no sheet has"),
        ("A99999999999999999999", "a cell that no sheet has"),
    ],
)
def test_two_kilobytes_that_say_they_fill_a_sheet_are_refused(
    tmp_path: Path, last: str, words: str
) -> None:
    """The reader would ask for 400 GB at once and end the process."""
    rows = f'{workbooks.HEAD}{workbooks.ROW}<row r="9">{workbooks.word(last, "x")}</row>'
    with pytest.raises(DataError, match=words) as error:
        read_tables([workbooks.write(tmp_path / "sparse.xlsx", rows)])
    assert "sparse.xlsx" in error.value.message


def test_the_far_cell_is_found_wherever_a_piece_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = f'{workbooks.HEAD}<row r="9">{workbooks.word("XFD1048576", "x")}</row>'
    path = workbooks.write(tmp_path / "a.xlsx", rows)
    for size in range(100, 160):
        monkeypatch.setattr(unpacked, "_PIECE", size)
        with pytest.raises(DataError, match="16,384 columns"):
            check_workbook(path)


def test_a_bomb_is_refused_by_what_it_unpacks_to_not_by_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacked, "memory_bytes", lambda: 16 << 20)
    path = workbooks.write(tmp_path / "bomb.xlsx", more={"xl/media/a.bin": "0" * (9 << 20)})
    assert path.stat().st_size < 20_000
    said = path.read_bytes().replace((9 << 20).to_bytes(4, "little"), (9).to_bytes(4, "little"))
    path.write_bytes(said)
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("xl/media/a.bin").file_size == 9
    with pytest.raises(DataError, match="unpacks to more than 8,388,608 bytes"):
        read_tables([path])


def test_a_workbook_of_very_many_parts_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacked, "MOST_PARTS", 20)
    with pytest.raises(DataError, match="25 parts"):
        read_tables([workbooks.write(tmp_path / "a.xlsx", more={str(i): "" for i in range(20)})])


def test_links_and_names_that_lead_out_of_a_zip_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("nobody's business")
    (tmp_path / "in").mkdir()
    path = workbooks.write(tmp_path / "in" / "a.xlsx", more={"../escaped.txt": "x"})
    assert read_tables([path]).frame.rows() == [(1, 2)]
    linked = tmp_path / "in" / "linked.xlsx"
    with zipfile.ZipFile(linked, "w") as archive:
        for name, text in workbooks.PARTS.items():
            archive.writestr(name, text)
        link = zipfile.ZipInfo(workbooks.SHEET)
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "../../../../secret.txt")
    with pytest.raises(DataError, match=r"linked\.xlsx"):
        read_tables([linked])
    assert sorted(p.name for p in tmp_path.rglob("*")) == [
        *("a.xlsx", "in", "linked.xlsx", "secret.txt")
    ]


def test_a_text_that_unpacks_to_more_than_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 1_000_000))
    assert read_tables([path]).frame.height == 1_000_000
    monkeypatch.setattr(unpacked, "memory_bytes", lambda: 4 << 20)
    with pytest.raises(DataError, match="unpacks to more than 2,097,152 bytes"):
        read_tables([path])


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"PK\5\6" + bytes(18), b"no zip at all"])
def test_what_is_no_whole_zip_is_left_to_the_reader(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.xlsx").write_bytes(content)
    check_workbook(tmp_path / "a.xlsx")
    with pytest.raises(DataError, match=r"a\.xlsx"):
        read_tables([tmp_path / "a.xlsx"])
