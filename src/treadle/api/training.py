"""One training in one run folder: resumed or fresh, watched, saved, the best weights kept."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from treadle.api.engine import engine_of
from treadle.api.forecast import Forecasts
from treadle.api.log import logging_to
from treadle.api.plan import say_plan
from treadle.api.rate import RateCare, find_rate
from treadle.api.verdicts import Noticing, Sight, say_diverged
from treadle.api.watching import reaching_of, take_over, thread_count, watchers_of
from treadle.contracts import Json, Source, Step, Watcher
from treadle.errors import DataError, DivergedError, Interrupted, MemoryFullError
from treadle.folder import RunFolder
from treadle.goal import Metric
from treadle.loop.interrupt import Interruption
from treadle.loop.journal import Journal
from treadle.loop.loop import turn
from treadle.loop.until import StopCondition, StopReason

if TYPE_CHECKING:
    from treadle.loop.checkpoint import Saver
    from treadle.loop.state import TrainState
    from treadle.watch.progress import Glance
    from treadle.watch.validation import Evaluate


@dataclass(frozen=True, kw_only=True)
class Observer:
    """Who is looking on: a progress bar, plain lines, nobody."""

    glance: Callable[[Glance], None] = lambda glance: None
    line: Callable[[Json], None] = lambda line: None


@dataclass(kw_only=True)
class Training:
    """What one training is made of.

    name:           what it is called to people: "neural", "trees", …
    evaluate:       state → metrics on the validation part
    validate_every: the cadence in steps
    block_steps:    a checkpoint can be taken at multiples of this many steps
    sayings:        (topic, sentence) that the journal opens with
    free_threads:   nobody said how many threads: what is best is found out
    rate:           what is done about the learning rate: "searched" for before the first step,
                    "watched" in the first steps for being far too high, or "known" to suit
    sight:          looks at the model at the end, for the verdicts; None: the curves must do
    worth:          how much better the metric must get for going on to be worth it; None: not said
    stops_itself:   it may end where going on is not worth it
    holds_rate:     the rate is held, to run out at the end, or before patience ends training
    validation_rows: that the metric is measured on; 0 where that is not known
    rows_called:    what a row to learn from is, in words
    """

    name: str
    state: TrainState
    source: Source
    step: Step
    evaluate: Evaluate
    metric: Metric
    until: StopCondition
    steps_per_epoch: int
    validate_every: int
    keep_weights: bool = True
    block_steps: int = 1
    plateau: bool = False
    watchers: Sequence[Watcher] = field(default_factory=tuple)
    sayings: Sequence[tuple[str, str]] = field(default_factory=tuple)
    free_threads: bool = False
    rate: RateCare = "known"
    sight: Sight | None = None
    worth: float | None = None
    stops_itself: bool = False
    holds_rate: bool = False
    validation_rows: int = 0
    rows_called: str = "rows to learn from"


@dataclass(frozen=True, kw_only=True)
class Saving:
    """How often the state is saved, and how many checkpoints are kept beside the best."""

    every_seconds: float = 60.0
    keep: int = 2


@dataclass(frozen=True, kw_only=True)
class Trained:
    """How a training ended.

    engine:   what its steps ran on at the end, eager or compiled
    verdicts: what was noticed of it, as result.json has it
    forecasts: what more time would bring, as result.json has it
    """

    stopped: StopReason
    seconds: float
    samples_per_second: float
    state: TrainState
    engine: str
    verdicts: list[Json] = field(default_factory=list)
    forecasts: list[Json] = field(default_factory=list)


def train(
    training: Training,
    folder: RunFolder,
    journal: Journal,
    *,
    resume: bool = False,
    observer: Observer | None = None,
    saving: Saving | None = None,
) -> Trained:
    """Turn the loop in `folder` until it stops, and leave the best weights in the model.

    Raises: Interrupted, with a resumable run left behind; DivergedError, with the best weights in
    the model; MemoryFullError; SaveError.
    """
    from treadle.loop.checkpoint import Saver

    state, saving = training.state, saving or Saving()
    threads = thread_count(training, journal)  # looks how many threads there are before
    if resume:
        _go_on(training, folder, journal)
    else:
        journal.say("start", _begins(training))
        say_plan(training, journal, folder.path, saving)
    for topic, sentence in training.sayings:
        journal.say(topic, sentence, step=state.step)
    saver = Saver(
        folder.path / "checkpoints",
        every_seconds=saving.every_seconds,
        every_steps=training.block_steps,
        keep=saving.keep,
    )
    noticing = Noticing(training, journal)
    noticing.at_first()
    training.watchers = [*training.watchers, *take_over(training, journal), *threads]
    with Interruption() as interruption:
        find_rate(training, journal, interruption.condition)
        first_step, seconds_before = state.step, state.seconds
        forecasts = Forecasts(training, journal)
        looking = observer or Observer(), interruption, forecasts
        stopped = _turn_or_say(training, journal, saver, *looking)
        seconds = max(1e-9, state.seconds - seconds_before)
        engine, whole_seconds = engine_of(training.step), state.seconds
        saver.close(state)
    journal.say("stop", _stop_sentence(training, stopped), step=state.step, reason=stopped.kind)
    if stopped.kind == "interrupted":
        raise Interrupted(
            f"{stopped.sentence}; everything up to there is saved.",
            f"Go on with: treadle resume {_top(folder)}",
        )
    noticing.at_last()
    state.give_back_best()
    verdicts = noticing.conclude()
    steps_per_epoch = getattr(training.source, "steps_per_epoch", training.steps_per_epoch)
    rows_per_step = training.source.num_rows / steps_per_epoch
    pace = (state.step - first_step) * rows_per_step / seconds
    return Trained(
        stopped=stopped,
        seconds=whole_seconds,
        samples_per_second=pace,
        state=state,
        engine=engine,
        verdicts=verdicts,
        forecasts=forecasts.told(state),
    )


def _turn_or_say(
    training: Training,
    journal: Journal,
    saver: Saver,
    observer: Observer,
    interruption: Interruption,
    forecasts: Forecasts,
) -> StopReason:
    """Turn the loop until it stops; where an error of the training stops it, journal that."""
    state = training.state
    try:
        return _turn(training, journal, saver, observer, interruption, forecasts)
    except (DivergedError, MemoryFullError) as error:
        saver.wait()
        state.give_back_best()
        kind = "diverged" if isinstance(error, DivergedError) else "memory"
        journal.say("stop", f"training was stopped: {error.message}", step=state.step, reason=kind)
        if kind == "diverged":
            say_diverged(journal, error.message, state.step)
        raise
    except KeyboardInterrupt:  # asked a second time: nothing is waited for
        raise
    except BaseException as error:
        problem = _of_workers(training, error)
        with contextlib.suppress(RuntimeError):  # that a worker died may be raised here, too
            saver.wait()
        saver.wait()
        if problem is not None:
            raise problem from error
        raise
    finally:
        _close(training.watchers)


def _of_workers(training: Training, error: BaseException) -> DataError | None:
    """Return what an error says of a DataLoader's workers, wherever the program happened to be."""
    workers = getattr(training.source, "workers", None)
    if workers is None or not isinstance(error, RuntimeError):
        return None
    found: DataError | None = workers.problem(error)
    return found


