"""What a model goes by: columns that matter stand above nothing, others do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from treadle.study.importance import FEWEST_ROWS, MOST_MEASURED, MOST_ROWS, importances, rows_for

Array = NDArray[Any]
ROWS = 600


def told(weights: list[float], groups: list[int] | None = None) -> list[Any]:
    """Return the importances of a model that adds up its columns by weight."""
    draw = np.random.default_rng(0)
    numbers = draw.normal(size=(ROWS, len(weights)))
    truth = numbers @ np.array(weights) + draw.normal(0, 0.5, ROWS)
    drawn = np.random.default_rng(1).integers(0, ROWS, (200, ROWS))

    def measure(predicted: Array) -> tuple[float, Array]:
        squares = -((predicted - truth) ** 2)
        return float(squares.mean()), squares[drawn].mean(axis=1)

    return importances(
        lambda arrays: arrays["numbers"] @ np.array(weights),
        measure,
        {"numbers": numbers, "categories": np.zeros((ROWS, 0), np.uint8)},
        {
            "numbers": np.array(groups or range(len(weights))),
            "categories": np.zeros(0, np.int64),
        },
    )


def test_a_drop_is_what_shuffling_costs_and_the_largest_stands_first() -> None:
    found = told([1.0, 0.0, 3.0])
    assert [one.group for one in found] == [2, 0, 1]
    # shuffling a column adds the square of its weight times two
    assert found[0].drop == pytest.approx(18, rel=0.15)
    assert found[0].low < 18 < found[0].high


def test_a_column_that_the_model_does_not_use_does_not_matter() -> None:
    used, unused = told([1.0, 0.0])
    assert used.surely_matters and used.matters
    assert not (unused.matters or unused.surely_matters)
    assert unused.drop == unused.low == unused.high == 0


def test_columns_of_a_group_are_shuffled_together() -> None:
    draw = np.random.default_rng(0)
    twin = draw.normal(size=ROWS)
    numbers = np.stack([twin, -twin], axis=1)
    groups = {"numbers": np.array([0, 0]), "categories": np.zeros(0, np.int64)}

    def measure(predicted: Array) -> tuple[float, Array]:
        return -float(np.abs(predicted).mean()), np.zeros(3)

    (found,) = importances(
        lambda arrays: arrays["numbers"].sum(axis=1),
        measure,
        {"numbers": numbers, "categories": np.zeros((ROWS, 0), np.uint8)},
        groups,
    )
    assert found.drop == 0  # each row's two still add up to nothing


def test_of_many_columns_those_are_measured_that_move_answers_most() -> None:
    weights = [0.0] * 60
    weights[41] = 1.0
    found = told(weights)
    assert len(found) == MOST_MEASURED and found[0].group == 41


def test_draws_that_cannot_be_measured_leave_no_surety() -> None:
    groups = {"numbers": np.array([0]), "categories": np.zeros(0, np.int64)}
    arrays: dict[str, Array] = {
        "numbers": np.zeros((ROWS, 1)),
        "categories": np.zeros((ROWS, 0), np.uint8),
    }
    (found,) = importances(
        lambda rows: rows["numbers"][:, 0], lambda _: (1.0, np.full(5, np.nan)), arrays, groups
    )
    assert not found.matters


@pytest.mark.parametrize("groups", [1, 14, 400])
def test_so_many_rows_are_looked_at_as_a_second_or_two_allow(groups: int) -> None:
    rows = rows_for(10**6, groups)
    assert FEWEST_ROWS <= rows <= MOST_ROWS
    assert rows_for(50, groups) == 50
