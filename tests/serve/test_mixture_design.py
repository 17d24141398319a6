"""Which mixtures are looked at: balanced, each once, and exact for what few columns do together."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from treadle.serve.mixture_design import Design, design_of, every_combination, some_orders

Array = NDArray[Any]


def parts_of(design: Design, together: tuple[int, ...]) -> Array:
    """Return the parts of an answer that is 1 where all of some groups are the row's own."""
    answers = design.own[:, list(together)].all(axis=1).astype(float)
    found: Array = answers @ design.weights
    return found


@pytest.mark.parametrize("design", [every_combination(4, 3), some_orders(7, 3, 2)])
def test_mixtures_are_looked_at_once_and_parts_add_up(design: Design) -> None:
    pairs = np.column_stack([design.own, design.behind])
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    whole = design.own.all(axis=1) * 1.0 - (~design.own.any(axis=1)) * 1.0
    assert design.weights.sum(axis=1) == pytest.approx(whole / 3)
    assert np.bincount(design.behind).min() > 0


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_every_combination_shares_what_is_done_together_equally(size: int) -> None:
    for together in combinations(range(4), size):
        expected = np.isin(np.arange(4), together) / size
        assert parts_of(every_combination(4, 2), together) == pytest.approx(expected)


def test_orders_are_exact_for_pairs_and_nearer_for_more_the_more_there_are() -> None:
    few, many = some_orders(8, 4, 1), some_orders(8, 4, 40)
    for pair in combinations(range(8), 2):
        expected = np.isin(np.arange(8), pair) / 2
        assert parts_of(few, pair) == pytest.approx(expected)
    expected = np.isin(np.arange(8), (1, 4, 6)) / 3
    off = [np.abs(parts_of(design, (1, 4, 6)) - expected).max() for design in (few, many)]
    assert off[1] < 0.5 * off[0] and off[1] < 0.05


def test_few_groups_are_counted_out_and_more_are_walked_through() -> None:
    assert len(design_of(5, 2).own) == 2 * 2**5
    assert len(design_of(6, 2, 3).own) < 2 * 3 * 2 * 7
