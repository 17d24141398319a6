"""Short trainings from one state, each undone: how a learning rate is tried without a trace."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from torch import nn

from treadle.contracts import Source, Step
from treadle.loop.loop import turn
from treadle.loop.state import TrainState
from treadle.loop.until import StopCondition, StopReason
from treadle.loop.until import steps as steps_until

COUNTED = 0.3
"""The share of a stretch, at its end, whose mean training loss is what it came to."""


class Stretches:
    """Trains for some steps at some factor on the learning rate, and puts all back as it was.

    Every stretch begins from the same weights, moments, generators and place in the data, so that
    two differ by the rate alone; and its schedule is laid out over its own steps, so that a
    schedule that falls has fallen at its end.

    source:  can be begun anew at the state's cursor, as often as one likes
    measure: state → how far from good it is, lower is better; by default the mean training loss of
             the stretch's end, which is honest while the batches are new to the model
    until:   what ends a stretch early, and all that would follow: `stopped` tells of it
    """

    def __init__(
        self,
        state: TrainState,
        source: Source,
        step: Step,
        measure: Callable[[TrainState], float] | None = None,
        until: StopCondition | None = None,
        *,
        counted: float = COUNTED,
    ) -> None:
        self.counted = counted
        self.state, self.source, self.step = state, source, step
        self.measure = measure
        self.until = until or StopCondition.never()
        self.stopped: StopReason | None = None
        self.steps_taken = 0
        self._start = state.snapshot()
        self._numbers = [(vars(part), dict(_numbers_of(part))) for part in state.module.modules()]

    def __call__(self, factor: float, steps: int, *, as_planned: bool = False) -> float:
        """Return what `steps` steps at `factor` times the rate come to; infinity if it diverged.

        as_planned: these are the first steps of the training that is planned, not one of their own:
                    its schedule is only begun
        """
        if self.stopped:
            return math.inf
        state = self.state
        state.scale *= factor
        if not as_planned:
            state.horizon = state.step + steps
        try:
            return self._trained(steps)
        finally:
            self._put_back()

    def _trained(self, steps: int) -> float:
        state = self.state
        skipped, tail = int(state.totals.non_finite), max(1, round(self.counted * steps))
        end = state.step + steps
        self._turn(end - tail)
        state.totals.take_mean()
        self._turn(end)
        loss = state.totals.take_mean()
        if int(state.totals.non_finite) > skipped or not math.isfinite(loss):
            return math.inf
        value = loss if self.measure is None else self.measure(state)
        return value if math.isfinite(value) else math.inf

    def _turn(self, end: int) -> None:
        before = self.state.step
        reason = turn(self.state, self.source, self.step, (), steps_until(end) | self.until)
        self.steps_taken += self.state.step - before
        if reason.kind != "steps":
            self.stopped = reason

    def _put_back(self) -> None:
        seconds = self.state.seconds  # the clock alone goes on
        self.state.restore(*self._start)
        self.state.seconds_before = seconds
        for attributes, numbers in self._numbers:
            attributes.update(numbers)
        forget_buffers = getattr(self.step, "forget_buffers", None)
        if forget_buffers is not None:
            forget_buffers()


def _numbers_of(part: nn.Module) -> Iterator[tuple[str, object]]:
    """Yield what a module counts in Python, which no state_dict holds."""
    for name, value in vars(part).items():
        if isinstance(value, (bool, int, float)):
            yield name, value
