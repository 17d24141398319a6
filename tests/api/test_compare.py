"""Runs beside each other: paired over the rows that both were tested on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file

import treadle
from tests import small
from treadle.api.kept_rows import NAME
from treadle.cli.main import main
from treadle.errors import OptionError, RunError
from treadle.folder import RunFolder


def fit(out: Path, frame: pl.DataFrame, **options: Any) -> Path:
    treadle.fit(frame, **{"target": "left", "model": "trees", "threads": 1} | options, out=out)
    return out


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("compared")
    frame = small.customers(900)
    fit(place / "whole", frame)
    fit(place / "poor", frame, ignore=["age", "city", "paid"])
    fit(place / "again", frame, seed=0, weight=None, save_every=30.0)
    return place


def test_a_clearly_better_run_is_called_so_on_the_same_rows(place: Path) -> None:
    told = treadle.compare(place / "poor", place / "whole")
    apart = told["others"][0]["difference"]
    values = [run["value"] for run in told["runs"]]
    assert apart["value"] == pytest.approx(values[1] - values[0], abs=0.01)
    assert 0 < apart["low"] < apart["value"] < apart["high"] and apart["surely"] == "better"
    assert apart["rows"] > 0.9 * told["runs"][0]["rows"]["test"]
    back = treadle.compare(place / "whole", place / "poor")["others"][0]["difference"]
    assert back["surely"] == "worse" and back["low"] == pytest.approx(-apart["high"])


def test_what_was_asked_differently_is_told(place: Path) -> None:
    told = treadle.compare(place / "whole", place / "poor")["others"][0]
    expected = {"option": "ignore", "first": [], "other": ["age", "city", "paid"]}
    assert told["asked"] == [expected] and told["same_data"] is True


def test_money_is_told_with_its_unit_and_the_time_with_that_of_other_settings(
    place: Path, tmp_path: Path
) -> None:
    money = {"unit": "€", "per": "year", "model": {"cost": 31_900.0, "low": 2.0, "high": 4.0}}
    for name, more in {"one": {}, "other": {"tune": {"seconds": 640.0}}}.items():
        run = RunFolder(Path(shutil.copytree(place / "whole", tmp_path / name)))
        run.write_json("result.json", {**(run.result or {}), "money": money, **more})
    page = tmp_path / "beside.html"
    with pytest.raises(SystemExit):
        main(["report", str(tmp_path / "one"), str(tmp_path / "other"), "--out", str(page)])
    assert "€31,900 a year" in page.read_text() and "11 minutes" in page.read_text()


def test_equal_runs_cannot_be_told_apart(place: Path) -> None:
    apart = treadle.compare(place / "whole", place / "again")["others"][0]["difference"]
    assert apart["surely"] is None and apart["low"] == apart["value"] == apart["high"] == 0


def test_the_interval_holds_what_other_rows_would_show(tmp_path: Path) -> None:
    """The paired interval is that of the mean difference of squared errors, known by formula."""
    frame = small.customers(900)
    one = fit(tmp_path / "one", frame, target="paid", metric="mean_squared_error")
    other = fit(tmp_path / "two", frame, target="paid", metric="mean_squared_error", ignore=["age"])
    apart = treadle.compare(one, other)["others"][0]["difference"]
    rows = [load_file(path / NAME) for path in (one, other)]
    _, *places = np.intersect1d(rows[0]["key"], rows[1]["key"], return_indices=True)
    errors = [
        (kept["true"][here] - kept["expected"][here]) ** 2
        for kept, here in zip(rows, places, strict=True)
    ]
    each = errors[1] - errors[0]
    half = 1.96 * each.std() / len(each) ** 0.5
    assert apart["value"] == pytest.approx(each.mean())
    assert apart["high"] - apart["low"] == pytest.approx(2 * half, rel=0.25)
    assert apart["surely"] == "worse"


def test_events_are_compared_moment_by_moment(tmp_path: Path) -> None:
    log = small.purchases()
    for name, seed in (("one", 0), ("two", 1)):
        treadle.fit(log, until="1 epochs", threads=1, seed=seed, out=tmp_path / name)
    told = treadle.compare(tmp_path / "one", tmp_path / "two")
    apart, values = told["others"][0]["difference"], [run["value"] for run in told["runs"]]
    assert apart["value"] == pytest.approx(values[1] - values[0], abs=1e-6)


def test_a_run_that_kept_no_rows_is_compared_without_them(place: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(place / "again", tmp_path / "old")
    (tmp_path / "old" / NAME).unlink()
    told = treadle.compare(place / "whole", tmp_path / "old")["others"][0]
    assert told["difference"] is None and told["kept"] is False
    (tmp_path / "old" / NAME).write_bytes(b"no tensors")
    assert treadle.compare(place / "whole", tmp_path / "old")["others"][0]["kept"] is False


def test_rows_with_another_truth_are_not_taken_for_the_same(place: Path, tmp_path: Path) -> None:
    flipped = small.customers(900).with_columns(
        left=pl.when(pl.col("left") == "yes").then(pl.lit("no")).otherwise(pl.lit("yes"))
    )
    other = fit(tmp_path / "flipped", flipped, positive="yes")
    first = fit(tmp_path / "first", small.customers(900), positive="yes")
    told = treadle.compare(first, other)["others"][0]
    assert told["difference"] is None and told["same_data"] is False


def test_what_cannot_be_compared_is_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="one run alone"):
        treadle.compare(place / "whole")
    with pytest.raises(OptionError, match="named twice"):
        treadle.compare(place / "whole", place / "whole")
    with pytest.raises(RunError, match="there is no run"):
        treadle.compare(place / "whole", tmp_path)
    number = fit(tmp_path / "number", small.customers(300), target="paid", until="5 epochs")
    with pytest.raises(OptionError, match="do not answer the same question"):
        treadle.compare(place / "whole", number)


def test_the_command_says_it_and_writes_a_page(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    with pytest.raises(SystemExit, match="0"):
        main(["report", str(place / "poor"), str(place / "whole"), "--out", str(page)])
    assert "whole is better than poor, by more than luck explains." in capsys.readouterr().out
    html = page.read_text()
    assert "Asked differently of whole" in html and "--ignore" in html
    assert "<script" not in html and "http" not in html.replace("http-equiv", "").replace(
        "http://www.w3.org/2000/svg", ""
    )
    with pytest.raises(SystemExit, match="0"):
        main(["report", str(place / "poor"), str(place / "whole"), "--out", str(page), "--json"])
    assert json.loads(capsys.readouterr().out)["others"][0]["difference"]["surely"] == "better"
