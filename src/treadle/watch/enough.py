"""The stop: training ends where going on would bring less than it is worth.

All that the decision goes by is in the state: the curve, the plan of the rate, `state.memory`. The
track record is not among it, so that two fresh runs stop at the same step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from treadle.contracts import Json
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState
from treadle.loop.until import StopCondition, StopReason
from treadle.watch import forecast_words as words
from treadle.watch.forecast import Target
from treadle.watch.forecast_plan import LOW_RATE, Plan
from treadle.watch.forecast_signs import deviation

MEMORY = "enough"
GROWTH = 1.1
"""Steps grow by this factor between two looks."""

AHEAD = 5
"""How many times the steps so far are looked at, where the plan does not end before."""

FEWEST_CHECKS = 10
"""Validations before which the loop does not stop itself."""

LOSSES = ("validation_loss", "loss")
RECENT = 0.8
LOSS_FALLS = 0.01
"""Where the loss on validation fell by this share over the last fifth of the steps, it goes on."""

LOOKS_IN_A_ROW = 2
LEARNED = 3.0
"""How many times its noise the metric must have gained: before, nothing is learned yet."""

TRAIN_LEARNED = 0.05
"""Or by which share the loss of training fell: much may be learned before the first validation."""

PART_OF_NOISE = 0.5
"""What a gain is worth where the user did not say: this part of the metric's noise."""

STILL = 6
"""Validations without a better one after which a rate that is held begins to fall."""

SMALLER, MOST_CUTS = 0.3, 3
"""The part of the rate that training goes on with where it only bounces about, and how often."""

FELL = 0.03
"""The share by which the loss of training must be lower than at the best validation, for it to have
fallen since: then validation stands still for another reason than the rate."""

FULL_RATE = 0.999

DECAY_SHARE = 0.25
"""By how much of the steps so far training goes on, while the rate runs out early."""


