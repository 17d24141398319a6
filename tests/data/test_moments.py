"""When rows came: as dates, or as text in the spelling that training read."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from treadle.data.columns import Column
from treadle.data.moments import read_moments
from treadle.data.recognise import CellFormat
from treadle.errors import DataError

WHEN = Column(name="when", kind="date", why="", dtype="date")
DAY = 86_400.0


def test_dates_and_times_are_seconds_since_1970() -> None:
    found = read_moments(pl.DataFrame({"when": [date(1970, 1, 2), None]}), WHEN)
    assert found[0] == DAY and np.isnan(found[1])
    exact = pl.Series(["1970-01-01 06:00"]).str.to_datetime()
    found = read_moments(pl.DataFrame({"when": exact}), WHEN)
    assert found.tolist() == [DAY / 4]


def test_text_is_read_as_it_was_spelled_in_training() -> None:
    day_first = WHEN.model_copy(
        update={"written": CellFormat(reads_as="date", date_pattern="%d.%m.%Y")}
    )
    rows = pl.DataFrame({"when": ["02.01.1970", "x", None]})
    found = read_moments(rows, day_first)
    assert found[0] == DAY and np.isnan(found[1:]).all()
    assert read_moments(pl.DataFrame({"when": ["1970-01-03"]}), WHEN).tolist() == [2 * DAY]


def test_numbers_and_words_are_no_dates() -> None:
    assert np.isnan(read_moments(pl.DataFrame({"when": [5, 6]}), WHEN)).all()
    assert np.isnan(read_moments(pl.DataFrame({"when": ["soon", "late"]}), WHEN)).all()


def test_a_missing_column_is_named() -> None:
    with pytest.raises(DataError, match="'when' is missing, which says when a case came"):
        read_moments(pl.DataFrame({"whne": [1]}), WHEN)
