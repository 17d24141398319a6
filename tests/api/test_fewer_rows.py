"""A table with fewer rows to learn from: fitted anew on them, groups whole, shares kept."""

from __future__ import annotations

import numpy as np
import polars as pl

from tests.small import customers
from treadle.api.fewer_rows import in_pieces, on_rows, shuffled, taken
from treadle.api.options import FitOptions
from treadle.api.table_data import TableData, prepare, read_table


def prepared(options: FitOptions, frame: pl.DataFrame | None = None) -> TableData:
    return prepare(options, read_table(options, customers(300) if frame is None else frame))


def test_fewer_rows_to_learn_from_leave_validation_and_test_as_they_are() -> None:
    options = FitOptions.of({"target": "left", "ignore": ("customer",)})
    data = prepared(options)
    fewer = on_rows(data, np.arange(50), options)
    assert len(fewer.parts["train"]["target"]) == 50 == len(fewer.split.train)
    assert fewer.split.validation.tolist() == data.split.validation.tolist()
    assert fewer.truth("test").tolist() == data.truth("test").tolist()


def test_what_is_known_of_a_column_is_what_the_fewer_rows_tell() -> None:
    frame = customers(300).with_columns(
        city=pl.Series([f"town {number % 60}" for number in range(300)])
    )
    options = FitOptions.of({"target": "left", "ignore": ("customer",)})
    data = prepared(options, frame)
    fewer = on_rows(data, np.arange(30), options)
    assert fewer.layout.cardinalities[0] < data.layout.cardinalities[0]


def test_the_scale_of_a_number_is_that_of_the_fewer_rows() -> None:
    options = FitOptions.of({"target": "paid", "ignore": ("customer",)})
    data = prepared(options)
    fewer = on_rows(data, np.arange(20), options)
    assert fewer.target.center != data.target.center
    assert np.isclose(fewer.target.center, data.rows("train")["paid"][:20].to_numpy().mean())


def test_pieces_hold_every_row_once_and_stretches_do_not_overlap() -> None:
    options = FitOptions.of({"target": "left", "ignore": ("customer",)})
    pieces = shuffled(prepared(options), options, seed=3)
    quarters = [taken(pieces, place / 4, (place + 1) / 4) for place in range(4)]
    rows = np.concatenate(quarters)
    assert sorted(rows.tolist()) == list(range(len(rows))) == list(range(len(pieces)))


def test_every_stretch_has_the_shares_of_the_classes() -> None:
    truth = np.array([1] * 40 + [0] * 360)
    pieces = in_pieces(truth, None, 0, is_number=False)
    for place in range(8):
        rare = truth[taken(pieces, place / 8, (place + 1) / 8)].sum()
        assert 4 <= rare <= 6


def test_rows_of_a_group_stay_together() -> None:
    group = np.repeat(np.arange(30), 10)
    pieces = in_pieces(np.zeros(300), group, 0, is_number=False)
    half = taken(pieces, 0, 0.5)
    assert len(half) == 150 and len(np.unique(group[half])) == 15


def test_another_seed_draws_other_rows() -> None:
    truth = np.zeros(100)
    one, other = (in_pieces(truth, None, seed, is_number=True) for seed in (0, 1))
    assert taken(one, 0, 0.5).tolist() != taken(other, 0, 0.5).tolist()
