"""Whether captured code keeps its pace.

Its threads wait for each other some twenty times a step. Where another process takes one of their
cores, each wait lasts a slice of the scheduler's: a step of .4 ms was seen to take 53, while the
eager step, whose small operations run on one thread, took 2.4. So the eager step has its turn until
the cores are free again.
"""

from __future__ import annotations

import statistics
from collections import deque

from treadle.contracts import Json
from treadle.loop.compiled import ENGINE, CompiledStep, is_captured
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState

LOOK_EVERY = 64
TOO_SLOW = 3.0
"""Times the eager pace that a captured step may take: noise and validations make no pause."""

FIRST_PAUSE_STEPS, LONGEST_PAUSE_STEPS = 512, 65_536
TOPIC = "engine"


class Steadiness:
    """Pauses captured code that has become much slower than the eager step was, and tries it again.

    Each pause is twice as long as the one before. Decided, so that a resumed run pauses likewise.
    """

    def __init__(self, step: CompiledStep, journal: Journal) -> None:
        self.step = step
        self.journal = journal

    def look(self, state: TrainState, memory: Json, paces: deque[float]) -> None:
        """Decide whether the step changes; `paces` are the seconds of the last steps."""
        if state.step % LOOK_EVERY or not is_captured(state):
            return
        replayed = self.journal.has_replay(TOPIC, state.step)
        if not replayed and self.journal.has_replay_after(TOPIC, state.step):
            return
        if not replayed and not self._is_time(state, memory, paces):
            return
        engine = self.journal.decide(TOPIC, state.step, lambda: self._said(state, memory, paces))
        paused = engine == "eager"
        if paused:
            before = memory.get("pause_steps", FIRST_PAUSE_STEPS // 2)
            memory["pause_steps"] = min(2 * before, LONGEST_PAUSE_STEPS)
            memory["paused_at"] = state.step
        self.step.pause(state, paused)
        paces.clear()

    def _is_time(self, state: TrainState, memory: Json, paces: deque[float]) -> bool:
        if _is_paused(state):
            over: int = memory["paused_at"] + memory["pause_steps"]
            return state.step >= over
        if len(paces) < LOOK_EVERY or not memory.get("eager_pace"):
            return False
        return statistics.median(paces) > TOO_SLOW * float(memory["eager_pace"])

    def _said(self, state: TrainState, memory: Json, paces: deque[float]) -> tuple[str, str, Json]:
        if _is_paused(state):
            return "compiled", "the compiled step is tried again.", {}
        pace, eager = statistics.median(paces), memory["eager_pace"]
        steps = min(2 * memory.get("pause_steps", FIRST_PAUSE_STEPS // 2), LONGEST_PAUSE_STEPS)
        sentence = (
            f"compiled, a step takes {pace * 1e3:.3g} ms now, as when other work keeps this "
            f"machine's cores busy; the plain one, which took {eager * 1e3:.3g} ms, goes on for "
            f"{steps:,} steps."
        )
        saw = {"compiled_milliseconds": round(pace * 1e3, 4), "pause_steps": steps}
        return "eager", sentence, saw


def _is_paused(state: TrainState) -> bool:
    return bool(state.memory[ENGINE].get("paused"))
