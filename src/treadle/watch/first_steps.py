"""The first steps: they make a suspicion of a learning rate, which short trainings then settle."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence

from treadle.contracts import Json
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState

LOOK_AT, EARLIEST = 40, 5
"""Steps at the full rate after which is looked, once; in short trainings, after a fifth of them."""

JUMPED = 2.0
"""How many times the first batch's loss another one's must be, to ask at any rate. Over 24 small
tasks the best rate stays below 1.5 in 21 of them; thirty times that rate is above 2 in 20."""

CREPT, SURE = 0.05, 2.0
"""For nobody to ask, the second half's loss must be lower than the first's by this share, and by so
many standard errors."""

MEMORY = TOPIC = "first_steps"

Ask = Callable[[TrainState, str], tuple[float, str, Json]]
"""(state, what was seen, as a sentence's beginning) → (the factor on the rate that would be right,
1 where it is; one sentence; what was seen)."""


class FirstSteps:
    """A watcher that asks, where the first steps look wrong, whether another rate learns better.

    What asks is cheap and often wrong: some trainings begin so. The answer is not: short trainings
    from the same start, at this rate and at others. Where a lower one is clearly better, that is
    decided: training begins anew from its first weights, at that rate. The data goes on. That a
    far higher one would be better is said and remembered; the rate stays what the user said.
    Until then the weights that are kept as the best must be those that training began with.

    losses: state → the losses of the batches so far, while these are few
    ask:    answers; called at most once
    warmup: steps until the rate is as high as it is to be
    """

    def __init__(
        self,
        journal: Journal,
        *,
        losses: Callable[[TrainState], Sequence[float]],
        ask: Ask,
        max_steps: float,
        warmup: int = 0,
    ) -> None:
        self.journal = journal
        self.losses, self.ask = losses, ask
        at = warmup + int(min(LOOK_AT, max_steps // 5))
        self.look_at = at if EARLIEST <= at < max_steps else 0

    def __call__(self, state: TrainState) -> None:
        if state.step != self.look_at:
            return
        losses = self.losses(state)
        if rose(losses):
            seen = "the first steps made the loss rise"
        elif crept(losses):
            seen = "the first steps hardly made the loss fall"
        else:
            return
        factor = self.journal.decide(TOPIC, state.step, lambda: self.ask(state, seen))
        if factor != 1.0:
            state.memory[MEMORY] = {"step": state.step, "factor": factor}
        if factor < 1.0:
            state.scale *= factor
            state.roll_back()


def rose(losses: Sequence[float]) -> bool:
    """Tell whether the loss rose in the first steps: one batch's by far, or those of the last
    quarter above an earlier one's."""
    if len(losses) < 4:
        return False
    first, quarter = losses[0], len(losses) // 4
    means = [statistics.mean(losses[n * quarter : (n + 1) * quarter]) for n in range(4)]
    return means[3] > min(means[:3]) or max(losses) > JUMPED * first > 0


def crept(losses: Sequence[float]) -> bool:
    """Tell whether the loss fell by next to nothing, or by no more than its noise."""
    if len(losses) < 4:
        return False
    half = len(losses) // 2
    parts = losses[:half], losses[half:]
    early, late = (statistics.mean(part) for part in parts)
    noise = math.hypot(*(statistics.stdev(part) / math.sqrt(len(part)) for part in parts))
    return early - late < max(SURE * noise, CREPT * early)
