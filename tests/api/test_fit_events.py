"""A log of events from start to end: cut by time, learned, weighed beside the simple ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import treadle
from tests import small
from tests.conftest import Finished
from treadle.api import event_mix
from treadle.errors import UserError
from treadle.loop import checkpoint


def fit(out: Path, log: pl.DataFrame | None = None, **options: Any) -> treadle.Run:
    data = small.purchases() if log is None else log
    options = {"kind": "events", "until": "1 epochs", "threads": 1, **options}
    return treadle.fit(data, out=out, **options)


def said(run: treadle.Run, topic: str) -> str:
    return " ".join(line["sentence"] for line in run.journal if line["topic"] == topic)


def test_a_log_is_recognised_without_being_told(event_run: Finished) -> None:
    result = event_run.run.result
    assert (result["kind"], result["task"]) == ("events", "next_item")
    assert result["rows"]["train"] > 500 and result["rows"]["test"] >= 20
    assert "'user' is taken for who" in said(event_run.run, "data")


def test_all_three_figures_stand_beside_each_simple_way(event_run: Finished) -> None:
    result = event_run.run.result
    assert {"hit@10", "recall@10", "ndcg@10"} <= set(result["metrics"])
    assert len(result["baselines"]) == 3
    for line in result["baselines"]:
        assert line["difference"]["low"] <= line["difference"]["test"] <= line["difference"]["high"]
    best = max(line["metrics"]["ndcg@10"] for line in result["baselines"])
    assert result["baseline"]["test"] == pytest.approx(best)


def test_what_was_planted_is_found_and_not_more(event_run: Finished) -> None:
    hit = event_run.run.result["metrics"]["hit@10"]["test"]
    assert 0.6 < hit < 0.98  # eight of ten follow the series; guessing finds a third


def test_another_metric_decides_when_asked(tmp_path: Path) -> None:
    run = fit(tmp_path / "run", metric="hit@3")
    assert run.result["metric"]["name"] == "hit@3"
    assert run.result["metrics"]["hit@3"]["test"] <= run.result["metrics"]["hit@10"]["test"]


def test_columns_of_any_name_can_be_named(tmp_path: Path) -> None:
    log = small.purchases().rename({"user": "a", "item": "b", "time": "c"})
    run = treadle.fit(
        log, user="a", item="b", time="c", until="1 epochs", threads=1, out=tmp_path / "run"
    )
    assert run.predict(log).columns[:3] == ["user", "rank", "item"]


def test_a_later_file_can_be_the_test(tmp_path: Path) -> None:
    log = small.purchases()
    cut = log["time"].sort()[int(log.height * 0.8)]
    log.filter(pl.col("time") < cut).write_csv(tmp_path / "known.csv")
    log.filter(pl.col("time") >= cut).write_csv(tmp_path / "later.csv")
    run = treadle.fit(
        tmp_path / "known.csv",
        test=tmp_path / "later.csv",
        kind="events",
        until="1 epochs",
        threads=1,
        out=tmp_path / "run",
    )
    assert run.result["rows"]["test"] >= 20


def test_a_run_starts_from_an_earlier_one_and_says_what_that_saved(
    event_run: Finished, tmp_path: Path
) -> None:
    run = fit(tmp_path / "run", start_from=event_run.path)
    assert "were learned already" in said(run, "transfer")


def test_options_of_other_kinds_are_refused_all_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"(?s)--target does nothing for events.*--item.*--weight"):
        fit(tmp_path / "run", target="item", weight="time")


def test_a_log_without_a_needed_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--user COLUMN"):
        fit(tmp_path / "run", small.purchases().drop("user"))
    with pytest.raises(UserError, match="no column 'buyer'"):
        fit(tmp_path / "run", user="buyer")
    assert not (tmp_path / "run").exists()


def test_too_short_a_log_is_refused_with_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a longer log"):
        fit(tmp_path / "run", small.purchases(users=4))
    assert not (tmp_path / "run").exists()


def test_vectors_of_very_many_items_are_updated_row_by_row_and_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("treadle.models.recommender.WHOLE_CATALOGUE_ITEMS", 1)
    found = {}
    for way, least in (("dense", 1_000_000), ("sparse", 1)):
        monkeypatch.setattr("treadle.models.recommender.SPARSE_FROM_ITEMS", least)
        run = fit(tmp_path / way, until="4 epochs")
        saved = checkpoint.read_newest(run.path / "checkpoints")[0]
        assert saved is not None
        found[way] = saved[1]["best_value"]  # of the network alone, on validation
        names = set(saved[1]["skeletons"]["optimizers"])
        assert names == ({"main"} if way == "dense" else {"main", "item_vectors"})
    # With so few items a batch meets them all, and then RowAdam does what AdamW does.
    assert found["sparse"] == pytest.approx(found["dense"], abs=0.02)
    assert found["sparse"] > 0.7  # it starts at .59


def test_one_simple_way_answers_alone_where_it_is_surely_better(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_mix, "better_alone", lambda *_, **__: "EASE")
    log = tmp_path / "log.csv"
    small.purchases().write_csv(log)
    run = treadle.fit(log, until="1 epoch", threads=1, engine="eager", out=tmp_path / "run")
    assert run.result["blend"] == {
        "network": 0.0,
        "transitions": 0.0,
        "ease": 1.0,
        "recent_ease": 0.0,
        "popularity": 0.0,
    }
    (line,) = [one["sentence"] for one in run.journal if one["topic"] == "blend"]
    assert "it alone answers" in line.lower()
    same = next(one for one in run.result["baselines"] if one["name"] == "EASE")
    assert same["difference"]["test"] == 0
    assert any("simple way does as well" in one for one in run.result["advice"])
    assert run.predict(small.purchases().head(60))["rank"].max() == 10
