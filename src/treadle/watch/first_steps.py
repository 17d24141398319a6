"""The first steps: they make a suspicion of a learning rate, which short trainings then settle."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence

from treadle.contracts import Json
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState

LOOK_AT, LATEST, EARLIEST = 40, 200, 5
"""Steps at the full rate after which is looked, once: a share of what is planned, within these
bounds; in short trainings, after a fifth of them."""

LOOK_SHARE = 0.04
"""Earlier the best rates do not differ from ones that are ten times too high: short trainings like
high rates."""

FEWEST_COMPARED = 20
"""Steps at the full rate below which none are taken again: they would show nothing but chance."""

LONGEST_WARMUP = 2.0
"""How many times as long as the steps that are looked at a warm-up may be: a longer one would have
to be gone through twice."""

JUMPED = 2.0
"""How many times the first batch's loss another one's must be, to ask at any rate. Over 24 small
tasks the best rate stays below 1.5 in 21 of them; thirty times that rate is above 2 in 20."""

CREPT, SURE = 0.05, 2.0
"""For nobody to ask, the second half's loss must be lower than the first's by this share, and by so
many standard errors."""

LOWER, CLEARLY, NOT_FAR = (0.1, 0.1**0.5), 0.1, 0.5
"""The parts of the rate that the first steps are taken at once more; the share by which the loss
must be lower then, to ask; and the share by which it may be higher for the next part to be tried:
where a tenth of the rate teaches far less, a third does, too."""

FAR_LOWER, LITTLE = 0.1**1.5, 0.2
"""Where the loss fell by less than this share, they are taken at that part of the rate, too: far
above the right one, a tenth of it is as bad."""

AT_THE_END = 0.3
"""The share of the first steps, at their end, whose mean loss they are compared by."""

MEMORY = TOPIC = "first_steps"

Ask = Callable[[TrainState, str], tuple[float, str, Json]]
"""(state, what was seen, as a sentence's beginning) → (the factor on the rate that would be right,
1 where it is; one sentence; what was seen)."""


class FirstSteps:
    """A watcher that asks, where the first steps look wrong, whether another rate learns better.

    What asks is cheap and often wrong: some trainings begin so. It is the losses, and where these
    say nothing, the same steps taken once more at a third of the rate. The answer is not: short
    trainings from the same start, at this rate and at others. Where a lower one is clearly better,
    that is decided: training begins anew from its first weights, at that rate. The data goes on.
    That a far higher one would be better is said and remembered; the rate stays what the user said.
    Until then the weights that are kept as the best must be those that training began with.

    losses:  state → the losses of the batches so far, while these are few
    again:   (state, factor on the rate) → the mean loss of the last of the first steps
             (AT_THE_END), had they been taken at that rate; leaves no trace
    ask:     answers; called at most once
    max_steps, planned: steps that training may take, and that it is likely to
    warmup:  steps until the rate is as high as it is to be
    compares: the first steps may be taken again, where their losses say nothing
    """

    def __init__(
        self,
        journal: Journal,
        *,
        losses: Callable[[TrainState], Sequence[float]],
        again: Callable[[TrainState, float], float],
        ask: Ask,
        max_steps: float,
        planned: float = 0.0,
        warmup: int = 0,
        compares: bool = True,
    ) -> None:
        self.journal = journal
        self.losses, self.again, self.ask = losses, again, ask
        looked = min(max(LOOK_AT, int(LOOK_SHARE * planned)), LATEST, max_steps // 5)
        at = warmup + int(looked)
        self.look_at = at if EARLIEST <= at < max_steps else 0
        self.compares = compares and looked >= max(FEWEST_COMPARED, warmup / LONGEST_WARMUP)

    def __call__(self, state: TrainState) -> None:
        if state.step != self.look_at:
            return
        seen = self._suspicion(state)
        if seen is None:
            return
        factor = self.journal.decide(TOPIC, state.step, lambda: self.ask(state, seen))
        if factor != 1.0:
            state.memory[MEMORY] = {"step": state.step, "factor": factor}
        if factor < 1.0:
            state.scale *= factor
            state.roll_back()

    def _suspicion(self, state: TrainState) -> str | None:
        """Return what looks wrong, as a sentence's beginning."""
        losses = self.losses(state)
        if rose(losses):
            return "the first steps made the loss rise"
        if crept(losses):
            return "the first steps hardly made the loss fall"
        if self.journal.has_replay(TOPIC, state.step):
            return ""  # it was answered already
        if not self.compares or not losses:
            return None
        own = statistics.mean(losses[-max(1, round(AT_THE_END * len(losses))) :])
        learned_little = own > (1 - LITTLE) * losses[0]
        for factor in (*LOWER, FAR_LOWER) if learned_little else LOWER:
            above = self.again(state, factor) - own
            if above < -CLEARLY * abs(own):
                return "at a lower learning rate the first steps would have taught more"
            if above > NOT_FAR * abs(own):
                return None
        return None


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
