"""The loop: it steps, lets watchers see, and stops when a condition gives a reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from treadle.contracts import Cursor, Validation
from treadle.data.batches import TensorSource
from treadle.loop.loop import turn
from treadle.loop.state import TrainState
from treadle.loop.until import StopCondition, epochs, minutes, no_better_for, reaches, steps


def a_state() -> TrainState:
    return TrainState(model=nn.Linear(1, 1))


def a_source(num_rows: int = 10, batch_size: int = 4) -> TensorSource:
    return TensorSource({"x": torch.arange(num_rows)}, batch_size=batch_size)


def nothing(state: TrainState, batch: Any) -> None:
    pass


def test_stops_after_so_many_steps_and_says_why() -> None:
    state = a_state()
    reason = turn(state, a_source(), nothing, until=steps(5))
    assert (reason.kind, state.step, state.cursor) == ("steps", 5, Cursor(1, 8))
    assert "5 steps" in reason.sentence


def test_counts_an_epoch_when_its_last_rows_were_taken() -> None:
    state = a_state()
    reason = turn(state, a_source(), nothing, until=epochs(2))
    assert (reason.kind, state.step, state.cursor) == ("epochs", 6, Cursor(2, 0))


def test_stops_when_the_minutes_of_all_attempts_are_used_up() -> None:
    state = a_state()
    state.seconds_before = 61.0
    assert turn(state, a_source(), nothing, until=minutes(1)).kind == "minutes"
    assert state.step == 0


def test_stops_when_a_metric_is_reached() -> None:
    state = a_state()

    def measure(state: TrainState) -> None:
        metrics = {"accuracy": state.step / 10}
        state.history.append(Validation(step=state.step, epoch=0, metrics=metrics))

    reason = turn(state, a_source(), nothing, [measure], reaches("accuracy", 0.3))
    assert (reason.kind, state.step) == ("reached", 3)


def test_stops_when_validation_is_no_better() -> None:
    state = a_state()

    def measure(state: TrainState) -> None:
        state.history.append(Validation(step=state.step, epoch=0, metrics={"loss": 1.0}))
        if state.step == 2:
            state.keep_best(1.0)

    reason = turn(state, a_source(), nothing, [measure], no_better_for(3))
    assert (reason.kind, state.step) == ("no_better", 5)
    assert "step 2" in reason.sentence


def test_asks_the_condition_before_the_first_step() -> None:
    state = a_state()
    state.step = 5
    taken: list[Any] = []
    reason = turn(state, a_source(), lambda s, batch: taken.append(batch), until=steps(5))
    assert reason.kind == "steps" and taken == []


def test_ends_when_the_data_does() -> None:
    class Short:
        num_rows = 2

        def batches(self, start: Cursor) -> Iterator[tuple[Any, Cursor]]:
            yield {}, Cursor(0, 1)
            yield {}, Cursor(1, 0)

    state = a_state()
    assert turn(state, Short(), nothing).kind == "data"
    assert (state.step, state.cursor) == (2, Cursor(1, 0))


def test_watchers_see_the_state_after_the_step_in_their_order() -> None:
    seen: list[tuple[str, int, int]] = []
    first = lambda state: seen.append(("first", state.step, state.position))  # noqa: E731
    second = lambda state: seen.append(("second", state.step, state.position))  # noqa: E731
    turn(a_state(), a_source(), nothing, [first, second], steps(2))
    assert seen == [("first", 1, 4), ("second", 1, 4), ("first", 2, 8), ("second", 2, 8)]


def test_goes_on_from_where_the_state_stands() -> None:
    rows: list[int] = []
    state = a_state()
    take = lambda state, batch: rows.extend(batch["x"].tolist())  # noqa: E731
    turn(state, a_source(), take, until=steps(2))
    turn(state, a_source(), take, until=epochs(1))
    assert sorted(rows) == list(range(10))


def test_the_first_of_several_conditions_gives_the_reason() -> None:
    both = steps(3) | epochs(1) | StopCondition.never()
    assert turn(a_state(), a_source(), nothing, until=both).kind == "steps"
