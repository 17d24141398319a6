"""Which watchers a training has: what is measured, noticed, shown and decided between steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from treadle.api.engine import eager_of, may_capture, schedule_of
from treadle.api.log import logging_to
from treadle.api.verdicts import live
from treadle.contracts import Source, Watcher
from treadle.errors import DivergedError
from treadle.loop.journal import Journal

if TYPE_CHECKING:
    from treadle.api.training import Observer, Training
    from treadle.loop.checkpoint import Saver
    from treadle.loop.state import TrainState
    from treadle.watch.divergence import FiniteCheck
    from treadle.watch.first_steps import FirstSteps
    from treadle.watch.validation import Validator


def watchers_of(
    training: Training, journal: Journal, saver: Saver, observer: Observer
) -> tuple[Validator, FiniteCheck, list[Watcher]]:
    """Return every watcher in the order that they see a step in, and two that are asked at the end.

    Decisions come before what is measured of them, and the saver last.
    """
    from treadle.loop.randomness import kept_generators
    from treadle.watch.divergence import FiniteCheck
    from treadle.watch.evidence_trace import Trace
    from treadle.watch.horizon import Horizon
    from treadle.watch.progress import Progress
    from treadle.watch.validation import Plateau, Validator

    def evaluate(state: TrainState) -> Mapping[str, float]:
        # measuring moves no training: neither what it logs nor what it draws
        with logging_to(None), kept_generators():
            return training.evaluate(state)

    first_steps = _first_steps(training, journal)
    validator = Validator(
        evaluate,
        training.metric,
        journal,
        every_steps=training.validate_every,
        keep_weights=training.keep_weights,
        keep_from=max((watch.look_at for watch in first_steps), default=0),
    )
    max_steps = training.until.max_steps(training.steps_per_epoch)
    max_seconds = training.until.max_minutes * 60
    finite = FiniteCheck(journal, every_steps=100, give_up=_give_up)
    # divergence first: a validation takes the mean loss that it goes by, and begins a new one
    trace = Trace(training.state)
    watchers: list[Watcher] = [trace, *_divergence(training, journal)]
    watchers += [*first_steps, validator, finite]
    if math.isfinite(max_seconds) and training.state.optimizers:
        watchers.insert(0, Horizon(journal, max_steps=max_steps, max_seconds=max_seconds))
    if training.plateau:
        watchers.append(Plateau(journal))
    watchers.append(live(training, journal))
    watchers += training.watchers
    watchers.append(
        Progress(
            observer.glance,
            name=training.name,
            metric_name=training.metric.name,
            num_rows=training.source.num_rows,
            batch_rows=training.source.num_rows / training.steps_per_epoch,
            # trees are cut off by patience long before their most rounds: no time is promised
            max_steps=max_steps if training.state.optimizers else math.inf,
            max_seconds=max_seconds,
        )
    )
    # the saver last: it keeps what the others remember
    return validator, finite, [*watchers, saver]


def reaching_of(training: Training) -> tuple[Source, list[Watcher]]:
    """Return the source, and what looks how far each of its batches reaches.

    Data in memory is looked at once, at the end; on a GPU each look would wait.
    """
    from treadle.data.batches import TensorSource, WholeSource
    from treadle.watch.reach import Reaching

    source = training.source
    if isinstance(source, (TensorSource, WholeSource)) or training.state.device.type != "cpu":
        return source, []
    reaching = Reaching(source)
    return reaching, [reaching]


def take_over(training: Training, journal: Journal) -> list[Watcher]:
    """Return what watches over the engine of a step that may be captured."""
    if not may_capture(training.step):
        return []
    from treadle.loop.takeover import TakeOver

    return [
        TakeOver(
            training.step,  # type: ignore[arg-type]
            journal,
            max_steps=training.until.max_steps(training.steps_per_epoch),
            max_seconds=training.until.max_minutes * 60,
        )
    ]


def thread_count(training: Training, journal: Journal) -> list[Watcher]:
    """Return what finds out by how many threads a step is best turned."""
    if not training.free_threads or training.state.device.type != "cpu":
        return []
    if most := getattr(training.step, "most_threads", 0):
        from treadle.loop.round_threads import RoundThreads

        return [RoundThreads(journal, threads=most)] if most > 1 else []
    from treadle.loop.thread_count import ThreadCount

    return [
        ThreadCount(journal, max_steps=training.until.max_steps(training.steps_per_epoch)),
    ]


def _divergence(training: Training, journal: Journal) -> list[Watcher]:
    """Return what rolls a network back where it diverges; trees only grow, and cannot."""
    from treadle.api.module_loss import OwnStep
    from treadle.watch.divergence import Divergence

    state = training.state
    if not hasattr(state.model, "parameters"):
        return []
    watch = Divergence(
        journal,
        give_up=_give_up,
        checks_weights=isinstance(training.step, OwnStep) and state.device.type == "cpu",
    )
    watch.begin(state)
    return [watch]


def _first_steps(training: Training, journal: Journal) -> list[FirstSteps]:
    """Return what notices a rate that is far off, where nobody looked for one."""
    from treadle.api.rate import planned_steps, why_not
    from treadle.api.rate_given import better_rate, first_steps_again
    from treadle.loop.step import EagerStep
    from treadle.watch.evidence_trace import windows_of
    from treadle.watch.first_steps import FirstSteps

    is_ours = isinstance(eager_of(training.step), EagerStep)
    if training.rate != "watched" or not is_ours or why_not(training):
        return []
    return [
        FirstSteps(
            journal,
            losses=lambda state: windows_of(state.memory).mean.tolist(),
            again=first_steps_again(training),
            ask=better_rate(training),
            planned=planned_steps(training),
            max_steps=training.until.max_steps(training.steps_per_epoch),
            warmup=_warmup(training),
            # taken again they may last for longer than the minutes that are left
            compares=math.isinf(training.until.max_minutes),
        )
    ]


def _warmup(training: Training) -> int:
    """Return after how many steps the schedule has the rate as high as it gets, early on."""
    schedule, horizon = schedule_of(training.step), training.state.horizon
    if schedule is None or horizon < 1:
        return 0
    factors = [schedule(step, horizon, 1.0) for step in range(min(horizon, 2_000))]
    high = 0.9 * max(factors)
    return next(n for n, factor in enumerate(factors) if factor >= high)


def _give_up(sentence: str) -> None:
    raise DivergedError(
        sentence,
        "Look for infinite or missing numbers in the data, or try a smaller learning rate (--lr).",
    )
