"""The quick learner of another kind, and each input alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from treadle.api.evidence_other import Rows, as_inputs, kernel_ridge, telling_column

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(600, 6))


def rows(y: Any, x: Any = X) -> tuple[Rows, Rows]:
    inputs = [torch.from_numpy(np.asarray(x, dtype=np.float64))]
    return Rows.both(inputs, torch.from_numpy(np.asarray(y)), 400)


def test_what_no_line_can_learn_is_learned_by_it() -> None:
    found = kernel_ridge(*rows((X[:, 0] * X[:, 1] > 0).astype(np.int64), X[:, :2]))
    assert found.mean() < 0.12 and set(found) <= {0.0, 1.0}


def test_a_number_is_told_to_a_part_of_its_spread() -> None:
    y = np.sin(X[:, 0]) + X[:, 1]
    assert kernel_ridge(*rows(y, X[:, :2])).mean() < 0.1 * y.var()


def test_what_nothing_tells_of_is_not_told() -> None:
    found = kernel_ridge(*rows(DRAW.integers(0, 2, 600)))
    assert 0.4 < found.mean() < 0.6


@pytest.mark.parametrize("kind", ["two", "ten", "number"])
def test_an_input_that_gives_the_answer_away_is_found(kind: str) -> None:
    y = (
        DRAW.normal(size=600)
        if kind == "number"
        else DRAW.integers(0, 2 if kind == "two" else 10, 600)
    )
    x = np.concatenate([X, (3.0 * y + 7 + DRAW.normal(0, 0.01, 600))[:, None]], axis=1)
    train, held_out = rows(y, x)
    column = telling_column(train.with_rows(held_out))
    assert column is not None and column.name == "number 7"
    assert column.right > 0.95 and column.next < 0.2


def test_copies_of_the_telling_input_are_not_its_rivals() -> None:
    y = DRAW.integers(0, 2, 600)
    x = np.concatenate([X, y[:, None], 2.0 * y[:, None] - 1], axis=1)
    train, held_out = rows(y, x)
    column = telling_column(train.with_rows(held_out))
    assert column is not None and column.right > 0.95 and column.next < 0.2


def test_a_common_answer_is_not_counted_for_the_input() -> None:
    """Where 97 of 100 answers are the same, right in 97 of 100 is nothing."""
    y = (DRAW.random(600) < 0.03).astype(np.int64)
    train, held_out = rows(y)
    column = telling_column(train.with_rows(held_out))
    assert column is None or column.right < 0.3


def test_words_become_an_input_each_and_too_many_none() -> None:
    words = torch.tensor([[0, 2], [1, 1]])
    (found,) = as_inputs([words]) or [None]
    assert found is not None and found.tolist() == [[1, 0, 0, 0, 0, 1], [0, 1, 0, 0, 1, 0]]
    assert as_inputs([torch.arange(1_000)]) is None
    assert as_inputs([torch.randn(3, 5_000)]) is None
    assert as_inputs([torch.tensor([-1, 2])]) is None
