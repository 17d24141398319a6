"""Positives that fade towards the end are told; a lasting change and chance are not."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import treadle
from treadle.data.fading import fading
from treadle.data.target import plan_target

ROWS = 6000
SECONDS = np.arange(ROWS) * 600.0


def table(rate: np.ndarray, seed: int = 0) -> pl.DataFrame:  # type: ignore[type-arg]
    positive = np.random.default_rng(seed).random(ROWS) < rate
    moments = pl.Series((SECONDS * 1e6).astype(np.int64)).cast(pl.Datetime("us"))
    return pl.DataFrame({"at": moments, "x": SECONDS % 7, "y": np.where(positive, "yes", "no")})


def told(frame: pl.DataFrame, delay: float = 0.0) -> list[str]:
    target = plan_target(frame, "y", positive="yes").encoder
    return [finding.action for finding in fading(frame, target, "at", delay)]


LATE = np.clip((SECONDS[-1] - SECONDS) / (5 * 86_400), 0, 1) * 0.2
"""answers come within five days, evenly"""


def test_answers_still_on_their_way_ask_for_a_delay_of_about_that_length() -> None:
    for seed in range(5):
        (action,) = told(table(LATE, seed))
        days = int(action.split('"')[1].split()[0])
        assert "--label-delay" in action and 2 <= days <= 7


def test_a_delay_that_was_said_ends_the_advice() -> None:
    assert told(table(LATE), delay=86_400.0) == []


@pytest.mark.parametrize("seed", range(10))
def test_an_even_rate_is_not_told(seed: int) -> None:
    assert told(table(np.full(ROWS, 0.15), seed)) == []


def test_a_rate_that_went_up_and_down_all_along_is_not_told() -> None:
    assert told(table(0.15 + 0.1 * np.sin(SECONDS / 86_400 / 3))) == []


def test_a_quick_look_at_a_table_with_a_time_tells_it() -> None:
    found = treadle.check(table(LATE), target="y", time="at", positive="yes")["findings"]
    assert "Positives fade towards the end" in [finding["title"] for finding in found]
