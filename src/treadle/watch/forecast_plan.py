"""What a forecast must know of a training beside its curve: how far it may go, and at what rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from treadle.contracts import Json
from treadle.goal import Metric
from treadle.loop.state import TrainState
from treadle.loop.until import Level
from treadle.watch.forecast import Band, Target, forecast

LOW_RATE = 0.02
"""The share of the full learning rate below which nothing more comes of its falling."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the user said of the end, and what is known of the training.

    max_steps: what the stop conditions allow; infinite where they do not say
    levels:    of the stop conditions that wait for a metric
    factor:    (step, horizon) → share of the full learning rate; None: the rate stays as it is
    about:     what the track record keeps of the training: run, rows, kind
    """

    metric: Metric
    max_steps: float = math.inf
    levels: Sequence[Level] = ()
    factor: Callable[[int, int], float] | None = None
    about: Json

    def end(self, state: TrainState) -> float:
        """Return the step at which the plan ends."""
        return min(self.max_steps, state.horizon if self.factor else math.inf)

    def rate(self, state: TrainState, step: int) -> float:
        """Return the share of the full rate at a step of the plan."""
        return self.factor(step, max(1, state.horizon)) if self.factor else 0.0

    def target(self, state: TrainState, step: int) -> Target:
        """Return a later step as a forecast needs it; beyond the plan it is another plan's end."""
        now = self.rate(state, state.step)
        if self.factor and step > state.horizon:
            return Target(step=step, decay=now, replanned=True)
        return Target(step=step, decay=max(0.0, now - self.rate(state, step)))

    def values(self, state: TrainState) -> list[float]:
        """Return the deciding metric by validation, NaN where it was not measured."""
        return [entry.metrics.get(self.metric.name, math.nan) for entry in state.history]

    def bands(self, state: TrainState, targets: Sequence[Target]) -> list[Band]:
        """Return a band by target; none where the curve has too few points."""
        steps = [entry.step for entry in state.history]
        higher = self.metric.higher_is_better
        return forecast(steps, self.values(state), targets, higher_is_better=higher)

    def best_until(self, state: TrainState, step: int) -> float | None:
        """Return the best validation until a step, or None."""
        values = zip(state.history, self.values(state), strict=True)
        known = [v for entry, v in values if entry.step <= step and math.isfinite(v)]
        return (max if self.metric.higher_is_better else min)(known) if known else None
