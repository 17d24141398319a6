"""Where answers are worst: planted parts are found, with rows that show it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import treadle
from tests import small
from treadle.contracts import Json
from treadle.folder import RunFolder


def spoilt(rows: int = 1_500) -> pl.DataFrame:
    """Customers of whom those in Oslo leave or stay as a coin falls."""
    frame = small.customers(rows)
    coin = np.random.default_rng(0).choice(["yes", "no"], rows)
    in_oslo = pl.col("city") == "Oslo"
    return frame.with_columns(left=pl.when(in_oslo).then(pl.Series(coin)).otherwise(pl.col("left")))


def fails(frame: pl.DataFrame, out: Path, **options: Any) -> Json:
    run = treadle.fit(frame, model="trees", threads=1, out=out, **options)
    found: Json = (RunFolder(run.path).findings or {})["fails"]
    return found


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Json:
    return fails(spoilt(), tmp_path_factory.mktemp("spoilt") / "run", target="left")


def test_a_planted_part_is_told_first_and_worse_than_the_rest(found: Json) -> None:
    part = found["parts"][0]
    assert part["where"] == "'city' is Oslo"
    assert part["mean"] > 2 * part["rest"] and part["low"] < part["mean"] < part["high"]
    assert found["unit"] == "share" and found["low"] < found["mean"] < found["high"]


def test_examples_are_wrong_answers_of_that_part_by_their_row(found: Json) -> None:
    frame = spoilt()
    examples = found["parts"][0]["examples"]
    assert len(examples) == 3
    for example in examples:
        row = frame.row(example["row"] - 1, named=True)
        assert row["city"] == example["cells"]["city"] == "Oslo"
        assert row["left"] == example["true"] != example["said"]


def test_where_nothing_stands_out_the_surest_mistakes_are_shown(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=(1_200, 2))
    y = np.where(x[:, 0] + random.logistic(size=1_200) > 0, "a", "b")
    frame = pl.DataFrame({"one": x[:, 0], "two": x[:, 1], "y": y})
    told = fails(frame, tmp_path / "run", target="y")
    assert told["parts"] == [] and len(told["examples"]) == 3


def test_numbers_are_told_by_how_far_off_they_are(tmp_path: Path) -> None:
    frame = small.customers(1_200)
    noise = np.random.default_rng(2).normal(0, 400, 1_200)
    in_rome = pl.col("city") == "Rome"
    frame = frame.with_columns(
        paid=pl.when(in_rome).then(pl.col("paid") + pl.Series(noise)).otherwise(pl.col("paid"))
    )
    told = fails(frame, tmp_path / "run", target="paid")
    assert told["unit"] == "distance" and told["parts"][0]["where"] == "'city' is Rome"
    assert isinstance(told["parts"][0]["examples"][0]["said"], float)


def test_too_few_rows_are_not_looked_at(tmp_path: Path) -> None:
    assert fails(small.customers(240), tmp_path / "run", target="left") == {}
