"""Divergence: what happens when training leaves the finite numbers, or the usual ones.

1. The step skips a batch whose loss or gradient is not finite, and counts it.
2. `FiniteCheck` says how many were skipped.
3. `Divergence` puts the model back to its best weights, with a smaller learning rate, where every
   batch of a look was skipped or the loss stays far above what it was.
4. Where that was of no use three times, training is stopped, with a report of what was seen.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

import torch

from treadle.contracts import Json
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState

LOOK_EVERY = 20
"""Steps between two looks."""

WINDOWS = 16
"""How many looks' mean losses are remembered as what is usual."""

FEWEST_WINDOWS = 4
SPIKE = 10.0
"""How many times the usual (or the usual's own spread) a loss must be above it, to be far above."""

LOST = 0.5
"""The share of what was gained since the first look that must be lost again."""

GAINED = 0.25
"""The share of the usual loss that must have been gained, for a loss above the first to be far."""

IN_A_ROW = 2
"""Looks after which a loss that is far too high has come to stay: one bad batch passes."""

SMALLER = 0.3
MOST_ROLLBACKS = 3
MEMORY = "divergence"
TOPIC = "rollback"


class Divergence:
    """A watcher that rolls training back where it diverges, and stops it where that is of no use.

    All that it goes by is in the state: the totals, and `state.memory`. So a resumed run comes to
    the same decision at the same step. A rollback is a decision of the journal, whose value is
    {"scale": the factor on the learning rate from here on, "to": the step of the weights};
    `state.scale` takes the one, `TrainState.roll_back` the other. Data and chance go on where they
    are: the batches that led astray are behind. A new best lets the count begin anew.

    give_up:        called with the report, as sentences; it must raise
    checks_weights: look at the weights after every step. For steps of a user's own, which may
                    write a NaN into them; ours never do
    """

    def __init__(
        self,
        journal: Journal,
        *,
        give_up: Callable[[str], None],
        every_steps: int = LOOK_EVERY,
        checks_weights: bool = False,
    ) -> None:
        self.journal = journal
        self.give_up = give_up
        self.every_steps = every_steps
        self.checks_weights = checks_weights

    def begin(self, state: TrainState) -> None:
        """Keep the weights that training begins with. Call once, before the first step."""
        if state.step == 0:
            state.keep_start()

    def __call__(self, state: TrainState) -> None:
        if self.checks_weights and not _are_finite(state):
            self._fall(state, self._memory(state), "the weights are not finite numbers any more")
        elif state.step % self.every_steps == 0:
            self._look(state)

    def _look(self, state: TrainState) -> None:
        memory = self._memory(state)
        skipped = int(state.totals.non_finite) - memory["skipped"]
        steps = state.step - memory["step"]
        mean = self._mean_loss(state, memory)
        memory.update(
            step=state.step,
            skipped=memory["skipped"] + skipped,
            loss=float(state.totals.loss),
            weight=float(state.totals.weight),
        )
        if skipped == steps:
            reason = f"all of the last {steps} batches gave a loss that is not a finite number"
            if int(state.totals.non_finite) == state.step:  # there is nothing to be put back
                self.give_up(f"{reason}, so the model could not learn from them.")
            self._fall(state, memory, reason)
        elif math.isfinite(mean):
            self._weigh(state, memory, mean)

    def _weigh(self, state: TrainState, memory: Json, mean: float) -> None:
        """Compare the mean loss since the last look with what is usual."""
        if not _is_far_above(mean, memory["usual"], memory.get("first", mean)):
            memory["high"] = 0
            memory["usual"] = [*memory["usual"], mean][-WINDOWS:]
            memory.setdefault("first", mean)
            _remember_level(state, memory, memory["usual"])
            return
        _remember_level(state, memory, [])
        memory["high"] += 1
        usual = statistics.median(memory["usual"])
        lost = (mean - usual) >= LOST * (memory["first"] - usual)
        if memory["high"] < IN_A_ROW or not lost:
            sentence = f"the loss jumped to {mean:.3g}, where {usual:.3g} was usual; it may pass."
            self.journal.say("spike", sentence, step=state.step, loss=mean, usual=usual)
            return
        reason = f"the loss stays at {mean:.3g}, where {usual:.3g} was usual"
        self._fall(state, memory, reason, loss=mean, usual=usual)

    def _fall(self, state: TrainState, memory: Json, reason: str, **saw: float) -> None:
        """Roll back, or give up where that has been tried often enough."""
        fallen = [step for step in memory["rollbacks"] if step >= (state.best_step or 0)]
        if len(fallen) >= MOST_ROLLBACKS:
            self.give_up(_report(state, reason, fallen))
        decided = self.journal.decide(
            TOPIC, state.step, lambda: _rolled_back(state, reason, len(fallen) + 1, saw)
        )
        state.scale = decided["scale"]
        state.roll_back()
        _remember_level(state, memory, [])
        usual = memory["level"]["usual"]
        memory.update(rollbacks=[*fallen, state.step], usual=usual, high=0, loss=0.0, weight=0.0)

    def _mean_loss(self, state: TrainState, memory: Json) -> float:
        """Return the mean loss since the last look, or since a validation, which takes the sums."""
        loss, weight = float(state.totals.loss), float(state.totals.weight)
        if not (state.history and state.history[-1].step >= memory["step"]):
            loss, weight = loss - memory["loss"], weight - memory["weight"]
        return loss / weight if weight > 0 else math.nan

    def _memory(self, state: TrainState) -> Json:
        begun = {"step": 0, "skipped": 0, "loss": 0.0, "weight": 0.0, "high": 0}
        return state.memory.setdefault(MEMORY, begun | {"usual": [], "rollbacks": []})


