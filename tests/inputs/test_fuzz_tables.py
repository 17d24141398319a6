"""Table files at random, and whole ones spoiled: rows or a refusal, never a wrong cell."""

from __future__ import annotations

import io
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import treadle
from tests.data.test_read import SALES, workbook
from tests.inputs.fuzzing import result_or_refusal, tries
from treadle.data.read import ReadResult, read_tables
from treadle.data.spreadsheet import mark_formulas

FRAME = pl.DataFrame(
    {
        "name": ["Zoë", "a,b", 'q"q', "", None, "line\nend"] * 3,
        "count": [1, -2, None, 40, 5, 600] * 3,
        "price": [1.5, -0.25, 1e9, None, 3.0, 1234.5] * 3,
        "when": ["2025-01-31", "2025-02-01", None, "2024-02-29", "2025-03-01", "2025-04-01"] * 3,
    }
)


def as_bytes(kind: str) -> bytes:
    buffer = io.BytesIO()
    if kind == "csv":
        FRAME.write_csv(buffer)
    elif kind == "tsv":
        FRAME.write_csv(buffer, separator="\t")
    elif kind == "jsonl":
        FRAME.write_ndjson(buffer)
    elif kind == "json":
        return json.dumps(FRAME.to_dicts()).encode()
    elif kind == "parquet":
        FRAME.write_parquet(buffer)
    else:
        return workbook({"Sales": SALES})
    return buffer.getvalue()


KINDS = ("csv", "tsv", "jsonl", "json", "parquet", "xlsx")
WHOLE = {kind: as_bytes(kind) for kind in KINDS}
PIECES = [b",", b";", b"\t", b"|", b"\n", b"\r", b'"', b"'", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf"]
PIECES += [b"{", b"}", b"[", b"]", b"null", b"NaN", b"1e999", b"-", b"=", b"\x81", b"0", b" "]
CHANGE = st.tuples(
    st.floats(0, 1), st.sampled_from(["cut", "drop", "put", "flip", "twice"]), st.binary(max_size=4)
)


def spoiled(content: bytes, changes: list[tuple[float, str, bytes]], pieces: list[bytes]) -> bytes:
    """Return content with some bytes cut off, dropped, put in, flipped or repeated."""
    for number, (share, how, more) in enumerate(changes):
        at = int(share * len(content))
        piece = more or pieces[number % len(pieces)]
        if how == "cut":
            content = content[: max(at, 1)]
        elif how == "drop":
            content = content[:at] + content[at + len(piece) + 1 :]
        elif how == "put":
            content = content[:at] + piece + content[at:]
        elif how == "flip" and content:
            at = min(at, len(content) - 1)
            content = content[:at] + bytes([content[at] ^ (piece[0] or 1)]) + content[at + 1 :]
        else:
            content = content[:at] + content[max(at - 40, 0) :]
    return content


def read(folder: Path, kind: str, content: bytes) -> ReadResult | None:
    """Read a file of these bytes and check that what comes out is a table."""
    path = folder / f"t.{kind}"
    path.write_bytes(content)
    found: ReadResult | None = result_or_refusal(lambda: read_tables([path]))
    if found is not None:
        assert found.frame.height > 0 and found.frame.width > 0
        assert len(set(found.frame.columns)) == found.frame.width
        assert "" not in found.frame.columns
        assert found.places([0, found.frame.height - 1])
    return found


@pytest.mark.parametrize("kind", KINDS)
@tries(25)
@given(content=st.one_of(st.binary(max_size=400), st.lists(st.sampled_from(PIECES)).map(b"".join)))
def test_random_bytes_are_rows_or_refused(kind: str, content: bytes, tmp_path: Path) -> None:
    read(tmp_path, kind, content)


@pytest.mark.parametrize("kind", KINDS)
@tries(40)
@given(
    changes=st.lists(CHANGE, min_size=1, max_size=4),
    pieces=st.lists(st.sampled_from(PIECES), min_size=4, max_size=4),
)
def test_a_spoiled_file_is_rows_or_refused(
    kind: str, changes: list[tuple[float, str, bytes]], pieces: list[bytes], tmp_path: Path
) -> None:
    read(tmp_path, kind, spoiled(WHOLE[kind], changes, pieces))


@pytest.mark.parametrize("kind", KINDS)
@tries(15)
@given(
    changes=st.lists(CHANGE, min_size=1, max_size=3),
    pieces=st.lists(st.sampled_from(PIECES), min_size=3, max_size=3),
)
def test_a_spoiled_table_is_checked_or_refused(
    kind: str, changes: list[tuple[float, str, bytes]], pieces: list[bytes], tmp_path: Path
) -> None:
    path = tmp_path / f"t.{kind}"
    path.write_bytes(spoiled(WHOLE[kind], changes, pieces))
    result_or_refusal(lambda: treadle.check(path, target="price", kind="table"))


@pytest.mark.parametrize(
    "places",
    [range(60, 116, 2), pytest.param(range(len(WHOLE["parquet"])), marks=pytest.mark.slow)],
    ids=["a page's header", "every byte"],
)
def test_no_flipped_byte_of_a_parquet_file_ends_the_process(places: range, tmp_path: Path) -> None:
    content, refused = WHOLE["parquet"], 0
    for at in places:
        spoilt = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        refused += read(tmp_path, "parquet", spoilt) is None
    assert refused > len(places) / 10


@pytest.mark.parametrize("name", ["count", "rows", "value", "values", "hash", "len", "literal"])
def test_columns_and_answers_may_have_names_that_the_code_uses_itself(
    name: str, tmp_path: Path
) -> None:
    frame = pl.DataFrame({name: ["a", "b", "c"] * 20, "y": ["no", "yes"] * 30})
    assert treadle.check(frame, target="y")["columns"][0]["kind"] == "category"
    assert treadle.check(frame, target=name)["task"] == "classes"
    numbers = frame.with_columns(pl.Series(name, range(60)) % 3)
    assert treadle.check(numbers, target=name)["task"] == "classes"


WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\x00"), max_size=6
)
TEXT = st.one_of(
    WORDS, st.sampled_from(["NA", "null", "-", "=1", "'=1", "-5", "0012", "1,5", "1.234", "3/4/25"])
)
WHOLE_NUMBERS = st.integers(-(2**63), 2**63 - 1)
FRACTIONS = st.floats(allow_nan=False, allow_infinity=False)
COLUMN = st.sampled_from([TEXT, WHOLE_NUMBERS, FRACTIONS, st.dates().map(str), st.booleans()])


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    """Return a table of one to four columns of one kind each, some cells missing."""
    rows = draw(st.integers(1, 12))
    columns = {}
    for number in range(draw(st.integers(1, 4))):
        cells = st.one_of(draw(COLUMN), st.none()) if draw(st.booleans()) else draw(COLUMN)
        values = draw(st.lists(cells, min_size=rows, max_size=rows))
        columns[f"c{number}"] = pl.Series(f"c{number}", values, strict=False)
    return pl.DataFrame(columns)


