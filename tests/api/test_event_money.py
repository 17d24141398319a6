"""What suggestions are worth: what they named beforehand, beside simple ways, never as a gain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import treadle
from tests import small
from treadle.errors import OptionError

QUICK = {"kind": "events", "until": "2 epochs", "threads": 1, "metric": "hit@5"}


def fit(out: Path, log: pl.DataFrame | None = None, **options: Any) -> treadle.Run:
    data = small.purchases() if log is None else log
    return treadle.fit(data, out=out, **{**QUICK, **options})


def priced(log: pl.DataFrame) -> pl.DataFrame:
    return log.with_columns(price=pl.col("item").str.slice(1).cast(pl.Float64) + 1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> treadle.Run:
    return fit(tmp_path_factory.mktemp("money") / "run", cost="gain=€3 shown=€0.1")


def test_with_one_gain_for_all_the_money_is_that_of_the_items_that_were_named(
    run: treadle.Run,
) -> None:
    money, moments = run.result["money"], run.result["rows"]["test"]
    assert money["suggested"] == 5 and money["unit"] == "€" and money["per"] == "year"
    # one item is taken at each of these moments, so hits count items
    hits = run.result["metrics"]["hit@5"]["test"]
    assert money["taken"] == pytest.approx(3 * money["cases"])
    assert money["model"]["value"] == pytest.approx(3 * hits * money["cases"], rel=1e-5)
    assert money["model"]["low"] < money["model"]["value"] < money["model"]["high"]
    assert money["shown"] == pytest.approx(0.5 * money["cases"]) and moments > 50


def test_the_simple_ways_stand_beside_it_with_what_is_more(run: treadle.Run) -> None:
    money = run.result["money"]
    assert {rule["name"] for rule in money["rules"]} == {
        "decayed transitions",
        "EASE",
        "recent popularity",
    }
    for rule in money["rules"]:
        assert rule["more"] == pytest.approx(money["model"]["value"] - rule["value"])
        assert rule["more_low"] <= rule["more"] <= rule["more_high"]


def test_it_is_told_as_named_beforehand_and_not_as_a_gain(run: treadle.Run) -> None:
    told = run.result["money"]["sentences"]
    assert "suggestions name €" in told[0] and "most popular name €" in told[0]
    assert "It is not a gain yet" in told[1] and "only a trial tells" in told[1]
    assert told[-1].startswith("Showing 5 at each moment costs €")
    page = (run.folder.path / "report.html").read_text()
    assert "worth named beforehand a year" in page and "doing without it" not in page


def test_items_bring_what_a_column_says_of_them(tmp_path: Path) -> None:
    log = priced(small.purchases())
    whole = fit(tmp_path / "whole", log, cost="gain=price", volume="1,000 a year")
    half = fit(tmp_path / "half", log, cost="gain=0.5*price", volume="1,000 a year")
    money, other = whole.result["money"], half.result["money"]
    assert money["cases"] == 1_000 and 8_000 < money["taken"] < 23_000  # prices are 1 to 30
    assert money["model"]["value"] == pytest.approx(2 * other["model"]["value"])
    assert not any(words.startswith("Showing") for words in money["sentences"])


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        ("shown=1", "does not say what a suggestion brings"),
        ("gain=-2", "above zero"),
        ("gain=prize", "did you mean 'price'"),
        ("gain=user", "holds no amount in any row"),
        ("gain=2 shown=price", "is no number of 0 or more"),
        ("gain=2 missed=5", "at once"),
        ("taken=2", "did you mean 'gain'"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(tmp_path: Path, cost: str, words: str) -> None:
    with pytest.raises(OptionError) as caught:
        fit(tmp_path / "run", priced(small.purchases()), cost=cost)
    assert words in str(caught.value)


def test_a_capacity_is_none_of_suggestions(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="the first so many suggestions count"):
        fit(tmp_path / "run", cost="gain=2", capacity="5 a day")