class FiniteCheck:
    """A watcher that says how many batches were skipped since it last looked."""

    def __init__(
        self, journal: Journal, *, every_steps: int, give_up: Callable[[str], None]
    ) -> None:
        self.journal = journal
        self.every_steps = max(1, every_steps)
        self.give_up = give_up

    def __call__(self, state: TrainState) -> None:
        if state.step % self.every_steps == 0:
            self.look(state)

    def close(self, state: TrainState) -> None:
        """Look at the end; a training in which no batch counted is no training."""
        self.look(state)
        if state.step and int(state.totals.non_finite) == state.step:
            self.give_up(
                f"all of the {state.step} batches gave a loss that is not a finite number, so the "
                "model could not learn from them."
            )

    def look(self, state: TrainState) -> None:
        """Say how many batches were skipped since the last look."""
        memory = state.memory.setdefault("finite", {"seen": 0, "step": 0})
        skipped, steps = int(state.totals.non_finite) - memory["seen"], state.step - memory["step"]
        if skipped:
            self.journal.say(
                "non_finite",
                f"{skipped} of the last {steps} batches gave a loss or gradient that is not a "
                "finite number; they were skipped and nothing was changed by them.",
                step=state.step,
                skipped=skipped,
                steps=steps,
            )
        memory.update(seen=memory["seen"] + skipped, step=state.step)


def _remember_level(state: TrainState, memory: Json, usual: list[float]) -> None:
    """Remember what was usual when the best weights were found: after a rollback it is again.

    Where they were found while the loss was far too high, nothing is usual for them yet.
    """
    if "level" not in memory or memory["level"]["step"] != state.best_step:
        memory["level"] = {"step": state.best_step, "usual": list(usual)}


def _is_far_above(mean: float, usual: list[float], first: float) -> bool:
    """Tell whether a mean loss is far above the usual ones, whatever their size and sign.

    A loss over normalised outputs is bounded: it cannot become ten times the usual, and yet all
    is lost where it is well above what the untrained model had.
    """
    if len(usual) < FEWEST_WINDOWS:
        return False
    middle = statistics.median(usual)
    spread = statistics.median(abs(value - middle) for value in usual)
    above, gained = mean - middle, first - middle
    if above > SPIKE * max(abs(middle), spread, 1e-12):
        return True
    forgot = gained > GAINED * abs(middle) and above > (1 + LOST) * gained
    return forgot and above > SPIKE * spread


def _are_finite(state: TrainState) -> bool:
    """Tell whether every weight is finite. On a GPU this waits."""
    with torch.no_grad():
        norms = torch._foreach_norm(list(state.module.parameters()))
        return not norms or bool(torch.isfinite(torch.stack(norms)).all())


def _rolled_back(state: TrainState, reason: str, count: int, saw: Json) -> tuple[Json, str, Json]:
    scale, to = state.scale * SMALLER, state.best_step or 0
    where = f"its best weights, those of step {to:,}" if to else "the weights that it began with"
    sentence = (
        f"{reason}, so the model was put back to {where}, and goes on from there with a learning "
        f"rate of {scale:.3g} times the planned one (attempt {count} of {MOST_ROLLBACKS})."
    )
    return {"scale": scale, "to": to}, sentence, saw | {"scale": scale, "to": to}


def _report(state: TrainState, reason: str, fallen: list[int]) -> str:
    steps = ", ".join(f"{step:,}" for step in fallen)
    best = (
        f"The best weights, of step {state.best_step:,} ({state.best_value:.4g}), are sound"
        if state.best_step is not None
        else "No validation has found good weights before that"
    )
    return (
        f"at step {state.step:,} {reason}. Training was put back {len(fallen)} times (at steps "
        f"{steps}), each time with a smaller learning rate, the last at {state.scale:.3g} times "
        f"the planned one, and diverged each time; so it was stopped. {best}."
    )
