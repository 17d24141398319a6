"""A learning rate that the user gave: whether its first steps speak for another, and for which."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from treadle.api.engine import eager_of
from treadle.api.log import logging_to
from treadle.api.rate import Search, kept_loader, search_rates, shown
from treadle.contracts import Json
from treadle.loop.until import StopCondition

if TYPE_CHECKING:
    from treadle.api.training import Training
    from treadle.loop.state import TrainState

DECADES = 3
"""How many powers of ten below the rate are tried before the way down is followed."""

SHARES_AT_FIRST, SHARES_THEN = (0.03,), (0.08,)
"""How long the trainings are, as shares of what is planned, that tell whether a rate is too high;
and those that find a better one."""

FAR_BELOW = 0.35
"""What part of the rate must do best in a short training for the rate to be too high: short ones
like high rates better than long ones do."""

FAR_ABOVE = 30.0
"""What multiple of the rate must do best in a short training for the rate to be too low."""


def first_steps_again(training: Training) -> Callable[[TrainState, float], float]:
    """Return what takes the first steps once more at another rate, and undoes them.

    Where memory does not suffice for that, they came to nothing.
    """
    from treadle.loop.out_of_memory import is_out_of_memory
    from treadle.study.stretches import Stretches
    from treadle.watch.first_steps import AT_THE_END

    def again(state: TrainState, factor: float) -> float:
        steps = state.step
        try:
            with _from_first_weights(state), logging_to(None), kept_loader(training.source):
                state.step = state.epoch = state.position = 0
                step = eager_of(training.step)
                stretch = Stretches(state, training.source, step, counted=AT_THE_END)
                return stretch(factor, steps, as_planned=True)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            return math.inf

    return again


def better_rate(training: Training) -> Callable[[TrainState, str], tuple[float, str, Json]]:
    """Return what tells by which factor a training's rate should be another; 1: it is right.

    A signal waits for it: broken off, it would have to be decided at another step.
    """
    until = StopCondition.never()

    def ask(state: TrainState, seen: str) -> tuple[float, str, Json]:
        with _from_first_weights(state):
            search = search_rates(training, until, SHARES_AT_FIRST, decades=DECADES)
            if search is not None and search.best <= FAR_BELOW:
                search = search_rates(training, until, SHARES_THEN, start=search.best)
        return _answer(seen, search)

    return ask


@contextlib.contextmanager
def _from_first_weights(state: TrainState) -> Iterator[None]:
    """Let the state stand at the weights that training began with for a while. The time counts."""
    now = state.snapshot()
    state.roll_back()
    try:
        yield
    finally:
        seconds = state.seconds
        state.restore(*now)
        state.seconds_before = seconds


def _answer(seen: str, search: Search | None) -> tuple[float, str, Json]:
    """Return what short trainings say of a rate that was given."""
    if search is None:
        return 1.0, f"{seen}; whether the rate is right could not be found out.", {}
    rate, factor = search.usual, search.found.factor
    told = f"{search.told}; those at {shown(rate * search.best)} did best"
    if search.best <= FAR_BELOW:
        sentence = (
            f"{seen}: the learning rate of {shown(rate)} is too high. {told}. So training began "
            f"anew from its first weights, at a rate of {shown(rate * factor)}."
        )
        return factor, sentence, search.saw
    if FAR_ABOVE <= search.best < math.inf:
        sentence = (
            f"{seen}: the learning rate of {shown(rate)} is very low. {told}. It stays what you "
            f'said; one of about {shown(rate * factor)}, or lr="auto", would learn faster.'
        )
        return factor, sentence, search.saw
    return (
        1.0,
        f"{seen}, but short trainings at other learning rates did not do better.",
        search.saw,
    )
