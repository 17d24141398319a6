"""How long it will take, as soon as the first steps tell; and after a minute, whether it is known
how good it will get.

What is said depends on a clock, changes nothing, and leaves nothing in the state.
"""

from __future__ import annotations

import math
import time

from treadle.loop.journal import Journal
from treadle.loop.state import TrainState
from treadle.watch.forecast import FEWEST
from treadle.watch.forecast_words import duration

FIRST_SECONDS = 2.0
FIRST_MINUTE = 60.0
FEWEST_STEPS = 3


class Pace:
    """A watcher that says what training will take.

    max_steps, max_seconds: what the stop conditions allow; infinite where they do not say
    validate_every:         steps between validations
    """

    def __init__(
        self, journal: Journal, *, max_steps: float, max_seconds: float, validate_every: int
    ) -> None:
        self.journal = journal
        self.max_steps, self.max_seconds = max_steps, max_seconds
        self.validate_every = validate_every
        self._mark: tuple[int, float] | None = None
        self._said_time = self._is_done = False

    def __call__(self, state: TrainState) -> None:
        if self._is_done:
            return
        now = time.monotonic()
        if self._mark is None:  # the first step pays for warming up, and is not counted
            self._mark = state.step, now
            return
        steps, seconds = state.step - self._mark[0], now - self._mark[1]
        if not self._said_time and seconds >= FIRST_SECONDS and steps >= FEWEST_STEPS:
            self._said_time = True
            self._say_time(state, seconds / steps)
        if seconds >= FIRST_MINUTE:
            self._is_done = True
            self._say_minute(state, seconds / steps)

    def _say_time(self, state: TrainState, pace: float) -> None:
        left = min((self.max_steps - state.step) * pace, self.max_seconds - state.seconds)
        took = f"{pace * 1e3:.3g} ms" if pace < 1 else f"{pace:.3g} seconds"
        step = f"a step takes {took} here"
        if left <= 0:
            return  # the time is up: nothing is ahead
        if math.isfinite(left):
            sentence = f"{step}; at that pace this takes {duration(left / 60)} more at most."
        else:
            sentence = f"{step}; how many it takes is not known yet."
        self.journal.say(
            "plan", sentence, step=state.step, milliseconds_per_step=round(pace * 1e3, 3)
        )

    def _say_minute(self, state: TrainState, pace: float) -> None:
        """Say when there will be a forecast, where a minute was not enough for one."""
        missing = FEWEST - len(state.history)
        if missing <= 0:
            return
        minutes = missing * self.validate_every * pace / 60
        sentence = (
            f"how good it will get cannot be told yet: that needs {FEWEST} validations, and there "
            f"are {len(state.history)}; in about {duration(minutes)} there will be."
        )
        self.journal.say("plan", sentence, step=state.step)
