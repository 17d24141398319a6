"""Photos and events: the same question, asked of what their runs train."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import treadle
from tests import small
from treadle.api.collecting.examples import event_example
from treadle.api.event_data import prepare_events
from treadle.api.options import FitOptions


def log_of(users: int = 60) -> pl.DataFrame:
    """Customers who mostly buy the product after the last one."""
    draw = np.random.default_rng(3)
    rows = []
    for customer in range(users):
        product = int(draw.integers(40))
        for number in range(12):
            product = (product + (1 if draw.random() < 0.8 else int(draw.integers(40)))) % 40
            day = customer % 20 + number * 3
            when = f"2024-{1 + day // 28:02d}-{1 + day % 28:02d}"
            rows.append((f"U{customer}", f"P{product}", when))
    columns = ["customer", "product", "bought_at"]
    return pl.DataFrame(rows, schema=columns, orient="row").sort("bought_at")


@pytest.mark.slow
def test_events_of_fewer_users_are_learned_from(tmp_path: Path) -> None:
    log_of().write_csv(tmp_path / "log.csv")
    run = treadle.fit(
        tmp_path / "log.csv",
        kind="events",
        until="1 epochs",
        threads=1,
        engine="eager",
        out=tmp_path / "run",
    )
    found = treadle.collect(run.path, budget="30 seconds")
    assert found["noun"] == "event" and found["metric"] == "ndcg@10"
    assert found["points"][0]["rows"] < found["points"][-1]["rows"] == found["rows"]
    assert "events to learn from" in found["sentence"]
    if found["request"] is not None:
        assert "Keep who, what and when" in (tmp_path / "run" / "request.html").read_text()


def test_an_example_of_an_event_says_what_was_done_by_two_users(tmp_path: Path) -> None:
    frame = log_of().with_columns(event=pl.lit("bought"))
    data = prepare_events(FitOptions.of({"data": [], "kind": "events", "event": "event"}), frame)
    example = event_example(data)
    names = [name for name, _ in example.fields]
    assert [row[names.index("event")] for row in example.rows] == ["bought", "bought"]
    assert len({row[names.index("customer")] for row in example.rows}) == 2


@pytest.mark.slow
def test_photos_of_a_rare_kind_are_shown_and_asked_for(tmp_path: Path) -> None:
    folder = small.photos(tmp_path / "photos", each=90)
    for number in range(12, 90):
        (folder / "blue" / f"{number:02}.png").unlink()
    settings = {"threads": 1, "engine": "eager", "cache": tmp_path / "cache"}
    run = treadle.fit(folder, kind="images", until="3 epochs", out=tmp_path / "run", **settings)
    found = treadle.collect(run.path, inflow="10 a day", budget="60 seconds")
    assert found["thin"][0]["where"] == "of the kind blue"
    page = (tmp_path / "run" / "request.html").read_text()
    assert "more photos of the kind blue" in page and "data:image/jpeg;base64," in page
    assert "of which about" in page
