"""How far the numbers of a batch reach, beside those of the batches before it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from treadle.contracts import Cursor
from treadle.loop.state import TrainState
from treadle.watch.reach import MEMORY, MOST_NOTED, Reaching, reach_of, wild_of


class Given:
    """A source of the batches that a test names, endlessly."""

    num_rows = 8

    def __init__(self, *batches: Any) -> None:
        self.given = batches

    def batches(self, start: Cursor) -> Iterator[tuple[Any, Cursor]]:
        for number, batch in enumerate(self.given, 1):
            yield batch, Cursor(0, number)


def x(reach: float = 1.0) -> torch.Tensor:
    return torch.tensor([[0.5, -reach], [0.2, 0.1]])


def looked_at(*batches: Any, memory: Any = None) -> TrainState:
    state = TrainState(model=nn.Linear(1, 1), memory=copy.deepcopy(memory or {}))
    reaching = Reaching(Given(*batches))
    for _ in reaching.batches(Cursor(0, 0)):
        state.step += 1
        reaching(state)
    return state


def test_batches_go_by_as_they_are() -> None:
    given = [(x(), torch.tensor([0, 1])), {"a": x(2.0)}]
    passed = list(Reaching(Given(*given)).batches(Cursor(0, 0)))
    assert [batch is other for (batch, _), other in zip(passed, given, strict=True)] == [True] * 2
    assert [cursor.position for _, cursor in passed] == [1, 2]


@pytest.mark.parametrize("form", ["tuple", "dict", "nested", "targets"])
def test_a_batch_a_thousand_times_as_large_is_noted_with_its_step(form: str) -> None:
    def batch(reach: float) -> Any:
        whole = torch.tensor([0, 1])
        forms = {
            "tuple": (x(reach), whole),
            "dict": {"x": x(reach), "y": whole},
            "nested": ([x(reach), {"more": x()}], whole),
            "targets": (x(), x(reach)),
        }
        return forms[form]

    state = looked_at(*[batch(1.0)] * 8, batch(1_000.0), *[batch(1.0)] * 3)
    assert wild_of(state.memory).tolist() == [[9.0, 1_000.0]]


def test_what_is_usual_for_heavy_tails_is_not_wild() -> None:
    draw = np.random.default_rng(0)
    tails = [torch.from_numpy(draw.standard_t(3, (64, 4))).float() for _ in range(400)]
    assert len(wild_of(looked_at(*tails).memory)) == 0


def test_numbers_that_are_none_are_wild() -> None:
    state = looked_at(*[x()] * 8, x(float("nan")), x(float("inf")), x())
    assert wild_of(state.memory)[:, 0].tolist() == [9.0, 10.0]
    assert np.isfinite(wild_of(state.memory)).all()


def test_nothing_is_wild_before_anything_is_usual() -> None:
    assert len(wild_of(looked_at(x(1_000.0), x(), x()).memory)) == 0


def test_a_resumed_run_notes_the_same() -> None:
    batches = [x(1.0 + n % 3) for n in range(30)]
    batches[20] = x(5_000.0)
    whole = looked_at(*batches)
    first = looked_at(*batches[:12])
    again = TrainState(model=nn.Linear(1, 1), memory=copy.deepcopy(first.memory), step=12)
    reaching = Reaching(Given(*batches[12:]))
    for _ in reaching.batches(Cursor(0, 12)):
        again.step += 1
        reaching(again)
    assert again.memory[MEMORY] == whole.memory[MEMORY]


def test_of_many_wild_batches_the_first_are_noted() -> None:
    state = looked_at(*[x()] * 8, *[x(1e6)] * 200)
    assert len(wild_of(state.memory)) == MOST_NOTED


def test_a_tensor_reaches_as_far_as_its_number_farthest_from_zero() -> None:
    assert reach_of(torch.tensor([1.0, -3.0])) == 3.0
    assert reach_of(torch.tensor([float("-inf"), 1.0])) == float("inf")
