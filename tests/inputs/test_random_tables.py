"""Random tables through fit and predict: each ends in an answer for every row or in words."""

from __future__ import annotations

import json
import math
from pathlib import Path

import polars as pl
import pytest

import treadle
from tests.inputs.random_tables import COLUMNS, FORMS, KEY, RandomTable, random_table
from treadle.api.predict import predict
from treadle.errors import TreadleError

TABLES, ALWAYS = 300, (0, 1, 2, 3, 4, 5, 6, 7)
SEEDS = [
    pytest.param(seed, marks=[] if seed in ALWAYS else [pytest.mark.slow]) for seed in range(TABLES)
]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_table_is_learned_from_or_refused_in_words(seed: int, tmp_path: Path) -> None:
    table = random_table(seed)
    try:
        path = fitted(table, tmp_path)
    except TreadleError as error:
        check_refusal(error)
        assert not (tmp_path / "run").exists()
        return
    check_answers(table, path, tmp_path)


def fitted(table: RandomTable, place: Path) -> Path:
    """Fit the table for an epoch and return the run."""
    data = table.given(place, table.frame, "train")
    run = treadle.fit(data, until="1 epochs", threads=1, out=place / "run", **table.options)
    result = run.result
    assert result["kind"] == "table" and sum(result["rows"].values()) <= table.frame.height
    value = result["metric"]["test"]
    assert value is None or math.isfinite(value)
    json.dumps(result, allow_nan=False)
    assert (run.path / "report.html").stat().st_size > 1000
    return run.path


def check_answers(table: RandomTable, run: Path, place: Path) -> None:
    """Predict the same rows without their answers: all are there, in order, each with an answer."""
    rows = table.frame.drop(table.options["target"])
    data = table.given(place, rows, "new")
    if table.form in ("polars", "pandas"):
        found = treadle.load(run).predict(data)
    else:
        predict(run, [str(data)], out=place / "answers.parquet")
        found = pl.read_parquet(place / "answers.parquet")
    assert found[KEY].to_list() == rows[KEY].to_list()
    if "problem" in found.columns and "problem" not in rows.columns:
        assert (found["prediction"].is_null() == found["problem"].is_not_null()).all()
    else:
        assert found["prediction"].null_count() == 0
    shares = [name for name in found.columns if name.startswith("probability_")]
    if len(shares) > 1 and not set(shares) & set(rows.columns):
        sums = found.select(pl.sum_horizontal(shares)).to_series().drop_nulls()
        assert ((sums - 1).abs() < 1e-5).all()


def check_refusal(error: TreadleError) -> None:
    assert error.message.strip() and error.exit_code == 2, error
    assert error.hint or "hint: " in error.message, error.message
    for word in ("Traceback", "polars", "ComputeError", "SchemaError", "NoneType"):
        assert word not in str(error), error


def test_most_random_tables_can_be_learned_from() -> None:
    """A generator that makes only what is refused would show nothing."""
    refused = ("one class", "infinite answers", "days to predict")
    sound = [table for table in map(random_table, range(TABLES)) if table.traits[2] not in refused]
    assert len(sound) > 0.7 * TABLES
    assert {table.form for table in sound} == {*FORMS}
    assert {trait for table in sound for trait in table.traits} >= {*COLUMNS}
