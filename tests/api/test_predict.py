"""Predicting: the rows in their order, the same answers as in training, a reason where there are
none.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import treadle
from tests import small
from tests.conftest import Finished
from treadle.api.predict import predict
from treadle.errors import UserError
from treadle.goal import metric_named


def read(path: Path) -> pl.DataFrame:
    readers = {
        ".csv": pl.read_csv,
        ".tsv": lambda file: pl.read_csv(file, separator="\t"),
        ".parquet": pl.read_parquet,
        ".jsonl": pl.read_ndjson,
    }
    frame: pl.DataFrame = readers[path.suffix](path)  # type: ignore[operator]
    return frame


def test_predictions_are_to_the_bit_those_that_the_test_rows_were_scored_with(
    table_run: Finished,
) -> None:
    found = table_run.run.predict(table_run.tested)
    probabilities = found.select("probability_no", "probability_yes").to_numpy()
    truth = (table_run.tested["left"] == "yes").to_numpy().astype(np.int64)
    for name, figures in table_run.run.result["metrics"].items():
        assert metric_named(name, "two_classes")(truth, probabilities) == figures["test"]


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet", ".jsonl"])
def test_rows_keep_their_order_and_columns(
    table_run: Finished, tmp_path: Path, ending: str
) -> None:
    out = tmp_path / f"answers{ending}"
    place, summary = predict(table_run.path, [str(table_run.data / "test.csv")], out=out)
    found, given = read(out), pl.read_csv(table_run.data / "test.csv")
    assert place == out and summary == {
        "out": str(out),
        "rows": 60,
        "kind": "table",
        "problems": 0,
        "notes": [],
    }
    assert found.columns == [*given.columns, "prediction", "probability_no", "probability_yes"]
    for name in ("customer", "city", "left"):
        assert found[name].to_list() == given[name].to_list()
    expected = table_run.run.predict(table_run.tested)["probability_yes"]
    assert found["probability_yes"].to_list() == expected.to_list()


def test_frames_of_every_library_and_dicts_give_the_same_answers(table_run: Finished) -> None:
    rows = table_run.tested.drop("left")
    expected = table_run.run.predict(rows)["probability_yes"].to_list()
    for given in (rows.to_pandas(), rows.to_arrow(), rows.to_dict(as_series=False)):
        assert table_run.run.predict(given)["probability_yes"].to_list() == expected


def test_an_unreadable_cell_is_kept_and_its_row_has_a_reason_and_no_answer(
    table_run: Finished, tmp_path: Path
) -> None:
    rows = table_run.tested.head(40).with_columns(pl.col("age").cast(pl.String))
    rows[3, "age"] = "forty"
    rows.write_csv(tmp_path / "new.csv")
    _, summary = predict(table_run.path, [str(tmp_path / "new.csv")], out=tmp_path / "answers.csv")
    found = read(tmp_path / "answers.csv")
    assert summary["problems"] == 1 and found["age"][3] == "forty"
    assert found.row(3)[-4:] == (None, None, None, "'age': 'forty' is not a number.")
    assert found["prediction"].null_count() == 1


def test_missing_columns_are_named_together_and_nothing_is_written(
    table_run: Finished, tmp_path: Path
) -> None:
    table_run.tested.drop("age", "city").write_csv(tmp_path / "new.csv")
    with pytest.raises(UserError, match=r"(?s)'age' is missing.*'city' is missing"):
        predict(table_run.path, [str(tmp_path / "new.csv")], out=tmp_path / "answers.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["new.csv"]


def test_an_unseen_category_and_a_missing_cell_are_answered(table_run: Finished) -> None:
    rows = table_run.tested.head(2).with_columns(
        city=pl.lit("Lima"), income=pl.lit(None, dtype=pl.Float64)
    )
    assert table_run.run.predict(rows)["prediction"].null_count() == 0


def test_a_european_csv_is_read_in_training_and_later_alike(tmp_path: Path) -> None:
    frame = small.customers()
    plain = tmp_path / "plain.csv"
    frame.write_csv(plain)
    european = small.european(frame, tmp_path / "european.csv")
    answers = []
    for path in (plain, european):
        out = tmp_path / f"run-{path.stem}"
        treadle.fit(path, target="paid", model="trees", until="5 epochs", threads=1, out=out)
        predict(out, [str(path)], out=tmp_path / "answers.parquet")
        answers.append(pl.read_parquet(tmp_path / "answers.parquet"))
    assert answers[0]["prediction"].to_list() == answers[1]["prediction"].to_list()
    assert "problem" not in answers[1].columns and answers[1]["since"][1] == "04.01.2020"


def test_a_broken_photo_has_a_reason_and_no_answer(photo_run: Finished, tmp_path: Path) -> None:
    for name in ("red/00.png", "blue/01.png"):
        shutil.copy(photo_run.data / "photos" / name, tmp_path / name.replace("/", "-"))
    (tmp_path / "broken.png").write_bytes(b"not a photo at all")
    found = photo_run.run.predict(tmp_path)
    assert found["file"].to_list() == ["blue-01.png", "broken.png", "red-00.png"]
    assert found["prediction"].to_list() == ["blue", None, "red"]
    assert found["problem"].is_not_null().to_list() == [False, True, False]
    answered = found.select(pl.sum_horizontal("^probability_.*$")).to_series()
    assert answered[0] == pytest.approx(1, abs=1e-6)


def test_a_list_of_photos_keeps_its_order(photo_run: Finished) -> None:
    names = [str(photo_run.data / "photos" / name) for name in ("red/03.png", "green/02.png")]
    found = photo_run.run.predict(names)
    assert found["file"].to_list() == names
    assert found["prediction"].to_list() == ["red", "green"]


def test_suggestions_are_ranked_for_each_user_and_hold_nothing_seen(event_run: Finished) -> None:
    found = event_run.run.predict(event_run.tested)
    assert found.columns == ["user", "rank", "item", "score"]
    seen = event_run.tested.select("user", "item").unique()
    assert found.join(seen, on=["user", "item"], how="inner").height == 0
    for _, rows in found.group_by("user"):
        assert rows["rank"].to_list() == list(range(1, 11))
        assert rows["score"].to_list() == sorted(rows["score"], reverse=True)
    assert found["user"].n_unique() == event_run.tested["user"].n_unique()


def test_the_number_of_suggestions_can_be_asked_for(event_run: Finished, tmp_path: Path) -> None:
    log = str(event_run.data / "purchases.csv")
    _, summary = predict(event_run.path, [log], out=tmp_path / "answers.csv", top=2)
    assert summary["rows"] == 2 * event_run.tested["user"].n_unique()


def test_a_user_of_whom_nothing_is_known_is_given_what_is_popular(event_run: Finished) -> None:
    log = pl.DataFrame({"user": ["new"], "item": ["never sold"], "time": [1_700_000_000]})
    found = event_run.run.predict(log)
    assert found.height == 10 and found["problem"].is_not_null().all()


@pytest.mark.parametrize(
    ("out", "words"), [("answers.pdf", "Endings"), ("nowhere/answers.csv", "no folder")]
)
def test_a_place_that_cannot_be_written_is_refused_first(
    table_run: Finished, tmp_path: Path, out: str, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        predict(table_run.path, [str(table_run.data / "test.csv")], out=tmp_path / out)


def test_an_unfinished_run_cannot_predict(table_run: Finished, tmp_path: Path) -> None:
    shutil.copy(table_run.path / "config.json", tmp_path)
    with pytest.raises(UserError, match="resume"):
        predict(tmp_path, [str(table_run.data / "test.csv")], out=tmp_path / "answers.csv")
    with pytest.raises(UserError, match="not finished"):
        _ = treadle.load(tmp_path).result
