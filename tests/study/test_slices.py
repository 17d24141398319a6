"""Where answers are worst: planted parts are found, chance is not."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest

from treadle.study.slices import _chance, slice_findings, worst_slices

ROWS = 4000
RANDOM = np.random.default_rng(0)
FRAME = pl.DataFrame(
    {
        "city": RANDOM.choice(["Oslo", "Rome", "Bern"], ROWS),
        "age": RANDOM.integers(18, 80, ROWS),
        **{f"noise{i}": RANDOM.choice(list("abcdef"), ROWS) for i in range(6)},
    }
)
CITY, AGE = FRAME["city"].to_numpy(), FRAME["age"].to_numpy()


def wrong(rate: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return (np.random.default_rng(1).random(ROWS) < rate).astype(np.float64)


def test_one_column_is_named_and_its_value() -> None:
    found = worst_slices(FRAME, wrong(np.where(CITY == "Rome", 0.4, 0.1)))
    assert found[0].where == "'city' is Rome" and found[0].mean > 0.35 > 0.15 > found[0].rest


def test_two_columns_are_named_where_only_both_together_are_worse() -> None:
    rate = np.where((CITY == "Rome") & (AGE < 33), 0.6, 0.1)
    found = worst_slices(FRAME, wrong(rate))
    assert set(found[0].columns) == {"city", "age"} and "'city' is Rome" in found[0].where


def test_chance_is_not_told() -> None:
    told = [
        len(worst_slices(FRAME, np.random.default_rng(s).random(ROWS) < 0.2)) for s in range(12)
    ]
    assert sum(told) <= 1


def test_missing_cells_are_a_part_as_well() -> None:
    gone = RANDOM.random(ROWS) < 0.1
    frame = FRAME.with_columns(age=pl.when(pl.Series(gone)).then(None).otherwise(pl.col("age")))
    found = worst_slices(frame, wrong(np.where(gone, 0.5, 0.1)))
    assert found[0].where == "'age' is empty"


def test_a_part_is_said_in_one_sentence_with_its_size() -> None:
    parts = worst_slices(FRAME, wrong(np.where(CITY == "Rome", 0.4, 0.1)))
    (finding, *_) = slice_findings(parts, {"far": "wrong for {} of 100", "scale": "100"}, ROWS)
    assert "Where 'city' is Rome" in finding.sentence and "33 of 100" in finding.sentence
    assert finding.action and finding.evidence["rows"] == (CITY == "Rome").sum()


def test_an_edge_is_said_in_as_many_digits_as_it_takes_to_part_the_rows_there() -> None:
    when = 2017.3 + 0.0003 * np.arange(ROWS) / 4
    found = worst_slices(pl.DataFrame({"when": when}), wrong(np.where(when > 2017.525, 0.5, 0.1)))
    (low,) = re.findall("'when' is (.*) or more", found[0].where)
    assert (when >= float(low)).mean() == pytest.approx(0.25, abs=0.02)


def test_large_edges_are_said_in_full() -> None:
    income = 20_000 + 17.0 * np.arange(ROWS)
    found = worst_slices(pl.DataFrame({"income": income}), wrong(np.where(income > 71_000, 0.5, 0)))
    assert found[0].where == "'income' is 70,990 or more"


def test_values_that_are_nearly_all_the_same_are_judged_without_a_warning() -> None:
    inside = np.full(60, 1.0)
    inside[0] += 3e-16
    assert _chance(inside, np.full(60, 1.0)) > 0.05


def test_large_distances_are_said_in_full() -> None:
    parts = worst_slices(FRAME, np.where(CITY == "Rome", 66_900.0, 46_400.0) * (1 + wrong(0.5)))
    (finding, *_) = slice_findings(parts, {"far": "off by {}"}, ROWS)
    assert "e+" not in finding.sentence and re.search(r"off by \d{2,3},\d{3}", finding.sentence)
