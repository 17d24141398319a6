"""How many threads a step is best turned by: found out in its first steps, and decided.

torch takes as many as there are cores. A small network's step is then mostly waiting of threads
for each other: more than a few make it slower, and how many are best is nobody's rule.
"""

from __future__ import annotations

import statistics
import time

import torch

from treadle.contracts import Json
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState

THREAD_COUNT = TOPIC = "thread_count"
FEWEST_CORES = 4
"""Below, the question is left alone: two threads are two cores."""

FIRST_STEP = 8
STEPS_A_TRIAL = 16
STEPS_TO_SETTLE = 4
CLEARLY_SLOWER = 1.15
FEWEST_STEPS_AHEAD = 1_000


class ThreadCount:
    """A watcher that tries half as many threads as long as that is faster, and keeps the best.

    Each change is a decision, so a resumed run turns each step by as many threads as before.
    """

    def __init__(self, journal: Journal, *, max_steps: float) -> None:
        self.journal = journal
        self.max_steps = max_steps
        self.threads = torch.get_num_threads()
        self._paces: list[float] = []
        self._last = time.perf_counter()

    def __call__(self, state: TrainState) -> None:
        now = time.perf_counter()
        memory = state.memory.get(THREAD_COUNT)
        if memory is None:
            memory = state.memory[THREAD_COUNT] = self._at_first()
        if not memory["done"]:
            self._paces.append(now - self._last)
            self._last = now
            if state.step >= memory["next"]:
                self._look(state, memory)

    def close(self) -> None:
        """Give the process back the threads it had."""
        torch.set_num_threads(self.threads)

    def _at_first(self) -> Json:
        done = self.threads < FEWEST_CORES or self.max_steps < FEWEST_STEPS_AHEAD
        following = FIRST_STEP + STEPS_A_TRIAL
        return {"threads": self.threads, "tried": {}, "next": following, "done": done}

    def _look(self, state: TrainState, memory: Json) -> None:
        count = memory["threads"]
        pace = statistics.median(self._paces[STEPS_TO_SETTLE - STEPS_A_TRIAL :])
        memory["tried"][str(count)] = round(pace * 1e3, 4)
        chosen: Json = self.journal.decide(TOPIC, state.step, lambda: _chosen(memory["tried"]))
        memory.update(chosen, next=state.step + STEPS_A_TRIAL)
        torch.set_num_threads(memory["threads"])
        self._paces.clear()
        self._last = time.perf_counter()


def go_on(state: TrainState) -> None:
    """Let a resumed run turn its next step by as many threads as its last one."""
    if memory := state.memory.get(THREAD_COUNT):
        torch.set_num_threads(memory["threads"])


def is_open(state: TrainState) -> bool:
    """Tell whether the number of threads is still being found out."""
    return not state.memory.get(THREAD_COUNT, {"done": True})["done"]


def _chosen(tried: dict[str, float]) -> tuple[Json, str, Json]:
    """Return the number of threads for the next steps, given milliseconds a step by number."""
    best = min(tried, key=lambda count: tried[count])
    last = min(int(count) for count in tried)
    if last > 1 and tried[str(last)] <= CLEARLY_SLOWER * tried[best]:
        half = last // 2
        sentence = f"a step takes {tried[str(last)]:.3g} ms by {last} threads; next by {half}."
        return {"threads": half, "done": False}, sentence, {"milliseconds": dict(tried)}
    most = max(tried, key=int)
    sentence = f"each step is turned by {best} of {most} threads: {tried[best]:.3g} ms"
    if best != most:
        sentence += f" against {tried[most]:.3g} ms by all"
    return {"threads": int(best), "done": True}, sentence + ".", {"milliseconds": dict(tried)}
