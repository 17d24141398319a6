"""The worker's end of the line: orders come on stdin, answers go out on stdout, a JSON line each.

A worker builds and warms up, says it is ready, then trains as many steps as each order says and
answers with the seconds they took. The clock runs here, around the steps and nothing else. What a
library prints goes to stderr, so that it cannot get between the answers.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

Facts = Callable[[], dict[str, Any]]


class Gate:
    """Holds a worker's training until an order comes, and times it.

    warm_steps: steps before the worker says it is ready; they are outside the clock
    """

    def __init__(self, warm_steps: int) -> None:
        self.warm_steps = warm_steps
        self.facts: Facts = dict
        self._answers = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)
        self._started = time.perf_counter()
        self._is_warm = False
        self._asked, self._done = warm_steps, 0

    def serve(self, train: Callable[[int], int | None], facts: Facts = dict) -> NoReturn:
        """Answer orders by `train(steps)`, which may say that it took more steps than asked."""
        self.facts = facts
        while True:
            self.tick(train(self._asked) or self._asked)

    def tick(self, steps: int = 1) -> None:
        """Count steps. Where an order is fulfilled, answer it and wait here for the next one."""
        self._done += steps
        if self._done < self._asked:
            return
        seconds = time.perf_counter() - self._started
        if self._is_warm:
            self.say({"seconds": seconds, "steps": self._done})
        else:
            self._is_warm = True
            self.say({"warm_seconds": seconds, "after_warm_up": self.facts()})
        self._asked, self._done = self._next_order(), 0
        self._started = time.perf_counter()

    def say(self, answer: dict[str, Any]) -> None:
        self._answers.write(json.dumps(answer) + "\n")
        self._answers.flush()

    def _next_order(self) -> int:
        order = json.loads(sys.stdin.readline() or "{}")
        if "steps" in order:
            return int(order["steps"])
        peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.say({"peak_mib": round(peak_kib / 1024)} | self.facts())
        self._answers.close()
        os._exit(0)  # from within a framework's own loop there is no other quick way out
