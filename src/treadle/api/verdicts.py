"""The verdicts on a training: what is measured for them, and where they are said."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from treadle.contracts import Json, Watcher
from treadle.loop.journal import Journal

if TYPE_CHECKING:
    from treadle.api.training import Training
    from treadle.loop.state import TrainState
    from treadle.watch.evidence import Array, Column, Evidence, Probe, Seen
    from treadle.watch.verdict import Verdict

TOPIC = "verdict"
MEMORY = "verdicts"
MOST_ROWS = 1_024
"""Rows of train and of validation that are looked at: enough for a share to ± 1.5 of 100."""

FIRST_ROWS, LEAST_ROWS = 256, 256
LOOKS = 8
"""How often the sampled rows go through the model: two parts, at the last and the best weights, and
twice as much for what is compared with them."""

FORWARD_SHARE = 0.3
"""What of a training step its forward pass takes."""

SHARE, LEAST_SECONDS = 0.03, 0.15
"""What of a training's time may be taken for looking at its end, or these seconds."""

LOSS_NAMES = ("validation_loss", "loss")


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

    def probe(self, state: TrainState, factor: float, steps: int, most_rows: int) -> Probe | None:
        """Train a copy for a short stretch with `factor` times the rate."""
        ...


class Noticing:
    """Measures at a training's end what the verdicts go by, and says the verdicts.

    `at_first` is called before the first step, `at_last` with the last weights in the model,
    `conclude` with the best ones. What cannot be measured is left out: no training fails for it.
    """

    def __init__(self, training: Training, journal: Journal) -> None:
        self.training, self.journal = training, journal
        self._last: Seen | None = None
        self._probes: list[Probe] = []
        self._constant: tuple[Array | None, Array | None] = (None, None)
        self._rows = MOST_ROWS

    def at_first(self) -> None:
        """Look which units are silent before anything is learned; a resumed run knows it."""
        state = self.training.state
        if state.step or MEMORY in state.memory:
            return
        silent = self._measured("silent", FIRST_ROWS) or {}
        state.memory[MEMORY] = {"silent": {name: list(units) for name, units in silent.items()}}

    def at_last(self) -> None:
        """Measure the last weights; where the rate is suspected, try others for a stretch."""
        from treadle.watch.verdicts_rate import wanted_probes

        state = self.training.state
        if state.step == 0:
            return
        self._rows = affordable_rows(self.training)
        self._last = self._with_averages("look", self._rows)
        if self._last is None:
            return
        self._constant = self._measured("constant", self._rows) or (None, None)
        for factor, steps in wanted_probes(self._evidence(last=self._last)):
            found = self._measured("probe", state, factor, steps, self._rows)
            self._probes += [found] if found is not None else []

    def conclude(self) -> list[Json]:
        """Return the verdicts that hold, and say them."""
        from treadle.watch.verdicts import judge

        verdicts = judge(self.evidence())
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
            other=self._measured("other", rows),
            column=self._measured("column", rows),
            probes=tuple(self._probes),
        )

    def _with_averages(self, what: str, *arguments: Any) -> Any:
        """Measure with the averaged weights, where validation measures them."""
        from treadle.watch.validation import averaged

        with averaged(self.training.state):
            return self._measured(what, *arguments)

    def _measured(self, what: str, *arguments: Any) -> Any:
        """Return what the sight measures; None where it cannot."""
        from treadle.api.log import logging_to
        from treadle.loop.randomness import kept_generators

        if self.training.sight is None:
            return None
        try:
            with logging_to(None), kept_generators():
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


def affordable_rows(training: Training) -> int:
    """Return how many rows may be looked at: all looks together take a small part of the time."""
    state = training.state
    per_epoch = training.source.num_rows / max(1, training.steps_per_epoch)
    seconds_a_row = state.seconds / max(1.0, state.step * per_epoch) * FORWARD_SHARE
    allowed = max(LEAST_SECONDS, SHARE * state.seconds)
    return int(min(MOST_ROWS, max(LEAST_ROWS, allowed / (LOOKS * max(seconds_a_row, 1e-12)))))


def evidence_of(training: Training, *, live: bool = False, **measured: Any) -> Evidence:
    """Return what the state itself tells, and what was measured besides.

    live: on the way, when nothing was measured, and the first losses are the only yardstick
    """
    from treadle.watch import divergence, first_steps
    from treadle.watch.evidence import Evidence
    from treadle.watch.evidence_trace import jumps_of, windows_of

    state = training.state
    memory = state.memory.get(divergence.MEMORY, {})
    return Evidence(
        step=state.step,
        steps_per_epoch=training.steps_per_epoch,
        rows=training.source.num_rows,
        held_out_rows=getattr(training.sight, "held_out_rows", 0),
        same_units=not live and getattr(training.sight, "same_units", True),
        untouched=_untouched(training),
        curve=curve_of([(entry.step, entry.metrics) for entry in state.history]),
        windows=windows_of(state.memory),
        jumps=jumps_of(state.memory),
        best_step=state.best_step,
        first_silent=_first_silent(state),
        skipped=int(state.totals.non_finite),
        rollbacks=len(memory.get("rollbacks", ())),
        better_rate=state.memory.get(first_steps.MEMORY, {}).get("factor", 1.0),
        **measured,
    )


def _untouched(training: Training) -> float:
    """Return what so many rounds at their rate must leave of the error; NaN for no trees."""
    rate = getattr(training.sight, "rate_a_round", None)
    return math.nan if rate is None else max(0.0, 1.0 - rate) ** training.state.step


def _first_silent(state: TrainState) -> dict[str, tuple[int, int]]:
    kept = state.memory.get(MEMORY, {}).get("silent", {})
    return {name: (units, silent) for name, (units, silent) in kept.items()}


def curve_of(history: Sequence[tuple[int, Mapping[str, float]]]) -> Any:
    """Return the validations as a curve of losses."""
    import numpy as np

    from treadle.watch.evidence import Curve

    def column(*names: str) -> Any:
        found = [next((m[n] for n in names if n in m), np.nan) for _, m in history]
        return np.array(found, dtype=np.float64)

    return Curve(
        steps=np.array([step for step, _ in history], dtype=np.float64),
        train=column("train_loss"),
        held_out=column(*LOSS_NAMES),
    )
