"""The first steps: a learning rate that is far too high makes the model worse before all else."""

from __future__ import annotations

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

MEMORY = TOPIC = "overshoot"

Lower = Callable[[TrainState], tuple[float, str, Json]]
"""state → (the factor on the rate that training should begin anew with, one sentence, what was
seen); 1 where it should go on as it is."""


class Overshoot:
    """A watcher that asks, where the first steps made the loss rise, whether a lower rate learns.

    What asks is cheap and often wrong: some trainings begin so. The answer is not: short trainings
    from the same start, at this rate and at lower ones. Where a lower one is clearly better, that
    is decided: training begins anew from its first weights, at that rate. The data goes on.

    Until then the weights that are kept as the best must be those that training began with.

    losses: state → the losses of the batches so far, while these are few
    lower:  answers; called at most once
    warmup: steps until the rate is as high as it is to be
    """

    def __init__(
        self,
        journal: Journal,
        *,
        losses: Callable[[TrainState], Sequence[float]],
        lower: Lower,
        max_steps: float,
        warmup: int = 0,
    ) -> None:
        self.journal = journal
        self.losses, self.lower = losses, lower
        at = warmup + int(min(LOOK_AT, max_steps // 5))
        self.look_at = at if EARLIEST <= at < max_steps else 0

    def __call__(self, state: TrainState) -> None:
        if state.step != self.look_at or not rose(self.losses(state)):
            return
        factor = self.journal.decide(TOPIC, state.step, lambda: self.lower(state))
        if factor == 1.0:
            return
        state.memory[MEMORY] = {"step": state.step, "factor": factor}
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
