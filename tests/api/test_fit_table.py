"""A table from start to end: what is guessed, split, trained, chosen, measured and kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import treadle
from tests import small
from tests.conftest import Finished
from treadle.api.table_result import as_a_whole
from treadle.errors import RunError, UserError

QUICK = {"until": "2 epochs", "threads": 1}
CONTRACT = (
    "run kind task rows metric metrics baseline stopped engine samples_per_second seconds advice"
)


def fit(out: Path, frame: pl.DataFrame | None = None, **options: Any) -> treadle.Run:
    data = small.customers() if frame is None else frame
    return treadle.fit(data, out=out, **{"target": "left", "model": "neural", **QUICK, **options})


def said(run: treadle.Run, topic: str) -> str:
    return " ".join(line["sentence"] for line in run.journal if line["topic"] == topic)


def test_the_result_holds_what_was_promised(table_run: Finished) -> None:
    result = table_run.run.result
    assert set(CONTRACT.split()) <= set(result)
    assert (result["kind"], result["task"]) == ("table", "two_classes")
    assert sum(result["rows"].values()) == 240 and result["rows"]["test"] == 60
    assert set(result["metric"]) >= {"name", "validation", "test", "low", "high"}
    assert set(result["stopped"]) >= {"reason", "epoch", "step", "best_step"}
    assert set(result["baseline"]) >= {"name", "test"} and result["test_scorings"] == 1


def test_the_figure_stands_within_its_interval_and_above_the_baseline(table_run: Finished) -> None:
    metric, baseline = table_run.run.result["metric"], table_run.run.result["baseline"]
    assert metric["low"] <= metric["test"] <= metric["high"]
    assert baseline["test"] == 0.5 < metric["low"]


def test_the_journal_says_what_was_guessed_split_and_chosen(table_run: Finished) -> None:
    assert "'yes' is the positive class" in said(table_run.run, "data")
    assert "60 kept for one test at the end" in said(table_run.run, "split")
    assert "trees" in said(table_run.run, "member") and "neural" in said(table_run.run, "blend")


def test_the_run_keeps_safetensors_and_json_and_nothing_that_holds_code(
    table_run: Finished,
) -> None:
    endings = {path.suffix for path in table_run.path.rglob("*") if path.is_file()}
    assert endings <= {".json", ".jsonl", ".safetensors", ".html", ""}  # lock has no ending
    for path in table_run.path.rglob("*.json"):
        json.loads(path.read_text(encoding="utf-8"))
    assert (table_run.path / "report.html").stat().st_size > 5_000


def test_both_members_are_runs_of_their_own_with_curves(table_run: Finished) -> None:
    members = {member.name: member for member in table_run.run.folder.members()}
    assert set(members) == {"trees", "neural"}
    assert all(member.metrics() and member.config["kind"] for member in members.values())


@pytest.mark.parametrize("model", ["neural", "trees"])
@pytest.mark.parametrize(("target", "task"), [("paid", "number"), ("city", "classes")])
def test_numbers_and_many_classes_are_learned_by_either_model(
    tmp_path: Path, model: str, target: str, task: str
) -> None:
    run = fit(tmp_path / "run", target=target, model=model)
    assert run.result["task"] == task and list(run.result["members"]) == [model]
    found = run.predict(small.customers().head(5))
    assert found["prediction"].null_count() == 0 and found.height == 5


def test_the_same_rows_give_the_same_run_whatever_they_came_in(tmp_path: Path) -> None:
    frame = small.customers()
    frame.write_csv(tmp_path / "customers.csv")
    frame.write_parquet(tmp_path / "customers.parquet")
    frame.write_ndjson(tmp_path / "customers.jsonl")
    in_memory = [frame, frame.to_pandas(), frame.to_arrow(), frame.to_dict(as_series=False)]
    files = [tmp_path / f"customers.{ending}" for ending in ("csv", "parquet", "jsonl")]
    figures = {
        json.dumps(
            treadle.fit(data, target="left", model="neural", out=tmp_path / f"run-{i}", **QUICK)
            .result["metrics"]
        )
        for i, data in enumerate([*in_memory, *files])
    }  # fmt: skip
    assert len(figures) == 1


def test_a_seed_changes_the_split_and_a_second_run_of_one_seed_changes_nothing(
    tmp_path: Path,
) -> None:
    first, again, other = (
        fit(tmp_path / f"run-{i}", seed=seed).result["metrics"] for i, seed in enumerate((1, 1, 2))
    )
    assert first == again != other


def test_a_split_by_time_tests_on_what_came_last_and_parts_by_the_delay(tmp_path: Path) -> None:
    run = fit(tmp_path / "run", time="since", label_delay="30 days")
    rule = (run.folder.data or {})["split"]
    assert rule["method"] == "time" and rule["label_delay_seconds"] == 30 * 86_400
    assert sum(run.result["rows"].values()) < 240  # the gaps belong to no part


def test_rows_of_one_group_stay_together(tmp_path: Path) -> None:
    frame = small.customers().with_columns(house=pl.int_range(pl.len()) // 6)
    run = fit(tmp_path / "run", frame, group="house")
    assert all(count % 6 == 0 for count in run.result["rows"].values())


def test_files_of_our_own_are_used_as_they_are(tmp_path: Path) -> None:
    frame = small.customers()
    parts = {"train": frame[:160], "validation": frame[160:200], "test": frame[200:]}
    for name, rows in parts.items():
        rows.write_csv(tmp_path / f"{name}.csv")
    run = treadle.fit(
        tmp_path / "train.csv",
        validation=tmp_path / "validation.csv",
        test=tmp_path / "test.csv",
        target="left",
        model="neural",
        out=tmp_path / "run",
        **QUICK,
    )
    assert run.result["rows"] == {"train": 160, "validation": 40, "test": 40}


def test_a_weight_of_nothing_silences_rows(tmp_path: Path) -> None:
    frame = small.customers()
    doubled = pl.concat([frame, frame.with_columns(left=pl.lit("no"))])
    weights = [1.0] * frame.height + [0.0] * frame.height
    run = fit(
        tmp_path / "run",
        doubled.with_columns(counts=pl.Series(weights)),
        weight="counts",
        until="10 epochs",
    )
    assert "counts" not in str(run.folder.data and run.folder.data["encoder"]["numbers"])
    assert "weight" in said(run, "data") or "counts" in said(run, "data")


@pytest.mark.parametrize("model", ["neural", "trees", "auto"])
def test_a_run_starts_from_an_earlier_one_and_says_what_that_saved(
    table_run: Finished, tmp_path: Path, model: str
) -> None:
    run = fit(tmp_path / "run", model=model, start_from=table_run.path)
    journals = [run.journal, *(member.events() for member in run.folder.members())]
    told = [line["sentence"] for lines in journals for line in lines if line["topic"] == "transfer"]
    assert told and str(table_run.path) in told[0]
    assert len(told) == (2 if model == "auto" else 1)


def test_auto_starts_from_a_run_of_one_member(tmp_path: Path) -> None:
    fit(tmp_path / "first", model="neural")
    run = fit(tmp_path / "second", model="auto", start_from=tmp_path / "first")
    assert set(run.result["members"]) == {"trees", "neural"}


def test_an_earlier_run_that_does_not_fit_is_refused_in_words(
    event_run: Finished, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="is a run of events; this is one of a table"):
        fit(tmp_path / "run", start_from=event_run.path)
    fit(tmp_path / "trees", model="trees")
    with pytest.raises(UserError, match="that run trained trees, not neural"):
        fit(tmp_path / "run", model="neural", start_from=tmp_path / "trees")
    assert not (tmp_path / "run").exists()


def test_a_finished_run_is_not_written_over_unless_asked(tmp_path: Path) -> None:
    fit(tmp_path / "run")
    before = (tmp_path / "run" / "result.json").read_bytes()
    with pytest.raises(RunError, match="a finished run"):
        fit(tmp_path / "run")
    assert (tmp_path / "run" / "result.json").read_bytes() == before
    assert fit(tmp_path / "run", seed=5, overwrite=True).folder.config["options"]["seed"] == 5


def test_a_folder_that_holds_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match="holds other things"):
        fit(tmp_path)
    assert (tmp_path / "model" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("model", ["neural", "trees"])
def test_any_metric_can_be_aimed_at_whichever_decides(tmp_path: Path, model: str) -> None:
    until = "90 epochs or average_precision >= 0.4"
    run = fit(tmp_path / "run", until=until, metric="log_loss", model=model)
    assert run.result["stopped"]["reason"] == "reached"
    assert run.result["metric"]["name"] == "log_loss"


def test_what_was_made_for_a_refused_run_is_gone_again(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not measured"):
        fit(tmp_path / "new" / "deep" / "run", until="50 epochs or hit@3 >= 0.9")
    assert list(tmp_path.iterdir()) == []


def test_a_module_without_data_is_refused_with_the_way_to_call() -> None:
    with pytest.raises(UserError, match="fit\\(data, target="):
        treadle.fit(small.customers(), "left")


@pytest.mark.parametrize(
    ("reason", "others", "told"),
    [
        ("minutes", True, "the time allowed was used up"),
        ("minutes", False, "the 20 seconds were used up"),
        ("no_better", True, "the 20 seconds were used up"),
    ],
)
def test_a_members_part_of_the_time_is_not_told_as_what_was_allowed(
    reason: str, others: bool, told: str
) -> None:
    stopped = {"reason": reason, "sentence": "the 20 seconds were used up"}
    found = as_a_whole({"stopped": stopped, "engine": "eager"}, has_others=others)
    assert found == {"stopped": stopped | {"sentence": told}, "engine": "eager"}
