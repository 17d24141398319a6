from __future__ import annotations

import gzip
import io
import math
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.data.read import read_memory, read_tables, to_frame
from treadle.errors import DataError

PLAIN = "name,age,height\nAda,36,1.65\nAlan,41,1.8\nGrace,85,\n"


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(folder: Path, content: str | bytes, name: str = "table.csv") -> pl.DataFrame:
    return read_tables([written(folder, name, content)]).frame


def refused(folder: Path, content: str | bytes, name: str = "table.csv") -> str:
    with pytest.raises(DataError) as caught:
        read(folder, content, name)
    return str(caught.value)


def test_reads_plain_csv_with_types(tmp_path: Path) -> None:
    frame = read(tmp_path, PLAIN)
    assert frame.schema == {"name": pl.String, "age": pl.Int64, "height": pl.Float64}
    assert frame["height"].to_list() == [1.65, 1.8, None]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_sniffs_the_separator(tmp_path: Path, separator: str) -> None:
    frame = read(tmp_path, PLAIN.replace(",", separator))
    assert frame.columns == ["name", "age", "height"] and frame.height == 3


def test_a_comma_in_quotes_is_no_separator(tmp_path: Path) -> None:
    frame = read(tmp_path, 'who;what\n"a, b";1\n"c, ""d""";2\n')
    assert frame["who"].to_list() == ["a, b", 'c, "d"']


@pytest.mark.parametrize("name", ["t.csv.gz", "t.csv"])
def test_reads_gzip_whatever_the_name(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, gzip.compress(PLAIN.encode()), name).height == 3


def test_reads_zstandard(tmp_path: Path) -> None:
    packed = pa.Codec("zstd").compress(PLAIN.encode(), asbytes=True)
    assert read(tmp_path, packed, "t.csv.zst")["age"].to_list() == [36, 41, 85]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16", "utf-16-le"])
def test_reads_encodings(tmp_path: Path, encoding: str) -> None:
    frame = read(tmp_path, "größe,name\n1,Zoë\n2,Müller\n".encode(encoding))
    assert frame.columns == ["größe", "name"]
    assert frame["name"].to_list() == ["Zoë", "Müller"]


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_reads_all_line_ends(tmp_path: Path, end: str) -> None:
    frame = read(tmp_path, PLAIN.replace("\n", end))
    assert frame["height"].to_list() == [1.65, 1.8, None]


EUROPEAN = (
    "Datum;Betrag;Anteil;Stück;Ort\n"
    "31.12.2025;1.234,56;12,5 %;1.000;Köln\n"
    "01.02.2025;-7,00;3,0 %;17;Bonn\n"
    "03.02.2025;€ 99,90;1,0 %;2.500;Köln\n"
)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_reads_a_european_excel_export_and_says_so(tmp_path: Path, encoding: str) -> None:
    result = read_tables([written(tmp_path, "t.csv", EUROPEAN.encode(encoding))])
    assert result.frame["Betrag"].to_list() == [1234.56, -7.0, 99.9]
    assert result.frame["Anteil"].to_list() == [12.5, 3.0, 1.0]
    assert result.frame["Stück"].to_list() == [1000, 17, 2500]
    assert result.frame["Datum"].to_list()[0] == datetime(2025, 12, 31)  # noqa: DTZ001
    told = " ".join(result.notes)
    assert "decimal comma" in told and "day first" in told and "semicolons" in told


def test_semicolons_with_decimal_points_stay_points(tmp_path: Path) -> None:
    frame = read(tmp_path, "a;b\n1.500;x\n2.25;y\n")
    assert frame["a"].to_list() == [1.5, 2.25]


def test_reads_thousands_commas_currency_and_percent(tmp_path: Path) -> None:
    frame = read(tmp_path, 'a,b\n"$1,234.50",5%\n"$2,000.00",7.5%\n')
    assert frame["a"].to_list() == [1234.5, 2000.0]
    assert frame["b"].to_list() == [5.0, 7.5]


def test_excel_separator_line_is_obeyed(tmp_path: Path) -> None:
    assert read(tmp_path, "sep=;\na;b\n1,5;2\n")["a"].to_list() == [1.5]


@pytest.mark.parametrize("word", ["NA", "N/A", "null", "?", "-", "#N/A"])
def test_missing_words_do_not_spoil_numbers_and_are_told(tmp_path: Path, word: str) -> None:
    result = read_tables([written(tmp_path, "t.csv", f"a,b\n1,x\n{word},y\n3,z\n")])
    assert result.frame["a"].to_list() == [1, None, 3]
    assert any(f"'{word}'" in note and "missing" in note for note in result.notes)


def test_nan_counts_as_missing(tmp_path: Path) -> None:
    assert read(tmp_path, "a,b\n1.5,x\nNaN,y\n")["a"].to_list() == [1.5, None]


