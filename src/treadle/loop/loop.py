"""The training loop. All of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from treadle.loop.until import StopCondition, StopReason

if TYPE_CHECKING:
    from treadle.contracts import Source, Step, Watcher
    from treadle.loop.state import TrainState


def turn(
    state: TrainState,
    source: Source,
    step: Step,
    watchers: Sequence[Watcher] = (),
    until: StopCondition | None = None,
) -> StopReason:
    """Train until a stop condition gives a reason, and return that reason.

    Everything that changes is in `state`, so the loop can be left after any step and turned
    again later, in another process, from where it stood. What a step does (forward pass, loss,
    backward pass, update; precision, accumulation, clipping) is the step's affair; what is
    noticed, saved or shown on the way is the watchers'.
    """
    enough = until or StopCondition.never()
    if reason := enough(state):  # a finished run, resumed, has nothing left to do
        return reason
    for batch, cursor in source.batches(state.cursor):
        step(state, batch)
        state.advance(cursor)
        for watch in watchers:
            watch(state)
        if reason := enough(state):
            return reason
    return StopReason("data", "the data came to its end")
