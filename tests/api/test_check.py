"""`treadle check`: what data is taken for, and what looks wrong, before any training."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import treadle
from tests import small
from treadle.errors import UserError


def test_a_table_is_described_column_by_column_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small.customers().write_csv("customers.csv")
    found = treadle.check("customers.csv", target="left")
    kinds = {column["name"]: column["kind"] for column in found["columns"]}
    assert kinds == {
        "customer": "left_out",
        "age": "number",
        "income": "number",
        "city": "category",
        "since": "date",
        "paid": "number",
    }
    assert found["task"] == "two_classes" and sum(found["rows"].values()) == 240
    assert [path.name for path in tmp_path.iterdir()] == ["customers.csv"]


def test_a_column_that_gives_the_answer_away_is_reported() -> None:
    frame = small.customers().with_columns(closed=pl.col("left") == "yes")
    findings = treadle.check(frame, target="left")["findings"]
    told = [f for f in findings if "closed" in f["sentence"]]
    assert told and told[0]["severity"] != "note" and told[0]["action"]


def test_the_sentences_say_which_class_is_looked_for() -> None:
    sentences = treadle.check(small.customers(), target="left")["sentences"]
    assert "'yes' is the positive class" in sentences[0]


def test_photos_and_events_are_looked_at_too(tmp_path: Path) -> None:
    photos = treadle.check(small.photos(tmp_path / "photos", each=12))
    assert photos["kind"] == "images" and sum(photos["rows"].values()) == 36
    events = treadle.check(small.purchases(), kind="events")
    assert {column["kind"] for column in events["columns"]} == {"user", "item", "time"}


def test_it_refuses_what_a_fit_would_refuse(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does nothing for a table"):
        treadle.check(small.customers(), target="left", unfreeze=1)
    with pytest.raises(UserError, match="no such column"):
        treadle.check(small.customers(), target="lef")
