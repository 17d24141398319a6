"""The learning rate: looked for before the first step, or where the first steps went wrong."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from treadle.api.engine import eager_of
from treadle.api.log import logging_to
from treadle.contracts import Json
from treadle.loop.journal import Journal
from treadle.loop.until import StopCondition

if TYPE_CHECKING:
    from treadle.api.training import Training
    from treadle.loop.state import TrainState
    from treadle.study.rate_search import Found
    from treadle.study.stretches import Stretches

RateCare = Literal["searched", "watched", "known"]
RATE = "rate"
SHARES = (0.01, 0.03, 0.08)
"""How long the trainings of each round of a search are, as shares of the whole training's steps."""

PLANNED_EPOCHS, PLANNED_STEPS, MOST_PLANNED = 20, 2_000, 5_000
"""A training that may last for long is planned for so many epochs, or steps where those are more:
most stop by themselves long before what they may take. And never for more than the last: a search
takes about a third of what it plans for, which must be little beside a training of days."""

SHARE_OF_MINUTES = 0.3
"""For what share of a budget of minutes the search plans: it takes less than half of that."""

TIMED_STEPS = 5


def find_rate(training: Training, journal: Journal, until: StopCondition) -> None:
    """Look for the learning rate and set it, unless it stands already; `until` breaks that off.

    The search leaves nothing behind but its decision: weights, moments, buffers, generators and the
    place in the data are as if it had not been. The time it takes counts.
    """
    state = training.state
    if training.rate != "searched" or state.step > 0 or RATE in state.memory:
        return
    if reason := why_not(training):
        journal.say(RATE, f"{reason}, so the learning rate is {shown(_rate(state))}, as usual.")
        return
    with contextlib.suppress(_BrokenOff):
        factor = journal.decide(RATE, 0, lambda: _chosen(training, until))
        state.memory[RATE] = {"factor": factor}
        for optimizer in state.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] *= factor


def why_not(training: Training) -> str | None:
    """Return why rates cannot be tried on this training, as the beginning of a sentence."""
    if not training.state.optimizers:
        return "there is nothing that a learning rate would move"
    if getattr(training.source, "num_batches", 0) is None:
        return "the data is a stream, which could not be gone through again after a search"
    if getattr(training.source, "exact", False):
        return "the data comes from a loader that keeps its own place, which a search would move"
    return None


def _chosen(training: Training, until: StopCondition) -> tuple[float, str, Json]:
    """Return the factor to train with, a sentence, and what was seen."""
    usual, search = _rate(training.state), search_rates(training, until)
    if search is None:
        sentence = f"memory did not suffice to look for a learning rate: it is {shown(usual)}."
        return 1.0, sentence, {"rate": usual}
    if not math.isfinite(search.best):
        return 1.0, f"{search.told}; all diverged, so {shown(usual)} was taken.", search.saw
    sentence = (
        f"{search.told}; {shown(search.saw['rate'])} promises the best result, so training goes "
        "on with it."
    )
    return search.found.factor, sentence, search.saw


class Search(NamedTuple):
    """A search that came to its end; best: the factor that did best in the longest trainings."""

    found: Found
    best: float
    usual: float
    told: str
    saw: Json


class _BrokenOff(Exception):
    """The search was ended from outside; nothing is decided."""


def search_rates(
    training: Training,
    until: StopCondition,
    shares: Sequence[float] = SHARES,
    start: float = 1.0,
    decades: int = 0,
) -> Search | None:
    """Try rates, from where the state stands; None where memory does not suffice."""
    from treadle.loop.out_of_memory import is_out_of_memory
    from treadle.study.rate_search import find_rate as search
    from treadle.study.stretches import Stretches

    state, usual = training.state, _rate(training.state)
    began, step = state.seconds, eager_of(training.step)
    stretches = Stretches(state, training.source, step, _measure(training), until)

    def attempt(factor: float, steps: int) -> float:
        value = stretches(factor, steps)
        if stretches.stopped:
            raise _BrokenOff
        return value

    try:
        with logging_to(None), kept_loader(training.source):
            found = search(
                attempt,
                horizon=_planned_steps(training, attempt),
                shares=shares,
                start=start,
                decades=decades,
            )
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return None
    return _told(found, usual, stretches, state.seconds - began)


def _told(found: Found, usual: float, stretches: Stretches, seconds: float) -> Search:
    tried = [(usual * trial.factor, trial.steps, trial.value) for trial in found.trials]
    longest = [trial for trial in found.trials if trial.steps == found.trials[-1].steps]
    best = min(longest, key=lambda trial: trial.value)
    broken = [rate for rate, _, value in tried if value == math.inf]
    over = f", and from {shown(min(broken))} on it broke" if broken else ""
    told = (
        f"{len(tried)} short trainings at learning rates from {shown(min(tried)[0])} to "
        f"{shown(max(tried)[0])} were tried and undone ({stretches.steps_taken:,} steps, "
        f"{seconds:.1f} seconds){over}"
    )
    saw = {
        "rate": usual * found.factor,
        "steps": stretches.steps_taken,
        "seconds": round(seconds, 2),
        "tried": [
            [rate, steps, value if value < math.inf else None] for rate, steps, value in tried
        ],
    }
    reached = best.factor if best.value < math.inf else math.inf
    return Search(found, reached, usual, told, saw)


def _planned_steps(training: Training, attempt: Callable[[float, int], float]) -> int:
    """Return for how many steps a rate is looked for."""
    state, planned = training.state, planned_steps(training)
    minutes = training.until.max_minutes
    if math.isfinite(minutes):
        before = state.seconds
        attempt(1.0, TIMED_STEPS)
        pace = max(1e-9, state.seconds - before) / TIMED_STEPS
        planned = min(planned, SHARE_OF_MINUTES * minutes * 60 / pace)
    return max(1, int(planned))


def planned_steps(training: Training) -> float:
    """Return how many steps a training is likely to take, a budget of minutes left aside."""
    epoch = training.steps_per_epoch
    return min(
        training.until.max_steps(epoch),
        training.state.horizon or math.inf,
        MOST_PLANNED,
        max(PLANNED_STEPS, PLANNED_EPOCHS * epoch),
    )


def _measure(training: Training) -> Callable[[TrainState], float] | None:
    """Return what tells how good a short training came out, lower is better.

    Validation, where the training comes to see rows again and again: then the training loss tells
    what was learned by heart. It costs more, and is not needed, where every batch is new.
    """
    from treadle.loop.randomness import kept_generators

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
def kept_loader(source: Any) -> Iterator[None]:
    """Keep the generator that a DataLoader of the user's draws its order from."""
    generator = getattr(getattr(source, "loader", None), "generator", None)
    state = generator.get_state() if generator is not None else None
    try:
        yield
    finally:
        if generator is not None:
            generator.set_state(state)


def _rate(state: TrainState) -> float:
    """Return the first group's learning rate, what a schedule makes of it left aside."""
    from treadle.loop.step import RATE as AT_START

    group = next(iter(state.optimizers.values())).param_groups[0]
    return float(group.get(AT_START, group["lr"])) * state.scale


def shown(rate: float) -> str:
    return f"{rate:.2g}"