def test_a_few_words_among_many_numbers_count_as_missing_and_are_told(tmp_path: Path) -> None:
    rows = "".join(f"{i},k\n" for i in range(99))
    result = read_tables([written(tmp_path, "t.csv", f"price,b\n{rows}on request,k\n")])
    assert result.frame["price"].null_count() == 1
    assert result.formats["price"].missing_words == ("on request",)
    assert any("on request" in note for note in result.notes)


def test_codes_among_numbers_stay_text(tmp_path: Path) -> None:
    rows = "".join(f"{i}\n" for i in range(99))
    assert read(tmp_path, f"code\n{rows}A17\n").schema["code"] == pl.String


def test_leading_zeros_are_kept_and_told(tmp_path: Path) -> None:
    result = read_tables([written(tmp_path, "t.csv", "zip,n\n01234,1\n55555,2\n")])
    assert result.frame["zip"].to_list() == ["01234", "55555"]
    assert any("begin with 0" in note for note in result.notes)


def test_types_come_from_all_rows_not_the_first(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i}\n" for i in range(12_000))
    frame = read(tmp_path, f"a,b\n{rows}0.5,x9\n")
    assert frame["a"][-1] == 0.5 and frame["b"].dtype == pl.String


@pytest.mark.parametrize(
    ("cells", "first"),
    [
        (("2025-12-31", "2025-01-02"), datetime(2025, 12, 31)),  # noqa: DTZ001
        (("2025-12-31T10:00:00Z", "2025-01-02T00:00:00Z"), datetime(2025, 12, 31, 10)),  # noqa: DTZ001
        (("2025-12-31 10:30", "2025-01-02 00:00"), datetime(2025, 12, 31, 10, 30)),  # noqa: DTZ001
        (("12/31/2025", "1/2/2025"), datetime(2025, 12, 31)),  # noqa: DTZ001
        (("31/12/2025", "1/2/2025"), datetime(2025, 12, 31)),  # noqa: DTZ001
        (("31-Dec-2025", "02-Jan-2025"), datetime(2025, 12, 31)),  # noqa: DTZ001
        (("12/31/2025 6:30 PM", "1/2/2025 1:00 AM"), datetime(2025, 12, 31, 18, 30)),  # noqa: DTZ001
    ],
)
def test_reads_dates(tmp_path: Path, cells: tuple[str, str], first: datetime) -> None:
    frame = read(tmp_path, "d,n\n" + "".join(f"{cell},1\n" for cell in cells))
    assert frame["d"].dtype == pl.Datetime("us") and frame["d"][0] == first


def test_ambiguous_dates_are_told(tmp_path: Path) -> None:
    result = read_tables([written(tmp_path, "t.csv", "d,n\n03/04/2025,1\n05/06/2025,2\n")])
    assert result.frame["d"][0].month == 3
    assert any("could be read" in note for note in result.notes)


def test_empty_lines_are_skipped(tmp_path: Path) -> None:
    assert read(tmp_path, "\n\na,b\n1,2\n\n3,4\n\n").height == 2


def test_an_unnamed_first_column_gets_a_name(tmp_path: Path) -> None:
    assert read(tmp_path, ",x\n0,5\n1,6\n").columns == ["column_1", "x"]


def test_a_quote_inside_an_open_cell_is_plain_text(tmp_path: Path) -> None:
    frame = read(tmp_path, 'size,n\n5" pipe,1\n6" pipe,2\n7" pipe,3\n')
    assert frame["size"].to_list() == ['5" pipe', '6" pipe', '7" pipe']


def test_ragged_rows_are_refused_with_their_first_five_lines(tmp_path: Path) -> None:
    rows = ["1,2"] * 10
    for line in (2, 4, 5, 7, 8, 9):
        rows[line - 2] = "1" if line % 2 else "1,2,3"
    message = refused(tmp_path, "a,b\n" + "\n".join(rows) + "\n")
    assert "line 2 has 3, line 4 has 3, line 5 has 1, line 7 has 1, line 8 has 3" in message
    assert "and 1 more" in message


def test_short_rows_are_refused_though_quotes_hold_line_ends(tmp_path: Path) -> None:
    message = refused(tmp_path, 'a,b\n"x\ny, z",1\n2\n')
    assert "line 4 has 1" in message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "empty"),
        ("  \n \n", "empty"),
        ("a,b\n", "no rows"),
        ("a,b,a\n1,2,3\n", "several columns of the same name: 'a'"),
        ("1,2,3\n4,5,6\n", "column names seem missing"),
        (b"PK\x03\x04rest", "zip or Excel"),
        (b"\x00\x01\x02\x03\x04\x05\x90\x81" * 9, "not"),
        ('a,b\n1,"open, x\n2,x\n', "never closed"),
    ],
)
def test_refuses_broken_files(tmp_path: Path, content: str | bytes, expected: str) -> None:
    assert expected in refused(tmp_path, content)


