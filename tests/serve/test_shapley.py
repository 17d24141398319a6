"""Parts of an answer: exact where they can be counted out, near that elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from treadle.serve import shapley
from treadle.serve.shapley import MOST_PLAYERS, Arrays, AtOnce, Explainer, Part, ranked

Array = NDArray[Any]
Function = Callable[[Array], Array]


def counted_out(function: Function, row: Array, background: Array) -> Array:
    """Return the Shapley values of a row by their definition, over all combinations."""
    count = len(row)
    value = {}
    for size in range(count + 1):
        for own in combinations(range(count), size):
            mask = np.isin(np.arange(count), own)
            value[own] = function(np.where(mask, row, background)).mean()
    found = np.zeros(count)
    for column in range(count):
        for own, without in value.items():
            if column not in own:
                weight = 1 / (count * math.comb(count - 1, len(own)))
                found[column] += weight * (value[tuple(sorted((*own, column)))] - without)
    return found


def explained(function: Function, rows: Array, background: Array) -> Array:
    count = rows.shape[1]

    def arrays(numbers: Array) -> dict[str, Array]:
        nothing = np.zeros((len(numbers), 0), np.uint8)
        return {"numbers": numbers.astype(np.float32), "categories": nothing}

    explainer = Explainer(
        [Part(value=lambda mixtures: function(mixtures["numbers"].astype(np.float64))[:, None])],
        arrays(background),
        {"numbers": np.arange(count), "categories": np.zeros(0, np.int64)},
    )
    return explainer.parts(arrays(rows), np.zeros(len(rows), np.int64))


def curved(num_columns: int) -> Function:
    """Return a function in which every column acts with every other."""
    draw = np.random.default_rng(num_columns)
    alone, together = draw.normal(size=num_columns), draw.normal(size=(num_columns, num_columns))

    def function(rows: Array) -> Array:
        score = rows @ alone + 0.3 * np.einsum("ni,ij,nj->n", rows, together, rows)
        chances: Array = 1 / (1 + np.exp(-score))
        return chances

    return function


def drawn(rows: int, columns: int, seed: int) -> Array:
    found: Array = np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)
    return found


@pytest.mark.parametrize("columns", [1, 2, 3, 5])
def test_up_to_five_columns_are_counted_out(columns: int) -> None:
    function, rows, background = curved(columns), drawn(4, columns, 1), drawn(6, columns, 2)
    expected = [counted_out(function, row, background) for row in rows]
    assert explained(function, rows, background) == pytest.approx(np.array(expected), abs=1e-12)


def test_six_columns_are_near_what_counting_gives() -> None:
    function, rows, background = curved(6), drawn(20, 6, 1), drawn(16, 6, 2)
    expected = np.array([counted_out(function, row, background) for row in rows])
    found = explained(function, rows, background)
    assert np.abs(found - expected).max() < 0.15 * np.abs(expected).max()


def test_parts_are_exact_where_columns_act_by_themselves_or_in_pairs() -> None:
    def function(rows: Array) -> Array:
        total: Array = rows[:, 0] * rows[:, 1] + 3 * rows[:, 2] - rows[:, 3] ** 2 + rows[:, 4]
        total += rows[:, 5] * rows[:, 6]
        return total

    rows, background = drawn(3, 7, 1), drawn(5, 7, 2)
    expected = [counted_out(function, row, background) for row in rows]
    assert explained(function, rows, background) == pytest.approx(np.array(expected), abs=1e-5)


@pytest.mark.parametrize("columns", [4, 9])
def test_parts_add_up_to_the_answer_less_the_mean_of_the_background(columns: int) -> None:
    function, rows, background = curved(columns), drawn(5, columns, 1), drawn(8, columns, 2)
    expected = function(rows) - function(background).mean()
    assert explained(function, rows, background).sum(axis=1) == pytest.approx(expected, abs=1e-9)


def test_of_many_columns_those_that_act_are_found() -> None:
    columns = 40
    acting = np.array([3, 17, 29])

    def function(rows: Array) -> Array:
        total: Array = rows[:, acting].sum(axis=1)
        return total

    rows, background = drawn(5, columns, 1), drawn(16, columns, 2)
    expected = np.zeros((5, columns))
    expected[:, acting] = rows[:, acting] - background[:, acting].mean(axis=0)
    found = explained(function, rows, background)
    assert found == pytest.approx(expected, abs=1e-5)
    assert (np.count_nonzero(found, axis=1) <= MOST_PLAYERS).all()


def test_a_row_gets_the_same_parts_whatever_stands_beside_it() -> None:
    function, rows, background = curved(12), drawn(30, 12, 1), drawn(8, 12, 2)
    together = explained(function, rows, background)
    alone = explained(function, rows[7:8], background)[0]
    assert alone == pytest.approx(together[7], abs=1e-12)
    turned = explained(function, rows[::-1], background)[::-1]
    assert turned == pytest.approx(together, abs=1e-12)


def test_equal_mixtures_are_asked_for_once() -> None:
    asked = []

    def function(rows: Array) -> Array:
        asked.append(rows)
        total: Array = rows.sum(axis=1)
        return total

    rows = np.repeat(drawn(1, 3, 1), 50, axis=0)
    explained(function, rows, np.zeros((1, 3), np.float32))
    assert len(asked[0]) == 2**3


def test_missing_cells_are_equal_and_differ_from_any_number() -> None:
    def function(rows: Array) -> Array:
        return np.where(np.isnan(rows[:, 0]), 1.0, 0.0)

    rows = np.array([[np.nan, 0.0], [0.0, np.nan], [np.nan, np.nan]], np.float32)
    found = explained(function, rows, np.array([[5.0, 5.0]], np.float32))
    assert found.tolist() == [[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]
    same = explained(function, rows, np.array([[np.nan, 5.0]], np.float32))
    assert same.tolist() == [[0.0, 0.0], [-1.0, 0.0], [0.0, 0.0]]


def test_columns_of_one_group_move_together() -> None:
    def function(mixtures: dict[str, Array]) -> Array:
        numbers, categories = mixtures["numbers"], mixtures["categories"]
        return (numbers[:, 0] * categories[:, 0] + numbers[:, 1]).astype(np.float64)[:, None]

    explainer = Explainer(
        [Part(value=function)],
        {"numbers": np.zeros((1, 2), np.float32), "categories": np.zeros((1, 1), np.uint8)},
        {"numbers": np.array([0, 1]), "categories": np.array([0])},
    )
    rows: dict[str, Array] = {
        "numbers": np.array([[2, 5]], np.float32),
        "categories": np.array([[3]], np.uint8),
    }
    assert explainer.parts(rows, np.zeros(1, np.int64)).tolist() == [[6.0, 5.0]]


def test_each_row_is_explained_for_the_answer_that_it_asks_for() -> None:
    explainer = Explainer(
        [Part(value=lambda rows: np.concatenate([rows["numbers"], -rows["numbers"]], axis=1))],
        {"numbers": np.zeros((1, 1), np.float32), "categories": np.zeros((1, 0), np.uint8)},
        {"numbers": np.array([0]), "categories": np.zeros(0, np.int64)},
    )
    rows: dict[str, Array] = {
        "numbers": np.full((2, 1), 4, np.float32),
        "categories": np.zeros((2, 0), np.uint8),
    }
    assert explainer.parts(rows, np.array([0, 1])).tolist() == [[4.0], [-4.0]]


def test_columns_that_were_not_shown_to_help_stand_behind_unless_they_are_strong() -> None:
    parts = np.array([[0.1, -0.9, 0.3, 0.0], [0.1, -0.9, 0.5, 0.0]])
    shown = np.array([True, True, False, True])
    assert ranked(parts, shown).tolist() == [[1, 0, 2, 3], [1, 2, 0, 3]]
    assert ranked(parts).tolist() == [[1, 2, 0, 3], [1, 2, 0, 3]]


def test_of_many_columns_those_that_were_shown_to_help_are_looked_at_closely() -> None:
    columns = 20
    weights = np.ones(columns)
    weights[[4, 9]] = 0.01
    rows = np.ones((1, columns), np.float32)
    nothing = np.zeros((1, 0), np.uint8)
    explainer = Explainer(
        [Part(value=lambda mixtures: (mixtures["numbers"] @ weights)[:, None])],
        {"numbers": np.zeros((2, columns), np.float32), "categories": np.zeros((2, 0), np.uint8)},
        {"numbers": np.arange(columns), "categories": np.zeros(0, np.int64)},
        np.isin(np.arange(columns), (4, 9)),
    )
    weights[:4] = weights[10:] = 0.015
    (parts,) = explainer.parts({"numbers": rows, "categories": nothing}, np.zeros(1, np.int64))
    assert parts[[4, 9]] == pytest.approx([0.01, 0.01])


def products(arrays: Arrays) -> Array:
    """Return an answer in which columns act together, float64 [M, 2]."""
    numbers = arrays["numbers"].astype(np.float64)
    made = numbers[:, 0] * numbers[:, 1] * numbers[:, 2] + numbers.sum(axis=1)
    return np.column_stack([made, -made])


def at_once(background: Arrays, asked: list[int]) -> AtOnce:
    """Return `products` of all mixtures, in a loop; notes how many it is asked for."""

    def answers(rows: Arrays, own: Array, behind: Array) -> Array:
        asked.append(own.shape[0])
        mixed = np.where(own[None], rows["numbers"][:, None], background["numbers"][behind][None])
        flat = mixed.reshape(-1, mixed.shape[-1])
        return products({"numbers": flat}).reshape(*mixed.shape[:2], 2)

    return answers


@pytest.mark.parametrize("columns", [4, 7])
def test_what_is_known_at_once_gives_the_parts_that_asking_gives(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shapley, "WALKS_AT_ONCE", 1)
    nothing = np.zeros((5, 0), np.uint8)
    background = {"numbers": drawn(5, columns, 2), "categories": nothing}
    rows = {"numbers": drawn(9, columns, 1), "categories": np.zeros((9, 0), np.uint8)}
    groups = {"numbers": np.arange(columns), "categories": np.zeros(0, np.int64)}
    said, counted = np.arange(9) % 2, list[int]()
    slow, fast = Part(value=products), Part(value=refuse, at_once=at_once(background, counted))
    both = [Part(value=lambda rows: 0.3 * products(rows)), fast]
    given = [Explainer(parts, background, groups, finish=np.tanh) for parts in ([slow], [fast])]
    expected, found = (explainer.parts(rows, said) for explainer in given)
    assert found == pytest.approx(expected, abs=1e-12) and counted
    whole = Explainer([Part(value=lambda rows: 1.3 * products(rows))], background, groups)
    assert Explainer(both, background, groups).parts(rows, said) == pytest.approx(
        whole.parts(rows, said), abs=1e-12
    )


def refuse(mixtures: Arrays) -> Array:
    raise AssertionError("asked for mixtures one by one")


def test_a_row_that_comes_again_is_looked_at_once() -> None:
    asked: list[int] = []

    def function(rows: Array) -> Array:
        asked.append(len(rows))
        total: Array = rows.prod(axis=1)
        return total

    rows = drawn(4, 6, 1)
    alone = explained(function, rows, drawn(3, 6, 2))
    again = explained(function, np.tile(rows, (5, 1)), drawn(3, 6, 2))
    assert again == pytest.approx(np.tile(alone, (5, 1)), abs=1e-15)
    assert asked[0] == asked[1]
