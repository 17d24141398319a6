"""`treadle.collect`: from a run to what more data would bring, and a request for it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import treadle
from tests import small
from treadle.errors import DataError, RunError
from treadle.folder import RunFolder
from treadle.report.request import request_text


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of trees on 600 customers, over time."""
    place = tmp_path_factory.mktemp("collect")
    small.customers(600).write_csv(place / "customers.csv")
    treadle.fit(
        place / "customers.csv",
        target="left",
        model="trees",
        ignore="customer",
        until="30 epochs",
        threads=1,
        out=place / "run",
    )
    return place / "run"


@pytest.fixture(scope="module")
def found(run: Path) -> dict[str, object]:
    told: list[str] = []
    found = treadle.collect(run, out=run / "request.txt", say=told.append)
    return found | {"told": told}


def test_it_says_first_how_long_it_takes(found: dict[str, list[str]]) -> None:
    assert "10 trainings on parts of the data" in found["told"][0]
    assert "seconds in all" in found["told"][0]


def test_the_answer_is_kept_in_the_run_with_its_band(run: Path, found: dict[str, object]) -> None:
    kept = RunFolder(run).read_json("collect.json") or {}
    assert kept["sentence"] == found["sentence"] and kept["metric"] == "roc_auc"
    twice = kept["twice"]
    assert twice["low"] <= twice["middle"] <= twice["high"] <= 1
    assert [point["rows"] for point in kept["points"]][-1] == kept["rows"] == 420
    assert kept["now"] == (RunFolder(run).result or {})["metric"]["validation"]
    assert kept["same_as_run"] and kept["points"][-1]["value"] == pytest.approx(kept["now"], 1e-4)


def test_the_report_and_the_request_tell_of_it(run: Path, found: dict[str, object]) -> None:
    page = (run / "report.html").read_text()
    assert "Would more data help?" in page and "×2" in page
    request = (run / "request.html").read_text()
    assert "Please collect" in request and "at the pace" not in request
    assert "At the pace of the last" in request  # customers have a column of dates
    assert (run / "request.txt").read_text() == request_text(RunFolder(run))


def test_no_test_row_is_looked_at(run: Path, found: dict[str, object]) -> None:
    assert (RunFolder(run).result or {})["test_scorings"] == 1


def test_without_dates_the_user_may_say_how_many_come(tmp_path: Path) -> None:
    frame = small.customers(400).drop("since", "customer")
    made = treadle.fit(
        frame, target="left", model="trees", until="20 epochs", threads=1, out=tmp_path / "run"
    )
    found = treadle.collect(made.path, frame, inflow="20 a day", budget="40 seconds")
    assert found["request"] is not None
    assert "At 20 a day, as you say" in (tmp_path / "run" / "request.html").read_text()


def test_changed_data_is_said_and_all_is_measured_anew(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "customers.csv"
    small.customers(600, seed=5).write_csv(other)
    found = treadle.collect(run, data=[str(other)], budget="60 seconds")
    assert not found["same_as_run"]
    assert any("not what the run learned from any more" in words for words in found["sentences"])


def test_too_few_rows_are_refused_in_words(tmp_path: Path) -> None:
    frame = small.customers(120)
    made = treadle.fit(frame, target="left", model="trees", threads=1, out=tmp_path / "run")
    with pytest.raises(DataError, match="84 rows to learn from: too few"):
        treadle.collect(made.path, frame)


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    config = {"format": 1, "kind": "table", "options": {"data": ["x.csv"]}}
    RunFolder.create(tmp_path / "run").write_json("config.json", config)
    with pytest.raises(RunError, match="was not finished"):
        treadle.collect(tmp_path / "run")


def test_a_module_of_ones_own_is_refused_with_what_to_do(tmp_path: Path) -> None:
    config = {"format": 1, "kind": "module", "options": {}}
    RunFolder.create(tmp_path / "run").write_json("config.json", config)
    with pytest.raises(RunError, match="only your code can build it") as refused:
        treadle.collect(tmp_path / "run")
    assert "half and a quarter" in refused.value.hint


def test_data_from_python_is_asked_for(tmp_path: Path) -> None:
    frame = pl.DataFrame(small.customers(160))
    made = treadle.fit(frame, target="left", model="trees", threads=1, out=tmp_path / "run")
    with pytest.raises(RunError, match="came from Python"):
        treadle.collect(made.path)