class Enough:
    """A watcher that decides when training has had enough, and the condition that stops it then.

    Where the rate is to fall yet, stopping at once would lose what its fall brings. So the horizon
    is brought nearer by decision, and training stops there. Where validation stands still at the
    full rate, training goes on from the best weights: later ones may be worse. If the loss of
    training stands still, too, the model only bounces about, and the rate is lowered first.

    worth: how much better the metric must get to be worth going on; None: not said
    error: the metric's value → how far it may be off, so few are the validation rows; 0: not known
    fewest_checks: validations before which it does not stop
    still:  validations without a better one after which a rate that is held begins to fall
    weighs: whether it stops where more is not worth it; else only where the rate has run out
    """

    def __init__(
        self,
        journal: Journal,
        plan: Plan,
        *,
        worth: float | None = None,
        error: Callable[[float], float] = lambda value: 0.0,
        fewest_checks: int = FEWEST_CHECKS,
        still: int = STILL,
        weighs: bool = True,
    ) -> None:
        self.journal, self.plan, self.worth, self.error = journal, plan, worth, error
        self.fewest_checks, self.still, self.weighs = fewest_checks, still, weighs

    @property
    def condition(self) -> StopCondition:
        """Stop where it was decided that more is not worth it."""
        return StopCondition(_reason, "")

    def __call__(self, state: TrainState) -> None:
        measured = state.history and state.history[-1].step == state.step
        if not measured or state.best_value is None:
            return
        memory = state.memory.setdefault(MEMORY, {"looked": 0, "in_a_row": 0})
        if "end" in memory:
            return
        if still := self._stands_still(state, memory):
            self._lower(state, memory, still)
            if state.best_weights and not state.average:
                state.give_back_best()  # with what the optimizers know: begun anew, they would jump
        elif self.weighs and state.step >= GROWTH * memory["looked"]:
            memory["looked"] = state.step
            self._weigh(state, memory)

    def _stands_still(self, state: TrainState, memory: Json) -> int:
        """Return for how many checks, where only a lower rate will help, and the plan still holds
        it; else 0."""
        since = max(state.best_step or 0, memory.get("cut", 0))
        still = sum(entry.step > since for entry in state.history)
        long = self.still if since == state.best_step else max(2, self.still // 2)
        rate = self.plan.rate(state, state.step)
        ahead = _run_out_at(state) < self.plan.end(state)
        return still if still >= long and rate >= FULL_RATE and ahead else 0

    def _lower(self, state: TrainState, memory: Json, still: int) -> None:
        """Decide to go on at a part of the rate, or where that has run out."""
        best = state.best_step or 0
        saw = {"still": still, "from": best}
        if memory.get("cuts", 0) < MOST_CUTS and _bounces(state, still):
            said = words.bounces(still, best, SMALLER)
            state.scale *= self.journal.decide("lower", state.step, lambda: (SMALLER, said, saw))
            memory.update(cuts=memory.get("cuts", 0) + 1, cut=state.step)
            return
        stop = _run_out_at(state)
        self._end(state, memory, stop, words.still(still, best, stop), saw)

    def _weigh(self, state: TrainState, memory: Json) -> None:
        """Decide that it is enough, where going on is not worth it at two looks in a row."""
        values = [value for value in self.plan.values(state) if math.isfinite(value)]
        if len(values) < self.fewest_checks or not _has_learned(state, values):
            return
        if self._loss_falls(state):
            memory["in_a_row"] = 0
            return
        noise = self._noise(state, values)
        end = int(min(self.plan.end(state), AHEAD * state.step))
        stop, gain = self._choices(state, end)
        worth = PART_OF_NOISE * noise if self.worth is None else self.worth
        memory["in_a_row"] = memory["in_a_row"] + 1 if gain < worth and stop < end else 0
        if memory["in_a_row"] < LOOKS_IN_A_ROW:
            return
        said = words.enough(state.step, stop, end, gain, worth, self.plan.metric, self.worth)
        saw = {"gain": gain, "worth": worth, "noise": noise, "until": end}
        self._end(state, memory, stop, said, saw)

    def _end(self, state: TrainState, memory: Json, stop: int, said: words.Said, saw: Json) -> None:
        """Decide where training ends, and have the rate run out there."""
        stop = self.journal.decide("enough", state.step, lambda: (stop, said.journal, saw))
        memory.update(end=stop, sentence=said.reason)
        if stop > state.step:
            state.horizon = stop

    def _choices(self, state: TrainState, end: int) -> tuple[int, float]:
        """Return where training would stop, and what going on until `end` would bring beyond that.

        What the fall of the rate brings is had either way.
        """
        target = self.plan.target(state, end)
        rate = self.plan.rate(state, state.step)
        if rate < LOW_RATE:
            (band,) = self.plan.bands(state, [target])
            return state.step, band.gain
        stop = _run_out_at(state)
        soon, late = self.plan.bands(state, [Target(step=stop, decay=rate), target])
        return stop, max(0.0, late.gain - soon.gain)

    def _loss_falls(self, state: TrainState) -> bool:
        """Tell whether the loss falls clearly, though the metric may stand still for a while.

        What ranks rows, or counts right ones, often does so while the model still learns.
        """
        known = state.history[-1].metrics
        name = next((name for name in LOSSES if name in known), self.plan.metric.name)
        if name == self.plan.metric.name:
            return False
        losses = [(entry.step, entry.metrics.get(name, math.inf)) for entry in state.history]
        before = min((loss for step, loss in losses if step <= RECENT * state.step), default=0.0)
        newest = min(loss for _, loss in losses)
        return before - newest > LOSS_FALLS * abs(before)

    def _noise(self, state: TrainState, values: Sequence[float]) -> float:
        """Return how far the metric may be off: by what it jumps, or so few are the rows."""
        assert state.best_value is not None
        return max(deviation(np.array(values)), self.error(state.best_value))


def _bounces(state: TrainState, checks: int) -> bool:
    """Tell whether the loss of training, too, has not fallen for so many checks.

    It falls on where the train rows are learned by heart, which no lower rate would mend.
    """
    losses = {entry.step: entry.metrics.get("train_loss", math.nan) for entry in state.history}
    at_best = losses.get(state.best_step or 0, math.nan)
    recent = np.mean(list(losses.values())[-checks:])
    return bool(recent > at_best - FELL * abs(at_best))


def _run_out_at(state: TrainState) -> int:
    """Return the step by which a rate that begins to fall now has run out."""
    return math.ceil(state.step * (1 + DECAY_SHARE))


def _has_learned(state: TrainState, values: Sequence[float]) -> bool:
    """Tell whether anything was learned yet: a model may stand still for long before it is."""
    assert state.best_value is not None
    gained = abs(state.best_value - float(np.median(values[:3])))
    if gained > LEARNED * deviation(np.array(values)):
        return True
    losses = [entry.metrics.get("train_loss", math.nan) for entry in state.history]
    first, last = losses[0], min(losses[-3:])
    return first - last > TRAIN_LEARNED * abs(first)


def _reason(state: TrainState) -> StopReason | None:
    memory = state.memory.get(MEMORY, {})
    if "end" not in memory or state.step < memory["end"]:
        return None
    return StopReason("enough", memory["sentence"])
