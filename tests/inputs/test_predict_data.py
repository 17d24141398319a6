"""Data to predict that is odd: refused with file and column, or answered row by row; and exports
that a spreadsheet opens without running a cell.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import treadle
from tests.inputs.rows import changed, lines, sound, write
from treadle.api.predict import predict
from treadle.data.cells import column_problems
from treadle.data.columns import infer_schema
from treadle.data.read import read_tables
from treadle.data.spreadsheet import is_formula, mark_formulas, unmark_formulas, unmark_name
from treadle.errors import UserError


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("trees")
    data = sound(200).with_columns(when=pl.Series([f"{1 + i % 28}.02.2025" for i in range(200)]))
    path = write(place, "train.csv", data)
    treadle.fit(path, target="y", model="trees", until="1 epochs", threads=1, out=place / "run")
    return place / "run"


def new(rows: int = 8) -> pl.DataFrame:
    return sound(rows, seed=9).drop("y").with_columns(when=pl.lit("07.03.2025"))


def answered(run: Path, content: Any, ending: str = ".csv") -> tuple[pl.DataFrame, list[str]]:
    """Predict a file; return what was written, all as text, and what was said."""
    place = run.parent
    path = write(place, "new.csv", content)
    out, summary = predict(run, [str(path)], out=place / f"answers{ending}")
    separator = "\t" if ending == ".tsv" else ","
    found = pl.read_csv(out, infer_schema=False, separator=separator)
    assert summary["rows"] == found.height
    return found, summary["notes"]


REFUSED = {
    "columns that lack": (new().drop("size", "colour"), ("'size' is missing", "'colour' is miss")),
    "a column in other letters": (new().rename({"size": "Size"}), ("did you mean 'Size'?",)),
    "words for numbers": (new().with_columns(size=pl.lit("tall")), ("should hold numbers", "tall")),
    "dates for numbers": (new().with_columns(size=pl.lit("2025-01-02")), ("should hold numbers",)),
    "words for dates": (new().with_columns(when=pl.lit("soon")), ("should hold dates", "'soon'")),
    "numbers for dates": (new().with_columns(when=pl.lit(7)), ("should hold dates",)),
    "dates in another spelling": (
        new().with_columns(when=pl.lit("2025/31/12")),
        ("should hold dates", "'2025/31/12'"),
    ),
    "a decimal comma": (
        changed(new(), "size", {0: "1,5", 1: "2,25"}),
        ("have a decimal comma, such as '1,5'", "decimal point"),
    ),
    "a header alone": ("size,other,colour,when\n", ("column names but no rows",)),
    "a name twice": (["size,size,colour,when", *lines(new())[1:]], ("same name: 'size'",)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_data_of_another_form_is_refused_and_nothing_is_written(
    name: str, run: Path, tmp_path: Path
) -> None:
    content, words = REFUSED[name]
    path = write(tmp_path, "new.csv", content)
    with pytest.raises(UserError) as caught:
        predict(run, [str(path)], out=tmp_path / "answers.csv")
    for word in (*words, "new.csv", "hint: "):
        assert word in str(caught.value), str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["new.csv"]


def test_one_bad_cell_costs_its_row_alone(run: Path) -> None:
    found, _ = answered(run, changed(new(), "size", {2: "tall"}))
    assert found["prediction"].is_null().to_list() == [False, False, True] + [False] * 5
    assert found["problem"][2] == "'size': 'tall' is not a number."


MISSING = ["NA", "null", "-", "", "?", "1e308", "-0", "5e-324"]


def test_cells_come_back_as_they_were_written(run: Path) -> None:
    found, _ = answered(run, changed(new(), "size", dict(enumerate(MISSING))))
    back = [cell.removeprefix("'") if cell else "" for cell in found["size"].to_list()]
    assert back == MISSING and found["prediction"].null_count() == 0


def test_rows_of_empty_cells_are_answered_and_blank_lines_are_no_rows(run: Path) -> None:
    head, *rest = lines(new(3))
    found, _ = answered(run, [head, rest[0], ",,,", "", rest[1], ",,,", ""])
    assert found.height == 4 and found["prediction"].null_count() == 0
    assert found["size"].is_null().to_list() == [False, True, False, True]


def test_values_that_training_had_not_are_said(run: Path) -> None:
    _, said = answered(run, new().with_columns(colour=pl.lit("mauve")))
    assert any("'colour' holds values that training had not" in note for note in said)
    assert any("8 rows, such as 'mauve'" in note for note in said)


def test_columns_that_the_answers_replace_are_said(run: Path) -> None:
    _, said = answered(run, new().with_columns(prediction=pl.lit("mine")))
    assert any("The data had 'prediction' already" in note for note in said)


def test_a_mark_of_order_or_encoding_does_not_hide_the_first_column(run: Path) -> None:
    content = b"\xef\xbb\xbf" + ("\n".join(lines(new())) + "\n").encode()
    found, said = answered(run, content)
    assert found.columns[0] == "size" and any("byte-order mark" in note for note in said)


def test_lists_of_json_lines_are_written_to_csv_as_text(run: Path, tmp_path: Path) -> None:
    frame = new().with_columns(tags=pl.Series([["a", "b"]] * 8))
    frame.write_ndjson(tmp_path / "new.jsonl")
    predict(run, [str(tmp_path / "new.jsonl")], out=tmp_path / "answers.csv")
    assert pl.read_csv(tmp_path / "answers.csv")["tags"][0] == '["a", "b"]'


DANGEROUS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+49 123",
    "-red",
    "@SUM(A1)",
    "\t=1",
    "-",
    "-1-1",
]
PLAIN = ["-5", "+5", "-1.5e3", "-0,5", "-.5", "-12 %", "5", "a=b", "", "it's", "'quoted'", "2-1"]


@pytest.mark.parametrize("ending", [".csv", ".tsv"])
def test_no_cell_or_name_of_an_export_is_a_formula(run: Path, ending: str) -> None:
    cells = DANGEROUS + PLAIN
    frame = new(len(cells)).with_columns(pl.Series("=note", cells), colour=pl.Series(cells))
    answered(run, frame.with_columns(pl.col("=note").alias("note")), ending)
    with (run.parent / f"answers{ending}").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file, delimiter="\t" if ending == ".tsv" else ","))
    assert not any(is_formula(cell) and not cell.startswith("'") for row in rows for cell in row)
    where = {name: i for i, name in enumerate(rows[0])}
    for column in ("'=note", "note", "colour"):
        written = [row[where[column]] for row in rows[1:]]
        assert written[: len(DANGEROUS)] == ["'" + cell for cell in DANGEROUS]
        assert written[len(DANGEROUS) :] == PLAIN


def test_an_export_is_read_back_as_it_was_and_that_is_said(run: Path) -> None:
    frame = new(len(DANGEROUS)).with_columns(pl.Series("=note", DANGEROUS))
    answered(run, frame)
    back = read_tables([run.parent / "answers.csv"], as_text=["=note"])
    assert back.frame["=note"].to_list() == DANGEROUS
    assert any("is taken off the cells of '=note'" in note for note in back.notes)


def test_numbers_are_not_marked(run: Path, tmp_path: Path) -> None:
    new().with_columns(loss=pl.Series([-1.5] * 8)).write_parquet(tmp_path / "new.parquet")
    predict(run, [str(tmp_path / "new.parquet")], out=tmp_path / "answers.csv")
    assert pl.read_csv(tmp_path / "answers.csv")["loss"].to_list() == [-1.5] * 8


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.text(alphabet="'=+-@1., \tab\n＝", max_size=5), min_size=1, max_size=6))
def test_what_is_marked_is_unmarked_to_the_letter(cells: list[str]) -> None:
    frame = pl.DataFrame({"c": cells})
    marked = mark_formulas(frame)
    assert unmark_formulas(marked)[0].equals(frame)
    for cell, written in zip(cells, marked["c"], strict=True):
        assert unmark_name(written) == cell and is_formula(cell) == (written != cell)


def test_a_column_that_the_model_uses_already_is_not_proposed_for_a_missing_one() -> None:
    schema = infer_schema(
        pl.DataFrame({"pirat": [1.5, 2.5], "hirat": [0.5, 1.5], "y": [1, 2]}), "y"
    )
    ((_, hint),) = column_problems(pl.DataFrame({"hirat": [0.5]}), schema)
    assert "did you mean" not in hint
    ((_, hint),) = column_problems(pl.DataFrame({"hirat": [0.5], "pi_rat": [1.5]}), schema)
    assert "did you mean 'pi_rat'?" in hint
