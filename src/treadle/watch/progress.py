"""Progress for people: a glance at the training every fraction of a second."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from treadle.loop.state import TrainState


@dataclass(frozen=True, kw_only=True)
class Glance:
    """Where training stands: what a progress bar shows.

    share:        0 … 1 of what was planned, NaN where that is not known
    seconds_left: until the plan's end; NaN where not known. Training may stop earlier.
    """

    name: str
    epoch: float
    step: int
    loss: float
    metric_name: str
    metric: float | None
    best: float | None
    samples_per_second: float
    share: float
    seconds_left: float


class Progress:
    """A watcher that calls `show` with a Glance, at most every `every_seconds`."""

    def __init__(
        self,
        show: Callable[[Glance], None],
        *,
        name: str,
        metric_name: str,
        num_rows: int,
        batch_rows: float,
        max_steps: float = math.inf,
        max_seconds: float = math.inf,
        every_seconds: float = 0.2,
    ) -> None:
        self.show = show
        self.name = name
        self.metric_name = metric_name
        self.num_rows = num_rows
        self.batch_rows = batch_rows
        self.max_steps = max_steps
        self.max_seconds = max_seconds
        self.every_seconds = every_seconds
        self._shown = self._since = time.monotonic()
        self._steps_before: int | None = None

    def __call__(self, state: TrainState) -> None:
        if self._steps_before is None:
            self._steps_before = state.step - 1
        now = time.monotonic()
        if now - self._shown >= self.every_seconds:
            self._shown = now
            self.show(self.glance(state))

    def glance(self, state: TrainState) -> Glance:
        """Return where training stands. Reads the loss, so it waits for the device."""
        steps = state.step - (self._steps_before or 0)
        per_second = steps / max(1e-9, time.monotonic() - self._since)
        share = max(state.step / self.max_steps, state.seconds / self.max_seconds)
        left = min(
            (self.max_steps - state.step) / max(1e-9, per_second), self.max_seconds - state.seconds
        )
        weight = float(state.totals.weight)
        newest = state.history[-1].metrics if state.history else {}
        return Glance(
            name=self.name,
            epoch=state.epoch + state.position / max(1, self.num_rows),
            step=state.step,
            loss=float(state.totals.loss) / weight
            if weight
            else newest.get("train_loss", math.nan),
            metric_name=self.metric_name,
            metric=newest.get(self.metric_name),
            best=state.best_value,
            samples_per_second=per_second * self.batch_rows,
            share=min(1.0, share) if share > 0 else math.nan,
            seconds_left=left if math.isfinite(left) else math.nan,
        )