@pytest.mark.parametrize(
    ("name", "separator", "quote"),
    [("t.csv", ",", "necessary"), ("t.csv", ";", "always"), ("t.tsv", "\t", "necessary")],
)
@tries(60)
@given(frame=frames())
def test_what_is_read_is_what_was_written_or_is_refused_or_said(
    name: str, separator: str, quote: str, frame: pl.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / name
    mark_formulas(frame).write_csv(path, separator=separator, quote_style=quote)  # type: ignore[arg-type]
    found: ReadResult | None = result_or_refusal(lambda: read_tables([path], as_text=frame.columns))
    if found is None:
        return
    said = " ".join(found.notes)
    if "blank lines" in said or "plain characters" in said:
        return
    kept = without_blank_end(frame) if quote == "necessary" else frame
    assert found.frame.height == kept.height, said
    for column in kept.iter_columns():
        written = column.cast(pl.String).fill_null("").to_list()
        got = found.frame[column.name].cast(pl.String).fill_null("").to_list()
        assert [plain(cell) for cell in got] == [plain(cell) for cell in written], said


def plain(cell: str) -> str:
    return cell.replace("\r\n", "\n")


def without_blank_end(frame: pl.DataFrame) -> pl.DataFrame:
    """A file of one column cannot tell missing cells at its end from blank lines."""
    while frame.width == 1 and frame.height and frame[frame.height - 1, 0] is None:
        frame = frame.head(frame.height - 1)
    return frame


@tries(60)
@given(values=st.lists(st.one_of(WHOLE_NUMBERS, FRACTIONS), min_size=1, max_size=12))
def test_numbers_are_read_to_the_bit_or_said(values: list[float], tmp_path: Path) -> None:
    frame = pl.DataFrame({"key": ["k"] * len(values), "x": pl.Series(values, dtype=pl.Float64)})
    frame.write_csv(tmp_path / "t.csv")
    found: ReadResult | None = result_or_refusal(lambda: read_tables([tmp_path / "t.csv"]))
    assert found is not None
    assert found.frame["x"].cast(pl.Float64).to_list() == frame["x"].to_list(), found.notes


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
@tries(40)
@given(frame=frames())
def test_typed_formats_change_no_cell(kind: str, frame: pl.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / f"t.{kind}"
    write = frame.write_parquet if kind == "parquet" else frame.write_ndjson
    write(path)
    found: ReadResult | None = result_or_refusal(lambda: read_tables([path]))
    assert found is not None and found.frame.height == frame.height
    for name in set(frame.columns) - set(found.formats):
        got, written = found.frame[name].cast(pl.String), frame[name].cast(pl.String)
        assert got.to_list() == written.to_list()
