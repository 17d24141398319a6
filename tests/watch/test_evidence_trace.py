"""The trace of all batches: windows whose figures are those of the batches, and jumps."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import nn

from treadle.contracts import Validation
from treadle.loop.state import TrainState
from treadle.watch.evidence_trace import MOST_WINDOWS, Trace, jumps_of, windows_of


def turned(losses: Sequence[float], *, taken_at: Sequence[int] = ()) -> TrainState:
    """Return a state that a trace has seen batches of these losses in, 8 rows each."""
    state = TrainState(model=nn.Linear(1, 1))
    trace = Trace(state)
    for step, loss in enumerate(losses, 1):
        state.totals.add(torch.tensor(8 * loss, dtype=torch.float64), 8.0)
        state.step = step
        trace(state)
        if step in taken_at:
            state.history.append(Validation(step=step, epoch=0, metrics={}))
            state.totals.take_mean()
    return state


@pytest.mark.parametrize("count", [5, 100, 1_000, 5_000])
def test_windows_hold_every_batch(count: int) -> None:
    losses = np.random.default_rng(0).random(count)
    found = windows_of(turned(losses.tolist()).memory)
    assert len(found.mean) <= MOST_WINDOWS
    assert found.batches.sum() == count
    assert (found.mean * found.batches).sum() / count == pytest.approx(losses.mean())
    assert found.highest.max() == pytest.approx(losses.max())
    first = int(found.batches[0])
    if first > 1:
        assert found.spread[0] == pytest.approx(losses[:first].std(ddof=1))


@pytest.mark.parametrize("taken_at", [range(1, 60), (1, 7, 30), (59,)])
def test_sums_that_a_validation_took_do_not_show(taken_at: Sequence[int]) -> None:
    losses = np.random.default_rng(1).random(60).tolist()
    assert windows_of(turned(losses, taken_at=taken_at).memory).mean.tolist() == pytest.approx(
        losses
    )


def test_sums_that_a_rollback_set_to_nothing_do_not_show() -> None:
    state = turned([1.0, 2.0, 3.0])
    state.totals.loss.zero_()
    state.totals.weight.zero_()
    state.totals.add(torch.tensor(40.0, dtype=torch.float64), 8.0)
    state.step = 4
    Trace(state)(state)
    assert windows_of(state.memory).mean.tolist() == pytest.approx([1.0, 2.0, 3.0, 5.0])


def test_a_batch_that_was_skipped_is_none() -> None:
    state = turned([1.0, 2.0])
    state.step = 3  # nothing was added to the totals
    Trace(state)(state)
    assert windows_of(state.memory).batches.sum() == 2


def test_a_jump_is_kept_with_what_was_usual_and_what_came_after() -> None:
    losses = [0.5] * 30 + [40.0] + [0.6] * 10
    found = jumps_of(turned(losses).memory)
    assert [found.step.tolist(), found.usual.tolist()] == [[31], [0.5]]
    assert [found.loss.tolist(), found.after.tolist()] == [
        pytest.approx([40]),
        pytest.approx([0.6]),
    ]


def test_a_jump_in_the_last_batch_has_none_after_it() -> None:
    found = jumps_of(turned([0.5] * 30 + [40.0]).memory)
    assert np.isnan(found.after).all() and len(found.after) == 1


def test_a_new_level_is_no_jump_for_long() -> None:
    assert len(jumps_of(turned([0.5] * 30 + [40.0] * 100).memory).step) < 15


def test_it_remembers_in_json_and_goes_on_where_it_was() -> None:
    losses = np.random.default_rng(2).random(300).tolist()
    state, whole = turned(losses[:150]), turned(losses)
    state.memory = json.loads(json.dumps(state.memory))
    trace = Trace(state)
    for loss in losses[150:]:
        state.totals.add(torch.tensor(8 * loss, dtype=torch.float64), 8.0)
        state.step += 1
        trace(state)
    assert state.memory == whole.memory