def _turn(
    training: Training,
    journal: Journal,
    saver: Saver,
    observer: Observer,
    interruption: Interruption,
    forecasts: Forecasts,
) -> StopReason:
    """Turn the loop until it stops, and look a last time at what it came to."""
    from treadle.loop.out_of_memory import memory_errors_in_words
    from treadle.loop.slicing import Slicing

    state = training.state
    with logging_to(state), _sums_in_one_order(state), memory_errors_in_words():
        training.watchers = [*training.watchers, *forecasts.watchers]
        validator, finite, watchers = watchers_of(training, journal, saver, observer)
        source, reaching = reaching_of(training)
        until = training.until | forecasts.enough | interruption.condition
        step = Slicing(training.step, journal)
        stopped = turn(state, source, step, [*reaching, *watchers], until)
        if stopped.kind != "interrupted" and state.step > 0:
            finite.close(state)
            validator.measure(state)
            forecasts.conclude(state)
    return stopped


def _close(watchers: Sequence[Watcher]) -> None:
    for watch in watchers:
        if hasattr(watch, "close"):
            watch.close()


def _begins(training: Training) -> str:
    until = training.until.text.replace(" or ", ", or ")
    return f"training {training.name} begins: until {until}."


def _go_on(training: Training, folder: RunFolder, journal: Journal) -> None:
    """Put the state back where the newest whole checkpoint stands, or leave it at the beginning."""
    from treadle.loop import thread_count
    from treadle.loop.checkpoint import read_newest

    state = training.state
    found, broken = read_newest(folder.path / "checkpoints")
    if found is None:
        journal.replay_after(-1)
        sentence = "there is no checkpoint yet, so training starts again at the beginning."
    else:
        state.restore(*found)
        thread_count.go_on(state)
        journal.replay_after(state.step)
        sentence = f"training goes on from the checkpoint of step {state.step:,}."
    journal.say("resume", sentence, step=state.step)
    for sentence in broken:
        journal.say("broken_checkpoint", sentence, step=state.step)


def _stop_sentence(training: Training, stopped: StopReason) -> str:
    state = training.state
    sentence = f"training {training.name} stopped at step {state.step:,}: {stopped.sentence}"
    if stopped.kind == "interrupted" or state.best_step is None:
        return sentence + "."
    kept = (
        f"the weights of step {state.best_step:,}"
        if training.keep_weights
        else (f"the first {state.best_step:,} rounds")
    )
    return sentence + f"; {kept}, the best seen, were kept."


def _top(folder: RunFolder) -> object:
    """Return the run that a member belongs to: that is what a person resumes."""
    path = folder.path
    return path.parent.parent if path.parent.name == "members" else path


def _sums_in_one_order(state: TrainState) -> AbstractContextManager[None]:
    """Keep a user's own step and metrics, too, equal to the bit from run to run."""
    from treadle.capture.one_order import SumsInOneOrder

    return SumsInOneOrder(state.device)
