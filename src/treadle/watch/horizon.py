"""How many steps a budget of minutes will hold: measured, decided, and only then relied on."""

from __future__ import annotations

import time

from treadle.contracts import Json
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState

LOOKS = (20, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
FEWEST_STEPS = 10


class Horizon:
    """A watcher that lays out the schedule by the pace at which steps are really taken.

    It looks at fixed steps, so that a resumed run replays its decisions; a new horizon is set
    where it differs by over a tenth from the last.

    max_steps:   the steps that the stop conditions allow; infinite if they do not say
    max_seconds: the seconds of training that they allow
    """

    def __init__(self, journal: Journal, *, max_steps: float, max_seconds: float) -> None:
        self.journal = journal
        self.max_steps = max_steps
        self.max_seconds = max_seconds
        self._mark: tuple[int, float] | None = None

    def __call__(self, state: TrainState) -> None:
        if self._mark is None:  # the first step pays for warming up, and is not counted
            self._mark = state.step, time.monotonic()
        if state.step in LOOKS:
            state.horizon = self.journal.decide("horizon", state.step, lambda: self._measure(state))

    def _measure(self, state: TrainState) -> tuple[int, str, Json]:
        assert self._mark is not None
        steps, seconds = state.step - self._mark[0], time.monotonic() - self._mark[1]
        if steps < FEWEST_STEPS:  # just resumed: the pace of all attempts together tells more
            steps, seconds = state.step, state.seconds
        seconds_per_step = seconds / steps
        left = max(0.0, self.max_seconds - state.seconds)
        fitting = state.step + int(left / max(1e-9, seconds_per_step))
        horizon = max(state.step, int(min(self.max_steps, fitting)))
        saw = {"milliseconds_per_step": round(seconds_per_step * 1e3, 3), "horizon": horizon}
        if abs(horizon - state.horizon) <= 0.1 * state.horizon:
            return state.horizon, "the pace is as planned; the plan stays.", saw | {"same": True}
        sentence = (
            f"one step takes {seconds_per_step * 1e3:.3g} ms here, so the time allowed holds about "
            f"{horizon:,} steps; the learning rate's plan was laid out for them."
        )
        return horizon, sentence, saw
