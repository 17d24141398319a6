"""By how many threads a round of trees is best turned: tried at first, and again where it matters.

The threads of a round wait for each other many times. On a quiet machine that costs little; where
another program takes the processor of one, all wait for it: beside two busy programs, two threads
took 10 to 100 times as long for a round as one thread did.
"""

from __future__ import annotations

import statistics
import time

from treadle.contracts import Json
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState
from treadle.loop.thread_count import CLEARLY_SLOWER

ROUND_THREADS = TOPIC = "round_threads"
ROUNDS_A_TRIAL = 6
ROUNDS_TO_SETTLE = 1
"""The first round by another number waits for threads that end or begin, up to a second."""
FEWEST_ROUNDS = 3
LOOKED_BACK = 6
HOPELESS = 3.0
"""Rounds so many times as long as by another number end a trial; as long as before begin one."""
AGAIN_AFTER = 200
"""Rounds after which more threads are tried once more; each time twice as many, if in vain."""


class RoundThreads:
    """A watcher that tries half as many threads as long as that is faster, and keeps the best.

    Where fewer than all turned out best, all are tried again later; where rounds become much
    slower, fewer are. The step reads the number with `threads_of`. Each change is a decision, so
    a resumed run turns each round by as many threads as before.
    """

    def __init__(self, journal: Journal, *, threads: int) -> None:
        self.journal = journal
        self.most = threads
        self._paces: list[float] = []
        self._last = time.perf_counter()

    def __call__(self, state: TrainState) -> None:
        now = time.perf_counter()
        self._paces.append((now - self._last) * 1e3)
        self._last = now
        memory = state.memory.setdefault(ROUND_THREADS, self._at_first())
        if self._is_time(state.step, memory):
            step = state.step
            memory.update(self.journal.decide(TOPIC, step, lambda: self._decided(step, memory)))
            self._paces.clear()

    def _at_first(self) -> Json:
        trial = {"threads": self.most, "trying": self.most > 1, "tried": {}}
        return trial | {"chosen": self.most, "pace": 0.0, "again": 0, "wait": AGAIN_AFTER}

    def _is_time(self, step: int, memory: Json) -> bool:
        if self.journal.has_replay(TOPIC, step):
            return True
        if self.journal.has_replay_after(TOPIC, step):
            return False
        if memory["trying"]:
            return len(self._paces) >= ROUNDS_A_TRIAL or self._is_hopeless(memory["tried"])
        return self._is_time_again(step, memory) or self._is_slower(memory)

    def _is_time_again(self, step: int, memory: Json) -> bool:
        return 0 < int(memory["again"]) <= step

    def _is_hopeless(self, tried: dict[str, float]) -> bool:
        if not tried or len(self._paces) < FEWEST_ROUNDS:
            return False
        return self._pace() > HOPELESS * min(tried.values())

    def _pace(self) -> float:
        """Return the milliseconds of a usual round of this trial."""
        return statistics.median(self._paces[ROUNDS_TO_SETTLE:] or self._paces)

    def _is_slower(self, memory: Json) -> bool:
        """Tell whether rounds by several threads take much longer than when that was chosen."""
        if memory["threads"] == 1 or len(self._paces) < LOOKED_BACK:
            return False
        self._paces = self._paces[-LOOKED_BACK:]
        return statistics.median(self._paces) > HOPELESS * float(memory["pace"]) > 0

    def _decided(self, step: int, memory: Json) -> tuple[Json, str, Json]:
        count: int = memory["threads"]
        pace = round(self._pace(), 4)
        if memory["trying"]:
            tried = memory["tried"] | {str(count): pace}
            fewer = count // 2
            no_slower = pace <= CLEARLY_SLOWER * min(tried.values())
            following = fewer if fewer and no_slower and str(fewer) not in tried else None
        else:
            tried = {str(count): pace}
            following = self.most if self._is_time_again(step, memory) else count // 2
        if following is None:
            return self._chosen(step, memory, tried)
        sentence = f"a round takes {pace:.3g} ms by {count} threads; next by {following}."
        value = {"threads": following, "trying": True, "tried": tried, "again": 0}
        return value, sentence, {"milliseconds": tried, "same": True}

    def _chosen(self, step: int, memory: Json, tried: dict[str, float]) -> tuple[Json, str, Json]:
        best = min(tried, key=lambda count: tried[count])
        in_vain = int(best) == memory["chosen"] != self.most
        wait = 2 * memory["wait"] if in_vain else AGAIN_AFTER
        value: Json = {
            "threads": int(best),
            "trying": False,
            "tried": {},
            "chosen": int(best),
            "pace": tried[best],
            "again": step + wait if int(best) < self.most else 0,
            "wait": wait,
        }
        return (
            value,
            _said(tried, best, self.most),
            {
                "milliseconds": tried,
                "same": int(best) == memory["chosen"],
            },
        )


def threads_of(state: TrainState, most: int) -> int:
    """Return by how many threads the next round is to be turned; `most` where nobody decided."""
    return int(state.memory.get(ROUND_THREADS, {"threads": most})["threads"])


def _said(tried: dict[str, float], best: str, most: int) -> str:
    sentence = f"each round is turned by {best} of {most} threads: {tried[best]:.3g} ms"
    others = {count: pace for count, pace in tried.items() if count != best}
    if not others:
        return f"{sentence}."
    slowest = max(others, key=lambda count: others[count])
    return f"{sentence} against {others[slowest]:.3g} ms by {slowest}."
