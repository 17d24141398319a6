"""A table fitted with `tune`, from start to end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import treadle
from tests import small
from treadle.api import tune_table
from treadle.errors import Interrupted, OptionError
from treadle.folder import RunFolder

QUICK = {"target": "left", "until": "8 epochs", "threads": 1, "tune": "10 minutes"}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> treadle.Run:
    out = tmp_path_factory.mktemp("tuned") / "run"
    return treadle.fit(small.customers(400), out=out, model="trees", **QUICK)


def test_every_trial_is_a_run_folder_of_its_own(tuned: treadle.Run) -> None:
    trials = tuned.result["tune"]["trials"]
    assert len(trials) >= 26
    for trial in trials:
        place = tuned.path / "members" / trial["name"]
        assert (place / "config.json").exists() and (place / "events.jsonl").exists()
    assert tuned.result["tune"]["usual"].keys() == {"trees"}
    assert tuned.result["tune"]["seconds"] < 600


def test_the_report_shows_the_trials_as_dots_and_no_curves_of_theirs(tuned: treadle.Run) -> None:
    page = (tuned.path / "report.html").read_text(encoding="utf-8")
    assert "Would other settings help?" in page
    names = [trial["name"] for trial in tuned.result["tune"]["trials"]]
    assert all(f"{name}: log_loss" in page for name in names)  # what a dot says: it decided
    assert not any(f"<h3>{name}</h3>" in page for name in names) and "<h3>trees</h3>" in page
    usual = tuned.result["tune"]["usual"]["trees"]
    better = sum(trial["value"] < usual for trial in tuned.result["tune"]["trials"])
    assert f"with other settings: {better} did better" in page
    folder = RunFolder(tuned.path)
    assert [run.name for run in folder.members()] == ["trees"]
    assert {run.name for run in folder.members(trials=True)} == set(names)


def test_the_usual_settings_are_trained_as_without_tune(tuned: treadle.Run, tmp_path: Path) -> None:
    asked: dict[str, Any] = {k: v for k, v in QUICK.items() if k != "tune"}
    plain = treadle.fit(small.customers(400), out=tmp_path / "run", model="trees", **asked)
    beside = RunFolder(tuned.path / "members" / "trees")
    assert [line["values"] for line in beside.metrics()] == [
        line["values"] for line in plain.folder.metrics()
    ]


def test_what_answers_predicts_the_same_after_loading(tuned: treadle.Run) -> None:
    shares = tuned.result["blend"]
    assert abs(sum(shares.values()) - 1) < 0.01
    rows = small.customers(50, seed=9)
    found = treadle.load(tuned.path).predict(rows)
    assert found["probability_yes"].is_between(0, 1).all()


@pytest.mark.slow
def test_a_setting_that_the_user_named_is_not_tried(tmp_path: Path) -> None:
    quick = {**QUICK, "until": "1 epochs", "tune": "30 seconds"}
    run = treadle.fit(small.customers(), out=tmp_path / "run", model="neural", lr=0.01, **quick)
    changes = [trial["changes"] for trial in run.result["tune"]["trials"]]
    assert changes and not any("learning_rate" in each for each in changes)
    for trial in run.result["tune"]["trials"]:
        plan = RunFolder(run.path / "members" / trial["name"]).plan
        assert plan is not None and plan["settings"]["learning_rate"] == 0.01


def test_killed_in_a_trial_and_resumed_it_ends_as_if_never_killed(
    tuned: treadle.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit, calls = tune_table.fit_trees, []

    def killed(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 12:
            raise Interrupted("killed")
        return fit(*given)

    data = small.customers(400)
    monkeypatch.setattr(tune_table, "fit_trees", killed)
    with pytest.raises(Interrupted):
        treadle.fit(data, out=tmp_path / "run", model="trees", **QUICK)
    monkeypatch.setattr(tune_table, "fit_trees", fit)
    run = treadle.fit(data, out=tmp_path / "run", model="trees", resume=True, **QUICK)
    assert _without_clock(run.result) == _without_clock(tuned.result)
    theirs = treadle.load(tuned.path).predict(data)
    assert treadle.load(run.path).predict(data).equals(theirs)


def _without_clock(result: Any) -> Any:
    clocks = ("run", "seconds", "samples_per_second", "forecasts")
    if isinstance(result, dict):
        return {k: _without_clock(v) for k, v in result.items() if k not in clocks}
    return [_without_clock(v) for v in result] if isinstance(result, list) else result


def test_other_kinds_than_tables_are_refused_in_words(tmp_path: Path) -> None:
    log = pl.DataFrame({"user": ["a", "b"] * 20, "item": ["x", "y"] * 20, "time": range(40)})
    with pytest.raises(OptionError, match="--tune does nothing for events"):
        treadle.fit(log, kind="events", tune="30 minutes", out=tmp_path / "run")
