"""Tables that are refused before training: each with its file, row, column and mend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest

import treadle
from tests.inputs.rows import changed, lines, sound, with_number, write
from treadle.errors import UserError


class Refused(NamedTuple):
    """A file that shows a fault, and words of the refusal: what, where, and what to do."""

    make: Callable[[Path], Path]
    words: tuple[str, ...]
    options: Mapping[str, Any] = MappingProxyType({})


def csv(content: Any, name: str = "table.csv") -> Callable[[Path], Path]:
    return lambda place: write(place, name, content)


def longer(*numbers: int) -> list[str]:
    """Lines of a sound table, those of the given numbers with a cell too many."""
    return [
        f"{line},more" if number in numbers else line
        for number, line in enumerate(lines(sound()), 1)
    ]


def parquet(cells: list[float]) -> Callable[[Path], Path]:
    def make(place: Path) -> Path:
        path = place / "table.parquet"
        pl.DataFrame({"size": np.arange(len(cells)) * 0.5, "y": cells}).write_parquet(path)
        return path

    return make


def dates(*cells: str) -> pl.DataFrame:
    return sound().with_columns(when=pl.Series([cells[i % len(cells)] for i in range(120)]))


def sheet_text(separator: str) -> list[str]:
    return [line.replace(",", separator) for line in lines(sound())]


JSON_LINES = "".join(
    f'{{"size": {i * 0.37 if i != 4 else chr(34) + "1.5kg" + chr(34)}, "y": "{"ab"[i % 2]}"}}\n'
    for i in range(60)
)
NUMBERS = [float(i * 7 % 31) + 0.5 for i in range(60)]

REFUSED = {
    "nothing": Refused(csv(""), ("table.csv is empty (0 bytes)",)),
    "blank lines alone": Refused(csv("\n \n\n"), ("table.csv is empty", "column names and rows")),
    "a header alone": Refused(csv("size,y\n"), ("table.csv has column names but no rows",)),
    "an empty list": Refused(csv("[]", "table.json"), ("table.json has no rows",)),
    "ragged rows": Refused(
        csv(longer(4, 8, 10, 21, 31, 41)),
        (
            "line 4 has 5, line 8 has 5, line 10 has 5, line 21 has 5, line 31 has 5 and 1 more",
            "in quotation marks",
        ),
    ),
    "short rows": Refused(
        csv([*lines(sound())[:5], "1,2", *lines(sound())[6:]]), ("line 6 has 2", "4 column names")
    ),
    "two separators that fit": Refused(
        csv("a;b,y\n1;2,3\n4;5,6\n"), ("cannot be told: commas (2 columns) or semicolons (2",)
    ),
    "an unknown separator": Refused(csv(sheet_text("~")), ("cannot be told", "'~'", "with commas")),
    "columns of spaces": Refused(csv(sheet_text("   ")), ("cannot be told", "several spaces")),
    "prose": Refused(csv("Dear reader\nthis is a letter\n"), ("Only one column was found",)),
    "a name twice": Refused(
        csv(["size,size,colour,y", *lines(sound())[1:]]), ("same name: 'size'", "its own name")
    ),
    "names that differ by blanks": Refused(
        csv(["size, size,colour,y", *lines(sound())[1:]]), ("same name: 'size'",)
    ),
    "no names": Refused(csv("1,2\n3,4\n5,6\n"), ("column names seem missing", "put a line of")),
    "bytes of no encoding": Refused(
        csv("\n".join(lines(sound())).encode() + b"\n1,2,\x81\x8d\xff,yes\n"),
        ("is not text", "line 122", "in UTF-8"),
    ),
    "half a UTF-16 letter": Refused(
        csv("\n".join(lines(sound())).encode("utf-16")[:-1]), ("is not text", "line 121")
    ),
    "a picture": Refused(csv(b"\x89PNG\r\n\x1a\n" + bytes(64)), ("is a picture", "rename it")),
    "a torn Parquet file": Refused(csv(b"PAR1rubbish", "t.parquet"), ("not a whole Parquet file",)),
    "a torn Excel file": Refused(csv(b"PK\x03\x04rubbish", "t.xlsx"), ("not a readable Excel",)),
    "torn JSON lines": Refused(
        csv('{"a": 1, "y": 2}\n{"a": \n', "t.jsonl"), ("line 2", "repair these lines")
    ),
    "an open quotation mark": Refused(csv('a,y\n1,"open, x\n2,x\n'), ("never closed", "close it")),
    "NaN to predict": Refused(
        csv(changed(with_number(), "y", {5: "NaN"})), ("'y'", "NaN", "table.csv line 7", "empty")
    ),
    "NaN as a class": Refused(
        csv(changed(sound(), "y", {5: "NaN", 8: "nan"})), ("'y'", "line 7, line 10")
    ),
    "NaN to predict in Parquet": Refused(
        parquet([*NUMBERS, float("nan")]), ("'y'", "table.parquet row 61")
    ),
    "an infinite number to predict": Refused(
        parquet([float("-inf"), *NUMBERS]), ("'y'", "infinite", "row 1")
    ),
    "a number to predict that is beyond all measure": Refused(
        csv(changed(with_number(), "y", {5: "1e308", 7: "-1e400"})),
        ("beyond 3e38", "line 7, line 9"),
    ),
    "one class": Refused(
        csv(sound().with_columns(y=pl.lit("yes"))), ("'y' holds only 'yes'", "--target")
    ),
    "no answers": Refused(csv(sound().with_columns(y=pl.lit(""))), ("'y' holds nothing",)),
    "a class of two": Refused(
        csv(sound().with_columns(y=pl.Series(["a"] * 118 + ["b"] * 2))),
        ("fewer than 3 rows: 'b' 2", "add rows of it"),
    ),
    "no usable column": Refused(
        csv(
            pl.DataFrame(
                {"id": range(60), "same": ["k"] * 60, "none": [None] * 60, "y": ["a", "b"] * 30}
            )
        ),
        ("No column is left", "'id': an identifier", "'same'", "'none': it is empty"),
    ),
    "the answer alone": Refused(csv("y\n" + "a\nb\n" * 30), ("No column is left",)),
    "numbers and words": Refused(
        csv(changed(sound(), "size", {i: ["cat", "dog"][i % 2] for i in range(0, 120, 3)})),
        ("'size' holds numbers in 80 rows, but 40", "'cat'", "line 2, line 5", "--ignore size"),
    ),
    "one cell that is no number": Refused(
        csv(changed(sound(), "size", {50: "12abc"})),
        ("'size' holds numbers in 119 rows, but 1", "'12abc'", "table.csv line 52"),
    ),
    "numbers and dates": Refused(
        csv(changed(sound(), "size", {i: f"2025-01-{i % 28 + 1:02}" for i in range(60)})),
        ("'size' holds numbers in 60 rows", "2025-01-01"),
    ),
    "numbers and texts in JSON lines": Refused(
        csv(JSON_LINES, "t.jsonl"), ("'size' holds numbers in 59 rows", "'1.5kg'", "row 5")
    ),
    "answers of several kinds": Refused(
        csv(changed(with_number(), "y", {9: "1,5x"})), ("'y' holds numbers", "line 11")
    ),
    "dates written in two ways": Refused(
        csv(dates(*[f"{day}/02/2025" for day in range(10, 29)], "02/28/2025")),
        ("'when' holds dates", "'02/28/2025'", "line 21", "2025-12-31"),
    ),
    "dates of two readings": Refused(
        csv(dates("03/04/2025", "05/06/2025", "07/07/2025")),
        ("'when' are ambiguous", "table.csv line 2", "2025-12-31", "--ignore when"),
    ),
    "a time of two readings": Refused(
        csv(dates("07/07/2025", "03/04/2025", "05/06/2025", "01/02/2025")),
        ("'when' are ambiguous", "table.csv line 3"),
        {"time": "when"},
    ),
    "all that is wrong": Refused(
        csv(changed(changed(with_number(), "size", {50: "12abc"}), "y", {5: "inf"})),
        ("2 problems", "'size' holds numbers", "'y' is to be predicted"),
    ),
    "a list in the answer": Refused(
        csv('{"a": 1, "y": [1]}\n{"a": 2, "y": [2]}\n', "t.jsonl"), ("'y' holds dates or lists",)
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_broken_table_is_refused_with_what_where_and_how_to_mend(
    name: str, tmp_path: Path
) -> None:
    refused = REFUSED[name]
    path = refused.make(tmp_path)
    with pytest.raises(UserError) as caught:
        treadle.check(path, target="y", kind="table", **refused.options)
    said = str(caught.value)
    assert [word for word in refused.words if word not in said] == [], said
    assert "hint: " in said


def test_a_refusal_comes_before_training_and_leaves_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "table.csv", changed(sound(), "size", {50: "12abc"}))
    with pytest.raises(UserError, match="line 52"):
        treadle.fit(path, target="y", out=tmp_path / "run")
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.csv"]


PARTS = {
    "answers that are numbers there": (
        sound(40).with_columns(y=(pl.col("y") == "yes").cast(pl.Int8)),
        ("'y' holds text ('yes', 'no') in the main table, but numbers", "validation.csv line 2"),
    ),
    "answers without numbers": (with_number(40), ("'y' holds text", "but numbers")),
    "a column too few": (sound(40).drop("size"), ("--validation lacks 'size'",)),
    "a column of text": (
        sound(40).with_columns(size=pl.lit("tall")),
        ("--validation: The column 'size' should hold numbers", "'tall'"),
    ),
    "a cell of text": (
        changed(sound(40), "size", {7: "tall9"}),
        ("--validation", "'size': 'tall9' is not a number", "validation.csv line 9"),
    ),
    "answers of NaN": (
        changed(sound(40), "y", {7: "NaN"}),
        ("--validation: 'y' is to be predicted", "validation.csv line 9"),
    ),
}


@pytest.mark.parametrize("name", PARTS)
def test_a_validation_table_unlike_the_main_one_is_refused(name: str, tmp_path: Path) -> None:
    frame, words = PARTS[name]
    main = write(tmp_path, "main.csv", sound())
    part = write(tmp_path, "validation.csv", frame)
    with pytest.raises(UserError) as caught:
        treadle.check(main, target="y", validation=part)
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)


def test_a_line_is_named_though_cells_hold_line_ends_and_blank_lines_stand_between(
    tmp_path: Path,
) -> None:
    rows = "".join(f'{i / 7:.3f},"two\nlines",{"ab"[i % 2]}\n\n' for i in range(40))
    path = write(tmp_path, "t.csv", f"size,note,y\n{rows}12abc,x,a\n")
    with pytest.raises(UserError, match=r"t\.csv line 122\."):
        treadle.check(path, target="y")


def test_the_row_of_the_second_file_is_named(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", sound())
    write(tmp_path, "b.csv", changed(sound(), "size", {3: "x9"}))
    with pytest.raises(UserError, match=r"b\.csv line 5\."):
        treadle.check(tmp_path, target="y", kind="table")


@pytest.mark.parametrize(
    "cells",
    [
        [f"{'C' if i % 50 == 0 else ''}{536_365 + i}" for i in range(120)],
        [["S", "M", "38", "40.5"][i % 4] for i in range(120)],
        [f"0{i}" if i % 2 else f"x{i}" for i in range(120)],
        [f"10.0.{i}.{i * 7 % 256}" for i in range(120)],
    ],
    ids=["codes of one length", "few sizes that come again", "codes with zeros", "addresses"],
)
def test_codes_and_sizes_are_not_taken_for_spoiled_numbers(
    cells: list[str], tmp_path: Path
) -> None:
    path = write(tmp_path, "t.csv", sound().with_columns(code=pl.Series(cells)))
    assert treadle.check(path, target="y")["task"] == "two_classes"


def test_dates_are_not_ambiguous_where_one_or_the_file_itself_tells(tmp_path: Path) -> None:
    path = write(tmp_path, "t.csv", dates("03/04/2025", "25/04/2025"))
    assert "day first" in " ".join(treadle.check(path, target="y")["sentences"])
    european = (
        sound()
        .select("size")
        .with_columns(
            size=pl.col("size").cast(pl.String).str.replace(".", ",", literal=True),
            when=pl.Series(["03/04/2025", "05/06/2025"] * 60),
            y=pl.Series(["a", "b"] * 60),
        )
    )
    european.write_csv(path, separator=";")
    assert "could be read" in " ".join(treadle.check(path, target="y")["sentences"])
