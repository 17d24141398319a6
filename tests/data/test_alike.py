"""Columns that tell nearly the same are found, whatever their kinds; others stay apart."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from treadle.data.alike import groups_of

ROWS = 1_000


def drawn() -> np.random.Generator:
    return np.random.default_rng(0)


def test_numbers_that_rise_together_are_one_group_also_where_cells_are_missing() -> None:
    draw = drawn()
    one = draw.normal(size=ROWS)
    other = np.where(draw.random(ROWS) < 0.3, np.nan, np.exp(-one))
    apart = draw.normal(size=ROWS)
    frame = pl.DataFrame({"one": one, "apart": apart, "other": other}, nan_to_null=True)
    assert groups_of(frame) == [["one", "other"], ["apart"]]


def test_loosely_tied_numbers_stay_apart() -> None:
    draw = drawn()
    one = draw.normal(size=ROWS)
    assert len(groups_of(pl.DataFrame({"one": one, "other": one + draw.normal(size=ROWS)}))) == 2


def test_texts_numbers_and_dates_that_tell_the_same_are_one_group() -> None:
    draw = drawn()
    codes = draw.integers(0, 5, ROWS)
    frame = pl.DataFrame(
        {
            "name": [f"grade {code}" for code in codes],
            "short": [f"{code}" for code in codes],
            "points": codes * 10.0 + draw.normal(size=ROWS),
            "day": [
                datetime.fromisoformat("2024-01-01") + timedelta(days=int(code)) for code in codes
            ],
            "apart": draw.choice(["a", "b"], ROWS),
        }
    )
    assert groups_of(frame) == [["name", "short", "points", "day"], ["apart"]]


def test_a_chain_is_no_group() -> None:
    draw = drawn()
    first = draw.normal(size=ROWS)
    middle = first + 0.6 * draw.normal(size=ROWS)
    last = middle + 0.7 * draw.normal(size=ROWS)
    groups = groups_of(pl.DataFrame({"first": first, "middle": middle, "last": last}))
    assert groups == [["first", "middle"], ["last"]]


def test_many_different_texts_are_not_alike_by_their_number() -> None:
    draw = drawn()
    frame = pl.DataFrame({name: draw.integers(0, 25, 200).astype(str) for name in ("one", "other")})
    assert groups_of(frame.with_columns(number=pl.Series(draw.normal(size=200)))) == [
        ["one"],
        ["other"],
        ["number"],
    ]


def test_empty_and_constant_columns_are_alike_to_nothing() -> None:
    frame = pl.DataFrame(
        {
            "none": pl.Series([None] * ROWS, dtype=pl.Float64),
            "no text": pl.Series([None] * ROWS, dtype=pl.String),
            "same": np.ones(ROWS),
            "same text": ["a"] * ROWS,
        }
    )
    assert len(groups_of(frame)) == 4
