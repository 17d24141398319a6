"""A contender's process, seen from the suite: started, asked, and frozen while others run."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.speed.contention import moment, taken_by_others

ROOT = Path(__file__).parents[2]
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "POLARS_MAX_THREADS",
)
START_SECONDS, TURN_SECONDS = 420.0, 900.0


class AbsentError(Exception):
    """A contender that cannot take part; the text says why."""


class Worker:
    """One contender's process. Between its turns it is stopped, so it takes no processor time.

    place: MODULE:NAME of the contender; spec: what it is to build; python: its environment's
    """

    def __init__(self, place: str, spec: Mapping[str, Any], python: Path) -> None:
        if not python.exists():
            raise AbsentError(f"its environment is not there ({_shown(python)})")
        threads = str(spec["threads"])
        quiet = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "KERAS_BACKEND": "jax"}
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - it lives as long as the process
        self._process = subprocess.Popen(
            [str(python), "-m", "benchmarks.speed.worker", place, json.dumps(spec)],
            cwd=ROOT,
            env=os.environ | dict.fromkeys(THREAD_VARIABLES, threads) | quiet,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,
        )
        ready = self._answer(START_SECONDS)
        self.warm_seconds = float(ready["warm_seconds"])
        self.after_warm_up: dict[str, Any] = ready["after_warm_up"]
        self.taken_by_others: list[tuple[float, float]] = []
        self._send(signal.SIGSTOP)

    def seconds_per_step(self, steps: int) -> float:
        """Let it train `steps` steps, alone, and return the seconds that each took."""
        before = moment(self._process.pid)
        self._send(signal.SIGCONT)
        self._order({"steps": steps})
        answer = self._answer(TURN_SECONDS)
        self._send(signal.SIGSTOP)
        taken = taken_by_others(before, moment(self._process.pid))
        self.taken_by_others += [] if taken is None else [taken]
        return float(answer["seconds"] / answer["steps"])

    def finish(self) -> dict[str, Any]:
        """End it; return what it says of itself: peak memory, loss, engine, versions."""
        self._send(signal.SIGCONT)
        self._order({"end": True})
        facts = self._answer(TURN_SECONDS)
        self.kill()
        return facts

    def kill(self) -> None:
        """End it and whatever it started; more than once is fine."""
        if self._log.closed:
            return
        self._send(signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._log):
            with suppress(BrokenPipeError):
                assert pipe is not None
                pipe.close()

    def _order(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def _answer(self, timeout_seconds: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        waiting, _, _ = select.select([self._process.stdout], [], [], timeout_seconds)
        line = self._process.stdout.readline() if waiting else ""
        answer: dict[str, Any] = json.loads(line) if line else {}
        if line and "failed" not in answer:
            return answer
        reason = answer.get("failed") or self._silence(bool(waiting), timeout_seconds)
        self.kill()
        raise AbsentError(reason)

    def _silence(self, has_ended: bool, timeout_seconds: float) -> str:
        if not has_ended:
            return f"no answer within {timeout_seconds:.0f} seconds"
        self._log.seek(0)
        words = self._log.read().strip().splitlines()
        return f"its process ended: {words[-1] if words else 'without a word'}"

    def _send(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
