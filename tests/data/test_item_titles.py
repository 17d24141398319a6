"""What items are called: by a file of items, or by a column of the log."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from treadle.data.item_titles import titles_of
from treadle.errors import DataError

LOG = pl.DataFrame({"user": ["a", "a", "b"], "product": [1, 2, 1], "day": [1, 2, 3]})


def written(place: Path, **columns: list[object]) -> str:
    file = place / "items.csv"
    pl.DataFrame(columns).write_csv(file)
    return str(file)


def test_a_file_is_matched_by_what_its_cells_hold_not_by_names(tmp_path: Path) -> None:
    file = written(tmp_path, shelf=[9, 8, 7], number=[2, 1, 5], called=["Tea", "Salt", "Oil"])
    titles = titles_of(file, LOG, "product")
    assert titles.by_item == {"1": "Salt", "2": "Tea"}
    assert titles.of(["2", "3"]) == ["Tea", None]
    assert "'called' says what items are called, for 2 of 2 items" in titles.notes[0]


def test_a_column_named_so_is_preferred_to_other_texts(tmp_path: Path) -> None:
    file = written(tmp_path, product=[1, 2], brand=["X", "X"], product_title=["Salt", " Tea "])
    assert titles_of(file, LOG, "product").by_item == {"1": "Salt", "2": "Tea"}


def test_of_an_item_named_twice_the_first_counts_and_empty_titles_do_not(tmp_path: Path) -> None:
    file = written(tmp_path, product=[1, 1, 2], title=["Salt", "Pepper", " "])
    assert titles_of(file, LOG, "product").by_item == {"1": "Salt"}


def test_a_file_of_other_items_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, sku=["x", "y"], title=["Salt", "Tea"])
    with pytest.raises(DataError, match="no column of it holds the items of the log, such as"):
        titles_of(file, LOG, "product")


def test_a_file_without_words_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, product=[1, 2], price=[3.5, 4.0])
    with pytest.raises(DataError, match="says what the items are called"):
        titles_of(file, LOG, "product")


def test_a_logs_own_title_serves_where_each_item_has_one() -> None:
    named = LOG.with_columns(title=pl.Series(["Salt", "Tea", "Salt"]))
    assert titles_of(None, named, "product").by_item == {"1": "Salt", "2": "Tea"}
    torn = LOG.with_columns(title=pl.Series(["Salt", "Tea", "Oil"]))
    assert titles_of(None, torn, "product").by_item == {}
    assert titles_of(None, LOG, "product").by_item == {}
