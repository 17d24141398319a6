"""`--corrections`: answers put right beside the data, which stays as it is."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import treadle
from tests import small
from treadle.api.corrections import corrected_answers, overlay_of
from treadle.api.label_list import row_marks
from treadle.data.target import plan_target
from treadle.errors import DataError, OptionError

FRAME = small.customers(120)


def corrections(folder: Path, rows: dict[int, str], **more: object) -> str:
    """Write a list that corrects rows (numbered from 0) of the customers."""
    marks = row_marks(FRAME, "left")
    listed = pl.DataFrame(
        {
            "row": [row + 1 for row in rows],
            "mark": [marks[row] for row in rows],
            "given": [FRAME["left"][row] for row in rows],
            "corrected": list(rows.values()),
            **{name: [value] * len(rows) for name, value in more.items()},
        }
    )
    listed.write_csv(folder / "fixed.csv")
    return str(folder / "fixed.csv")


def other(row: int) -> str:
    return "no" if FRAME["left"][row] == "yes" else "yes"


def corrected(path: str, frame: pl.DataFrame) -> tuple[list[str], list[str]]:
    overlay = overlay_of(path, frame, pl.arange(0, frame.height, eager=True).to_numpy(), "left")
    target = plan_target(frame, "left").encoder
    answers, _ = corrected_answers(overlay, frame["left"], target)
    return answers.to_list(), overlay.words()


def test_answers_are_put_right_and_all_others_stay(tmp_path: Path) -> None:
    answers, words = corrected(corrections(tmp_path, {3: other(3), 77: other(77), 5: ""}), FRAME)
    changed = [i for i, (a, b) in enumerate(zip(answers, FRAME["left"], strict=True)) if a != b]
    assert changed == [3, 77] and "2 corrections" in words[0] and len(words) == 1


def test_a_row_that_moved_is_found_and_a_row_that_changed_is_left_alone(tmp_path: Path) -> None:
    path = corrections(tmp_path, {3: other(3), 4: other(4)})
    changed = FRAME.with_columns(
        age=pl.when(pl.int_range(pl.len()) == 4).then(99).otherwise(pl.col("age"))
    )
    moved = pl.concat([changed.tail(1), changed.head(119)])
    answers, words = corrected(path, moved)
    assert answers[4] == other(3) and answers[5] == FRAME["left"][4]
    assert "row 5" in words[1] and "not applied" in words[1]


def test_an_answer_that_was_put_right_in_the_data_since_is_not_touched(tmp_path: Path) -> None:
    path = corrections(tmp_path, {3: other(3)})
    now = FRAME.with_columns(
        left=pl.when(pl.int_range(pl.len()) == 3).then(pl.lit(other(3))).otherwise(pl.col("left"))
    )
    answers, words = corrected(path, now)
    assert answers == now["left"].to_list() and "fits nothing here" in words[1]


def test_numbers_can_be_corrected_too(tmp_path: Path) -> None:
    frame = FRAME.drop("left").rename({"paid": "left"})
    marks = row_marks(frame, "left")
    listed = pl.DataFrame({"row": [8], "mark": [marks[7]], "corrected": ["12.5"]})
    listed.write_csv(tmp_path / "fixed.csv")
    answers, _ = corrected(str(tmp_path / "fixed.csv"), frame)
    assert answers[7] == 12.5 and answers[8] == frame["left"][8]


def test_what_cannot_be_an_answer_or_a_list_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"yess. .row 4. is no") as told:
        corrected(corrections(tmp_path, {3: "yess"}), FRAME)
    assert "did you mean" in told.value.hint
    with pytest.raises(DataError, match="only answers"):
        corrected(corrections(tmp_path, {3: "44"}, column="age"), FRAME)
    with pytest.raises(DataError, match="no such file"):
        corrected(str(tmp_path / "none.csv"), FRAME)
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="no column corrected and no row"):
        corrected(str(tmp_path / "odd.csv"), FRAME)


def test_the_parts_stay_and_the_source_is_not_written_to(tmp_path: Path) -> None:
    FRAME.write_csv(tmp_path / "data.csv")
    before = (tmp_path / "data.csv").read_bytes()
    path = corrections(tmp_path, {row: other(row) for row in range(12)})
    found = treadle.check(tmp_path / "data.csv", target="left", corrections=path)
    plain = treadle.check(tmp_path / "data.csv", target="left")
    assert found["rows"] == plain["rows"]
    assert ["12 corrections" in sentence for sentence in found["sentences"]].count(True) == 1
    assert (tmp_path / "data.csv").read_bytes() == before


def test_the_next_run_says_what_they_brought_beside_the_run_before(tmp_path: Path) -> None:
    FRAME.write_csv(tmp_path / "data.csv")
    path = corrections(tmp_path, {row: other(row) for row in range(8)})
    common = {"target": "left", "model": "trees", "until": "5 epochs", "threads": 1}
    data = str(tmp_path / "data.csv")
    alone = treadle.fit(data, out=tmp_path / "runs" / "alone", corrections=path, **common)
    assert "no run without them" in _brought(alone.path)
    treadle.fit(data, out=tmp_path / "runs" / "plain", **common)
    again = treadle.fit(data, out=tmp_path / "runs" / "again", corrections=path, **common)
    assert "8 corrected answers" in _brought(again.path) and "in plain" in _brought(again.path)
    assert "asked with another" not in _brought(again.path)
    treadle.fit(data, out=tmp_path / "runs" / "other", **common | {"until": "3 epochs"})
    third = treadle.fit(data, out=tmp_path / "runs" / "third", corrections=path, **common)
    assert "in plain" in _brought(third.path)  # not the last one, but asked alike
    longer = common | {"until": "2 epochs"}
    fourth = treadle.fit(data, out=tmp_path / "runs" / "fourth", corrections=path, **longer)
    assert "was asked with another --until" in _brought(fourth.path)
    marks = [
        pl.read_json(run.path / "data.json")["fingerprint"][0]["sha256"] for run in (alone, again)
    ]
    plain = pl.read_json(tmp_path / "runs" / "plain" / "data.json")["fingerprint"][0]["sha256"]
    assert marks[0] == marks[1] != plain


def _brought(run: Path) -> str:
    import json

    health = json.loads((run / "findings.json").read_text())["health"]
    return next(f["sentence"] for f in health if f["title"] == "What the corrections brought")


def test_labels_of_photos_are_put_right_by_their_paths(tmp_path: Path) -> None:
    folder = small.photos(tmp_path / "photos", each=8)
    listed = pl.DataFrame({"photo": ["red/03.png", "red/99.png"], "corrected": ["blue", "blue"]})
    listed.write_csv(tmp_path / "fixed.csv")
    found = treadle.check(folder, corrections=tmp_path / "fixed.csv")
    said = " ".join(found["sentences"])
    assert "blue 9" in said and "red 7" in said and "red/99.png" in said
