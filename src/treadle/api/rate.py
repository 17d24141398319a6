"""The learning rate of a training that was given none: looked for before its first step."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from treadle.api.log import logging_to
from treadle.contracts import Json
from treadle.loop.journal import Journal
from treadle.loop.until import StopCondition

if TYPE_CHECKING:
    from treadle.api.training import Training
    from treadle.loop.state import TrainState
    from treadle.study.rate_search import Found
    from treadle.study.stretches import Stretches

RATE = "rate"
PLANNED_EPOCHS, PLANNED_STEPS = 20, 2_000
"""A training that may last for long is planned for so many epochs, or steps where those are more:
most stop by themselves long before what they may take."""

SHARE_OF_MINUTES = 0.3
"""For what share of a budget of minutes the search plans: it takes less than half of that."""

TIMED_STEPS = 5


def find_rate(training: Training, journal: Journal, until: StopCondition) -> None:
    """Look for the learning rate and set it, unless it stands already; `until` breaks that off.

    The search leaves nothing behind but its decision: weights, moments, buffers, generators and the
    place in the data are as if it had not been. The time it takes counts.
    """
    state = training.state
    if not training.finds_rate or state.step > 0 or RATE in state.memory:
        return
    reason = _why_not(training)
    if reason is not None:
        journal.say(RATE, f"{reason}, so the learning rate is {_shown(_rate(state))}, as usual.")
        return
    with contextlib.suppress(_BrokenOff):
        factor = journal.decide(RATE, 0, lambda: _searched(training, until))
        state.memory[RATE] = {"factor": factor}
        _multiply_rates(state, factor)


def _why_not(training: Training) -> str | None:
    if not training.state.optimizers:
        return "there is nothing that a learning rate would move"
    if getattr(training.source, "num_batches", 0) is None:
        return "the data is a stream, which could not be gone through again after a search"
    if getattr(training.source, "exact", False):
        return "the data comes from a loader that keeps its own place, which a search would move"
    return None


def _searched(training: Training, until: StopCondition) -> tuple[float, str, Json]:
    """Return the factor on the rate, a sentence, and what was seen."""
    from treadle.loop.out_of_memory import TooLarge, is_out_of_memory
    from treadle.study.rate_search import find_rate as search
    from treadle.study.stretches import Stretches

    state = training.state
    began, base = state.seconds, _rate(state)
    step: Any = training.step
    stretches = Stretches(
        state, training.source, getattr(step, "eager", step), _measure(training), until
    )
    try:
        with logging_to(None), _kept_loader(training.source):
            planned = _planned_steps(training, stretches)
            found = search(_until_broken_off(stretches), horizon=planned)
    except (TooLarge, MemoryError, RuntimeError) as error:
        if not isinstance(error, TooLarge) and not is_out_of_memory(error):
            raise
        sentence = f"memory did not suffice to look for a learning rate: it is {_shown(base)}."
        return 1.0, sentence, {"rate": base}
    return _decision(found, base, stretches.steps_taken, state.seconds - began)


def _decision(found: Found, base: float, steps: int, seconds: float) -> tuple[float, str, Json]:
    rate = base * found.factor
    rates = sorted({base * trial.factor for trial in found.trials})
    broken = [base * trial.factor for trial in found.trials if trial.value == math.inf]
    saw = {
        "rate": rate,
        "steps": steps,
        "seconds": round(seconds, 2),
        "tried": [
            [base * trial.factor, trial.steps, _or_none(trial.value)] for trial in found.trials
        ],
    }
    tried = (
        f"{len(found.trials)} short trainings at learning rates from {_shown(rates[0])} to "
        f"{_shown(rates[-1])}"
    )
    if len(broken) == len(found.trials):
        sentence = f"{tried} all left the finite numbers, so the usual {_shown(base)} was taken."
        return 1.0, sentence, saw
    over = f", and from {_shown(min(broken))} on it broke" if broken else ""
    sentence = (
        f"{tried} were tried and undone ({steps:,} steps, {seconds:.1f} seconds){over}: "
        f"{_shown(rate)} promises the best result, so training goes on with it."
    )
    return found.factor, sentence, saw


def _until_broken_off(stretches: Stretches) -> Callable[[float, int], float]:
    """Return the stretches, raising where a signal or a budget of time ended one."""

    def attempt(factor: float, steps: int) -> float:
        value = stretches(factor, steps)
        if stretches.stopped:
            raise _BrokenOff
        return value

    return attempt


class _BrokenOff(Exception):
    """The search was ended from outside; nothing is decided."""


def _planned_steps(training: Training, stretches: Stretches) -> int:
    """Return for how many steps a rate is looked for."""
    state, epoch = training.state, training.steps_per_epoch
    planned = min(
        training.until.max_steps(epoch),
        state.horizon or math.inf,
        max(PLANNED_STEPS, PLANNED_EPOCHS * epoch),
    )
    minutes = training.until.max_minutes
    if math.isfinite(minutes):
        before = state.seconds
        _until_broken_off(stretches)(1.0, TIMED_STEPS)
        pace = max(1e-9, state.seconds - before) / TIMED_STEPS
        planned = min(planned, SHARE_OF_MINUTES * minutes * 60 / pace)
    return max(1, int(planned))


def _measure(training: Training) -> Callable[[TrainState], float] | None:
    """Return what tells how good a short training came out, lower is better.

    Validation, where the training comes to see rows again and again: then the training loss tells
    what was learned by heart. It costs more, and is not needed, where every batch is new.
    """
    from treadle.loop.randomness import kept_generators
    from treadle.study.rate_search import SHARES

    epoch, name = training.steps_per_epoch, training.metric.name
    longest = SHARES[-1] * min(training.until.max_steps(epoch), PLANNED_EPOCHS * epoch)
    if longest < epoch or name == "train_loss":
        return None
    sign = -1.0 if training.metric.higher_is_better else 1.0

    def measure(state: TrainState) -> float:
        with kept_generators():
            return sign * training.evaluate(state)[name]

    return measure


@contextlib.contextmanager
def _kept_loader(source: Any) -> Iterator[None]:
    """Keep the generator that a DataLoader of the user's draws its order from."""
    generator = getattr(getattr(source, "loader", None), "generator", None)
    state = generator.get_state() if generator is not None else None
    try:
        yield
    finally:
        if generator is not None:
            generator.set_state(state)


def _rate(state: TrainState) -> float:
    optimizer = next(iter(state.optimizers.values()))
    return float(optimizer.param_groups[0]["lr"])


def _multiply_rates(state: TrainState, factor: float) -> None:
    for optimizer in state.optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] *= factor


def _shown(rate: float) -> str:
    return f"{rate:.2g}"


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
