"""The verdicts on a training: what is measured for them, and where they are said."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from treadle.api.evidence_run import MEMORY, MOST_ROWS, affordable_rows, evidence_of, weights_size
from treadle.contracts import Json, Watcher
from treadle.loop.journal import Journal

if TYPE_CHECKING:
    from treadle.api.training import Training
    from treadle.watch.evidence import Array, Column, Evidence, Probe, Seen
    from treadle.watch.verdict import Verdict

TOPIC = "verdict"
FIRST_ROWS = 256
MOST_ROUNDS = 3
"""Of trials, each of which may raise a question for the next."""


class Sight(Protocol):
    """Looks at a model of one kind, with the weights that it has now.

    held_out_rows: how many rows validation has
    same_units:    training lowers the loss that is measured on the rows, and no other
    Each is told how many rows of train, and of validation, it may look at.
    """

    held_out_rows: int
    same_units: bool

    def to_best(self) -> None:
        """Look at the best weights from here on."""
        ...

    def look(self, most_rows: int) -> Seen: ...
    def silent(self, most_rows: int) -> Mapping[str, tuple[int, int]]:
        """Return by layer (units, how many are zero for every sampled row)."""
        ...

    def constant(self, most_rows: int) -> tuple[Array | None, Array | None]:
        """Return of each validation row the loss, and how far off, of the best constant answer."""
        ...

    def other(self, most_rows: int) -> Array | None:
        """Return how far off a quick learner of another kind is, on each validation row."""
        ...

    def column(self, most_rows: int) -> Column | None:
        """Return the input that tells most of the answer alone."""
        ...


class Noticing:
    """Measures at a training's end what the verdicts go by, and says the verdicts.

    `at_first` is called before the first step, `at_last` with the last weights in the model,
    `conclude` with the best ones. What cannot be measured is left out: no training fails for it.
    """

    def __init__(self, training: Training, journal: Journal) -> None:
        self.training, self.journal = training, journal
        self._last: Seen | None = None
        self._other: Array | None = None
        self._probes: list[Probe] = []
        self._constant: tuple[Array | None, Array | None] = (None, None)
        self._rows = MOST_ROWS

    def at_first(self) -> None:
        """Look which units are silent before anything is learned; a resumed run knows it."""
        state = self.training.state
        if state.step or MEMORY in state.memory:
            return
        silent = self._measured("silent", FIRST_ROWS) or {}
        state.memory[MEMORY] = {
            "silent": {name: list(units) for name, units in silent.items()},
            "size": weights_size(state),
        }

    def at_last(self) -> None:
        """Measure the last weights; where something is suspected, try it for a stretch."""
        if self.training.state.step == 0:
            return
        self._rows = affordable_rows(self.training)
        self._last = self._with_averages("look", self._rows)
        if self._last is None:
            return
        self._constant = self._measured("constant", self._rows) or (None, None)
        self._other = self._measured("other", self._rows)
        with contextlib.suppress(Exception), self._apart():  # a user's module may fail in any way
            self._try()

    def _try(self) -> None:
        """Make the trials that are worth it, until none is left that is."""
        from treadle.api.evidence_trial import Trials, can_try
        from treadle.watch.trials import wanted_trials
        from treadle.watch.verdicts_fit import is_behind

        sight = self.training.sight
        if sight is None or not can_try(self.training):
            return
        trials = Trials(self.training, lambda: sight.look(self._rows))
        for _ in range(MOST_ROUNDS):
            now = self._evidence(last=self._last, other=self._other, probes=tuple(self._probes))
            for trial in wanted_trials(now, is_behind=is_behind(now)):
                self._probes.append(trials(trial))

    def conclude(self) -> list[Json]:
        """Return the verdicts that hold, and say them."""
        from treadle.watch.verdicts import judge
        from treadle.watch.verdicts_live import said_of

        verdicts = judge(self.evidence(), said_of(self.training.state.memory))
        for verdict in verdicts:
            say(self.journal, verdict, self.training.state.step, with_the_answer=True)
        return [verdict.as_json() for verdict in verdicts]

    def evidence(self) -> Evidence:
        """Return all that is known at the end, the best weights being in the model."""
        state, rows = self.training.state, self._rows
        if self._last is None:
            return self._evidence()
        is_last = state.best_step in (None, state.step)
        self._measured("to_best")
        return self._evidence(
            last=self._last,
            best=self._last if is_last else self._measured("look", rows),
            other=self._other,
            column=self._measured("column", rows),
            wild_rows=self._wild_rows(),
            probes=tuple(self._probes),
        )

    def _with_averages(self, what: str, *arguments: Any) -> Any:
        """Measure with the averaged weights, where validation measures them."""
        from treadle.watch.validation import averaged

        with averaged(self.training.state):
            return self._measured(what, *arguments)

    def _wild_rows(self) -> tuple[int, float]:
        """Return which rows reach far beyond the others, where the data is at hand."""
        from treadle.api.evidence_reach import wild_rows
        from treadle.data.batches import TensorSource

        source = self.training.source
        return wild_rows(source.tensors) if isinstance(source, TensorSource) else (0, 0.0)

    @staticmethod
    @contextlib.contextmanager
    def _apart() -> Iterator[None]:
        """Keep what is measured from what is trained: its logs, and the generators."""
        from treadle.api.log import logging_to
        from treadle.loop.randomness import kept_generators

        with logging_to(None), kept_generators():
            yield

    def _measured(self, what: str, *arguments: Any) -> Any:
        """Return what the sight measures; None where it cannot."""
        if self.training.sight is None:
            return None
        try:
            with self._apart():
                return getattr(self.training.sight, what)(*arguments)
        except Exception:  # a user's module, loss or data may refuse in any way what it is asked
            return None

    def _evidence(self, **measured: Any) -> Evidence:
        training = self.training
        constant, constant_missed = self._constant
        return evidence_of(training, constant=constant, constant_missed=constant_missed, **measured)


def live(training: Training, journal: Journal) -> Watcher:
    """Return the watcher that says at validations what goes wrong."""
    from treadle.watch.verdicts_live import LiveVerdicts

    return LiveVerdicts(journal, lambda _: evidence_of(training, live=True), say)


def say_diverged(journal: Journal, problem: str, step: int) -> None:
    """Say that a training was given up, which leaves no result to say it in."""
    from treadle.watch.verdict import Verdict

    verdict = Verdict(
        name="diverged",
        confidence=0.99,
        sentence=f"The training ran away and was given up: {problem}",
        action="Train again with a tenth of the learning rate, or look for wild numbers in it.",
    )
    say(journal, verdict, step)


def say(journal: Journal, verdict: Verdict, step: int, **more: Any) -> None:
    """Write a verdict into the journal."""
    journal.say(
        TOPIC,
        f"{verdict.sentence} {verdict.action}".strip(),
        step=step,
        name=verdict.name,
        confidence=verdict.confidence,
        taken=verdict.taken,
        **verdict.saw,
        **more,
    )
