"""Odd tables that are learned from all the same: said once, and recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest

import treadle
from tests.data.test_read import workbook
from tests.inputs.rows import changed, lines, sound, write
from treadle.contracts import Json
from treadle.data.read import read_tables

ROWS = 200
RANDOM = np.random.default_rng(3)


class Handled(NamedTuple):
    """A file with something odd in it, and words of what is said of it."""

    content: Any
    words: tuple[str, ...]


def beside(**columns: object) -> pl.DataFrame:
    """Return a sound table with more columns, the answer last."""
    frame = sound(ROWS)
    more = [pl.Series(name, cells) for name, cells in columns.items()]  # type: ignore[arg-type]
    return frame.with_columns(more).select(pl.exclude("y"), "y")


def text(frame: pl.DataFrame | None = None) -> str:
    return "\n".join(lines(sound() if frame is None else frame)) + "\n"


def renamed(names: str) -> str:
    return "\n".join([names, *lines(sound())[1:]]) + "\n"


RARE = pl.Series("y", ["a", "b", "c"] * 66 + ["seldom", "never"])
HANDLED = {
    "a byte-order mark": Handled(b"\xef\xbb\xbf" + text().encode(), ("byte-order mark",)),
    "UTF-16": Handled(text().encode("utf-16"), ("read as utf-16 text",)),
    "UTF-16 without a mark": Handled(text().encode("utf-16-le"), ("read as utf-16-le text",)),
    "Latin-1": Handled(text().replace("red", "réd").encode("latin-1"), ("windows-1252 text",)),
    "a blank name": Handled(renamed("size,,colour,y"), ("called by their number (column_2)",)),
    "a blank name whose number is taken": Handled(
        renamed("column_2,,colour,y"), ("called by their number (column_2_)",)
    ),
    "rare classes": Handled(
        sound(ROWS).with_columns(RARE),
        ("fewer than 3 rows: 'never' 1, 'seldom' 1", "No row of test has the 'y'"),
    ),
    "a constant": Handled(beside(same=[7] * ROWS), ("'same' is not learned from: every row",)),
    "nothing filled in": Handled(
        beside(none=[""] * ROWS), ("'none' is not learned from: it is em",)
    ),
    "row numbers": Handled(beside(row=range(ROWS)), ("'row' is not learned from: an identifier",)),
    "names of rows": Handled(
        beside(key=[f"u-{i:05}" for i in range(ROWS)]), ("'key' is not learned from: an identif",)
    ),
    "very many values": Handled(
        beside(words=[f"word {i} of many" for i in RANDOM.permutation(ROWS)]),
        ("'words' is not learned from: free text: 200 different texts",),
    ),
    "answers that are missing": Handled(
        changed(sound(), "y", {4: "", 9: "", 11: ""}), ("3 rows have no 'y'",)
    ),
    "words for missing numbers": Handled(
        changed(sound(), "size", {0: "NA", 1: "null", 2: "-", 3: "?"}),
        ("'NA', 'null', '-' (4 cells) counts as missing",),
    ),
    "words for missing texts": Handled(
        sound(ROWS).with_columns(colour=pl.Series(["NA", "null", "-", "None"] * 50)),
        ("In the text of 'colour', 'null' (50 cells) counts as missing",),
    ),
    "a few words among numbers": Handled(
        changed(sound(), "size", {50: "on request"}), ("'on request' (1 cell) counts as missing",)
    ),
    "cells that were marked": Handled(
        changed(sound(), "colour", dict.fromkeys(range(9), "'=1+1")),
        ("a mark (') before =, +, - or",),
    ),
    "semicolons": Handled(text().replace(",", ";"), ("parted by semicolons",)),
    "codes": Handled(beside(code=["01234", "00567"] * 100), ("'code' begin with 0",)),
    "Unix and Windows line ends": Handled(text().replace("\n", "\r\n"), ()),
}


@pytest.mark.parametrize("name", HANDLED)
def test_what_is_odd_is_read_and_said_once(name: str, tmp_path: Path) -> None:
    content, words = HANDLED[name]
    found = treadle.check(write(tmp_path, "t.csv", content), target="y")
    said = found["sentences"]
    for word in words:
        assert [word in sentence for sentence in said].count(True) == 1, said


def test_an_encoding_changes_no_cell(tmp_path: Path) -> None:
    plain = sound().with_columns(colour=pl.col("colour").str.replace("red", "röd"))
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "latin-1"):
        path = write(tmp_path, "t.csv", text(plain).encode(encoding))
        assert read_tables([path]).frame.equals(plain)


NEAR = (sound(ROWS)["y"] == "yes").cast(pl.Float64).to_numpy() + RANDOM.normal(size=ROWS) * 0.05
FOUND = {
    "a copy of the answer": (beside(leak=sound(ROWS)["y"]), "'leak' holds what 'y' holds"),
    "nearly the answer": (beside(leak=NEAR), "'leak' alone tells 'y' almost perfectly"),
    "a copy in a small table": (
        sound(30).with_columns(leak=pl.col("y")),
        "'leak' holds what 'y' holds",
    ),
    "a copied number in a small table": (
        sound(30).with_columns(leak=pl.col("size"), y=pl.col("size")),
        "'size' holds what 'y' holds",
    ),
    "an infinite number": (beside(big=[float("inf"), 1.5, 2.5, 3.25] * 50), "infinite numbers"),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_misleads_is_a_warning(name: str, tmp_path: Path) -> None:
    frame, words = FOUND[name]
    found = treadle.check(write(tmp_path, "t.csv", frame), target="y")["findings"]
    warned = [finding["sentence"] for finding in found if finding["severity"] == "warning"]
    assert any(words in sentence for sentence in warned), found


def test_a_column_of_its_own_is_no_leak_in_a_small_table(tmp_path: Path) -> None:
    path = write(tmp_path, "t.csv", sound(30))
    titles = [finding["title"] for finding in treadle.check(path, target="y")["findings"]]
    assert "A column gives the answer away" not in titles


def test_rows_in_two_parts_are_counted(tmp_path: Path) -> None:
    main = write(tmp_path, "main.csv", sound(ROWS))
    part = write(tmp_path, "test.csv", sound(ROWS).head(50))
    found = treadle.check(main, target="y", test=part)["findings"]
    (seen,) = [f for f in found if f["title"] == "Rows of test were seen before"]
    assert seen["severity"] == "warning" and seen["evidence"]["rows"] == 50
    assert "All 50 rows of test are in training" in seen["sentence"]


def given_parts(tmp_path: Path, validation: pl.DataFrame, **options: Any) -> Json:
    main = write(tmp_path, "main.csv", sound(ROWS))
    return treadle.check(
        main, target="y", validation=write(tmp_path, "validation.csv", validation), **options
    )


def test_a_class_of_validation_alone_is_left_out_and_counted(tmp_path: Path) -> None:
    found = given_parts(tmp_path, changed(sound(40, seed=1), "y", {3: "maybe", 5: "maybe"}))
    said = [s for s in found["sentences"] if "'maybe'" in s]
    assert len(said) == 1 and said[0].startswith("2 rows outside training have")
    assert found["rows"]["validation"] == 38 and found["task"] == "two_classes"


def test_a_class_that_comes_up_after_training_is_left_out_and_counted(tmp_path: Path) -> None:
    days = [f"2025-{1 + i // 28:02}-{1 + i % 28:02}" for i in range(ROWS)]
    frame = changed(beside(when=days), "y", {190: "maybe", 195: "maybe", 197: "maybe"})
    found = treadle.check(write(tmp_path, "t.csv", frame), target="y", time="when")
    assert any("3 rows outside training have" in sentence for sentence in found["sentences"])
    assert found["task"] == "two_classes"


def test_missing_answers_of_validation_are_said(tmp_path: Path) -> None:
    found = given_parts(tmp_path, changed(sound(40, seed=1), "y", {3: ""}))
    assert "In --validation, 1 row has no 'y': left out." in found["sentences"]
    assert found["rows"]["validation"] == 39


def test_values_that_training_has_not_are_noted(tmp_path: Path) -> None:
    part = sound(40, seed=1).with_columns(colour=pl.lit("mauve"))
    notes = {f["title"]: f for f in given_parts(tmp_path, part)["findings"]}
    assert notes["Values not seen in training"]["evidence"] == {"colour": 40}


def test_dates_of_validation_are_read_as_those_of_training(tmp_path: Path) -> None:
    main = sound(ROWS).with_columns(when=pl.Series(["25/04/2025", "03/04/2025"] * 100))
    part = sound(40, seed=1).with_columns(when=pl.lit("03/04/2025"))
    read = treadle.check(
        write(tmp_path, "main.csv", main),
        target="y",
        validation=write(tmp_path, "validation.csv", part),
        time="when",
        label_delay=None,
    )
    assert read["rows"]["validation"] == 40


def test_a_row_of_empty_cells_is_a_row_and_a_blank_line_is_none(tmp_path: Path) -> None:
    path = write(tmp_path, "t.csv", "a,b\n1,2\n,\n\n3,4\n,\n\n")
    assert read_tables([path]).frame.rows() == [(1, 2), (None, None), (3, 4), (None, None)]
    single = read_tables([write(tmp_path, "s.csv", "a\n1\n\n3\n\n")])
    assert single.frame.rows() == [(1,), (3,)]
    assert any("1 blank lines are passed over" in note for note in single.notes)


def test_a_sheet_of_whole_and_huge_numbers_is_read(tmp_path: Path) -> None:
    rows = [["size", "y"], [1, "a"], [2**60, "b"], [1e300, "a"], [0.5, None]]
    path = write(tmp_path, "t.xlsx", workbook({"S": rows}))
    assert read_tables([path]).frame["size"].to_list() == [1.0, 2.0**60, 1e300, 0.5]


NUMBERS = {
    "1e308": 1e308,
    "-1e308": -1e308,
    "-0": -0.0,
    "5e-324": 5e-324,
    "2.2250738585072014e-308": 2.2250738585072014e-308,
    "1e-310": 1e-310,
    "0.1": 0.1,
    "9007199254740993": 9007199254740992.0,
}


def test_extreme_numbers_are_read_exactly_and_learned_from(tmp_path: Path) -> None:
    cells = {i: list(NUMBERS)[i % len(NUMBERS)] for i in range(16)}
    path = write(tmp_path, "t.csv", changed(sound(), "size", cells))
    read = read_tables([path]).frame["size"].to_list()
    assert read[:16] == list(NUMBERS.values()) * 2
    assert [str(v) for v in read[:3]] == ["1e+308", "-1e+308", "-0.0"]
    assert treadle.check(path, target="y")["rows"]["train"] == 84


FITS: dict[str, Callable[[], pl.DataFrame]] = {
    "extreme numbers": lambda: changed(
        sound(ROWS), "size", {i: list(NUMBERS)[i % len(NUMBERS)] for i in range(40)}
    ),
    "rare classes": lambda: sound(ROWS).with_columns(RARE),
    "a leak": lambda: beside(leak=sound(ROWS)["y"]),
}


@pytest.mark.parametrize("name", FITS)
def test_it_trains_and_the_run_records_what_was_odd(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, "t.csv", FITS[name]())
    checked = treadle.check(path, target="y")
    run = treadle.fit(path, target="y", until="1 epochs", threads=1, out=tmp_path / "run")
    written = json.loads((run.path / "data.json").read_text())
    findings = json.loads((run.path / "findings.json").read_text())
    assert written["notes"] == checked["sentences"]
    assert findings["health"] == checked["findings"]
    told = [line["sentence"] for line in run.journal]
    assert [told.count(sentence) for sentence in checked["sentences"]] == [1] * len(
        checked["sentences"]
    )
    first = next(i for i, line in enumerate(run.journal) if line["topic"] == "split")
    for finding in checked["findings"]:
        if finding["severity"] == "warning":
            assert any(finding["sentence"] in sentence for sentence in told[:first])
    assert run.predict(sound(5).with_columns(leak=pl.col("y"))).height == 5
