"""By when there are enough: from what the user says, or from the data's own time."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from treadle.api.collecting.inflow import inflow_of, share_of, when
from treadle.errors import OptionError

TODAY = date(2026, 3, 1)
DAY = 86_400.0


def test_what_the_user_says_counts() -> None:
    inflow = inflow_of("70 a week", np.arange(10) * DAY, "row")
    assert when(100, inflow, TODAY) == (
        "At 70 a week, as you say, that takes about 10 days: by 11 March 2026."
    )


def test_else_it_is_the_pace_of_the_last_quarter_of_the_time() -> None:
    slow, fast = np.arange(0, 75, 1.0), np.arange(75, 100.01, 0.1)
    inflow = inflow_of(None, np.concatenate([slow, fast]) * DAY, "row")
    assert inflow is not None and 9.5 < inflow.a_day < 10.5
    assert "the last 4 weeks of the data (about 10 rows a day)" in inflow.words


def test_without_either_it_is_asked_for() -> None:
    assert inflow_of(None, None, "row") is None
    assert inflow_of(None, np.full(9, 5.0), "row") is None
    assert when(100, None, TODAY) == (
        "By when is open: please say how many you can collect in a week."
    )


def test_a_part_comes_as_often_as_its_share_of_all_rows() -> None:
    inflow = share_of(inflow_of("100 a day", None, "row"), 0.05)
    assert when(50, inflow, TODAY) == (
        "At 100 a day, as you say, of which about 5 of 100 are such, that takes about 10 days: "
        "by 11 March 2026."
    )


def test_what_would_take_decades_is_no_date() -> None:
    assert "more than 20 years" in when(10**6, inflow_of("1 a month", None, "row"), TODAY)


def test_what_is_no_rate_is_refused() -> None:
    with pytest.raises(OptionError, match="--inflow 'many' was not understood"):
        inflow_of("many", None, "row")