def test_tells_all_problems_of_a_file_together(tmp_path: Path) -> None:
    message = refused(tmp_path, "a,a\n")
    assert "same name" in message and "no rows" in message


def test_tells_the_neighbours_of_a_missing_file(tmp_path: Path) -> None:
    written(tmp_path, "sales.csv", PLAIN)
    with pytest.raises(DataError, match=r"did you mean 'sales.csv'"):
        read_tables([tmp_path / "sale.csv"])
    with pytest.raises(DataError, match="no folder"):
        read_tables([tmp_path / "nowhere" / "sale.csv"])


def test_tells_all_missing_files_together(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2 problems"):
        read_tables([tmp_path / "a.csv", tmp_path / "b.csv"])


def test_unknown_ending_lists_what_is_supported(tmp_path: Path) -> None:
    assert ".parquet" in refused(tmp_path, "x", "t.docx")


def test_joins_files_folders_and_patterns(tmp_path: Path) -> None:
    written(tmp_path, "b.csv", "y,x\n2.5,3\n")
    written(tmp_path, "a.csv", "x,y\n1,2\n")
    expected = {"x": [1, 3], "y": [2.0, 2.5]}
    for given_paths in ([tmp_path], [tmp_path / "*.csv"], [tmp_path / "a.csv", tmp_path / "b.csv"]):
        assert read_tables(given_paths).frame.to_dict(as_series=False) == expected


def test_files_whose_columns_differ_are_refused_naming_who_lacks_what(tmp_path: Path) -> None:
    written(tmp_path, "a.csv", "x,y\n1,2\n")
    written(tmp_path, "b.csv", "x,z\n1,2\n")
    with pytest.raises(DataError) as caught:
        read_tables([tmp_path])
    assert "a.csv lacks 'z'" in str(caught.value) and "b.csv lacks 'y'" in str(caught.value)


def test_dates_of_several_files_are_read_alike(tmp_path: Path) -> None:
    written(tmp_path, "a.csv", "d\n03/04/2025\n")
    written(tmp_path, "b.csv", "d\n25/04/2025\n")
    assert [d.month for d in read_tables([tmp_path]).frame["d"]] == [4, 4]


def test_reads_json_lines_and_lists_with_nested_objects(tmp_path: Path) -> None:
    lines = '{"a": 1, "b": {"c": "x"}}\n{"a": 2.5}\n'
    expected = {"a": [1.0, 2.5], "b.c": ["x", None]}
    assert read(tmp_path, lines, "t.jsonl").to_dict(as_series=False) == expected
    as_list = '[{"a": 1, "b": {"c": "x"}}, {"a": 2.5}]'
    assert read(tmp_path, as_list, "t.json").to_dict(as_series=False) == expected


def test_broken_json_lines_are_numbered(tmp_path: Path) -> None:
    assert "line 2, 3" in refused(tmp_path, '{"a": 1}\n{"a": \n[1]\n', "t.jsonl")


def test_reads_parquet_and_refuses_a_torn_one(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    pl.DataFrame({"a": [1, 2], "code": ["01", "02"]}).write_parquet(buffer)
    assert read(tmp_path, buffer.getvalue(), "t.parquet")["code"].to_list() == ["01", "02"]
    assert "not a whole Parquet" in refused(tmp_path, buffer.getvalue()[:-9], "t.parquet")


def workbook(sheets: dict[str, list[list[object]]]) -> bytes:
    """Write the few parts of an .xlsx file that a reader needs."""
    import zipfile
    from xml.sax.saxutils import escape

    def cell(value: object, style: str = "") -> str:
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
        if isinstance(value, datetime):
            days = (value - datetime(1899, 12, 30)).total_seconds() / 86_400  # noqa: DTZ001
            return f'<c s="1"><v>{days}</v></c>'
        return "<c/>" if value is None else f"<c><v>{value}</v></c>"

    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    relations = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    book = "".join(
        f'<sheet name="{name}" sheetId="{i}" r:id="r{i}"/>' for i, name in enumerate(sheets, 1)
    )
    targets = "".join(
        f'<Relationship Id="r{i}" Type="{office}/worksheet" Target="worksheets/s{i}.xml"/>'
        for i in range(1, len(sheets) + 1)
    )
    styles = (
        f'<styleSheet {main}><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs>'
        "</styleSheet>"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships {relations}><Relationship Id="b" Type="{office}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook {main} xmlns:r="{office}"><sheets>{book}</sheets></workbook>',
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships {relations}>{targets}<Relationship Id="st" Type="{office}/styles" '
            'Target="styles.xml"/></Relationships>',
        )
        archive.writestr("xl/styles.xml", styles)
        for i, rows in enumerate(sheets.values(), 1):
            data = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
            sheet = f"<worksheet {main}><sheetData>{data}</sheetData></worksheet>"
            archive.writestr(f"xl/worksheets/s{i}.xml", sheet)
    return buffer.getvalue()


SALES: list[list[object]] = [
    ["when", "amount", "shop"],
    [datetime(2025, 12, 31, 12), 10.5, "north"],  # noqa: DTZ001
    [datetime(2026, 1, 1), "n/a", "south"],  # noqa: DTZ001
]


def test_reads_excel_with_dates_and_mixed_cells(tmp_path: Path) -> None:
    path = written(tmp_path, "t.xlsx", workbook({"Info": [["only a title"]], "Sales": SALES}))
    result = read_tables([path])
    assert result.frame["amount"].to_list() == [10.5, None]
    assert result.frame["when"].dt.year().to_list() == [2025, 2026]
    assert any("'Sales' is read" in note for note in result.notes)


def test_a_wrong_sheet_lists_the_sheets(tmp_path: Path) -> None:
    path = written(tmp_path, "t.xlsx", workbook({"Info": [["a"], ["b"]], "Sales": SALES}))
    assert read_tables([path], sheet="Sales").frame.height == 2
    with pytest.raises(DataError, match="'Info', 'Sales'"):
        read_tables([path], sheet="Sale")
    assert "not a readable Excel" in refused(tmp_path, "hello", "u.xlsx")


def test_as_text_leaves_cells_as_they_are_written(tmp_path: Path) -> None:
    path = written(tmp_path, "t.csv", "a,b\n1.234,2\n5,x\n")
    frame = read_tables([path], as_text=["a"]).frame
    assert frame["a"].to_list() == ["1.234", "5"]


MEMORY = {"n": [1.5, float("nan"), 3.0], "t": ["x", None, "z"], "b": [True, False, True]}


@pytest.mark.parametrize(
    "data",
    [
        pd.DataFrame(MEMORY),
        pl.DataFrame(MEMORY, nan_to_null=True),
        pl.LazyFrame(MEMORY),
        pa.table(MEMORY),
        MEMORY,
        {"n": np.array(MEMORY["n"]), "t": np.array(MEMORY["t"], object), "b": MEMORY["b"]},
    ],
    ids=["pandas", "polars", "lazy", "arrow", "dict", "numpy"],
)
def test_takes_data_in_memory(data: object) -> None:
    frame = to_frame(data)
    assert frame.columns == ["n", "t", "b"]
    number = frame["n"][1]
    assert number is None or math.isnan(number)
    assert frame["t"].to_list() == ["x", None, "z"] and frame["b"].dtype == pl.Boolean


def test_takes_pandas_nullable_categories_dates_and_mixed_objects() -> None:
    data = pd.DataFrame(
        {
            "i": pd.array([1, None, 3], dtype="Int64"),
            "c": pd.Categorical(["x", "y", None]),
            "d": pd.to_datetime(["2025-01-01", None, "2025-01-03"]),
            "m": pd.Series([1, "a", None], dtype=object),
            7: [1, 2, 3],
        }
    )
    frame = to_frame(data)
    assert frame["i"].to_list() == [1, None, 3] and frame["c"].to_list() == ["x", "y", None]
    assert frame["d"].dtype.is_temporal() and frame["d"].null_count() == 1
    assert frame["m"].to_list() == ["1", "a", None] and "7" in frame.columns


def test_refuses_what_is_no_table() -> None:
    with pytest.raises(DataError, match="differ in length"):
        to_frame({"a": [1, 2], "b": [1]})
    with pytest.raises(DataError, match="2 dimensions"):
        to_frame({"a": np.zeros((2, 2))})
    with pytest.raises(DataError, match="not a table"):
        to_frame(7)
    with pytest.raises(DataError, match="no rows"):
        read_memory({"a": []})


def test_dates_in_memory_are_recognised() -> None:
    assert read_memory({"d": ["2025-01-01", "2025-01-02"]}).frame["d"].dtype == pl.Datetime("us")


CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8))
def test_text_written_as_csv_comes_back(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    # A first column of plain words keeps rows of empty cells from looking like empty lines.
    table = pl.DataFrame(
        {"key": ["k"] * len(rows), "a": [r[0] for r in rows], "b": [r[1] for r in rows]}
    )
    path = tmp_path / "t.csv"
    table.write_csv(path, quote_style="always")
    frame = read_tables([path], as_text=["a", "b"]).frame
    assert frame["a"].fill_null("").to_list() == table["a"].to_list()
    assert frame["b"].fill_null("").to_list() == table["b"].to_list()
