"""Turns trials in forked children of a process that has imported torch, and the interposer, once.

`Zygote` is the tests' side; run as a script, this file is that process: for every line of stdin
(a program of tiny_run.py, and its trial) it forks, and prints what the child answered and how it
ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.faults.interposer import Fault, build

if TYPE_CHECKING:
    from tests.faults.tiny_run import Answer, Trial

REPOSITORY = Path(__file__).parent.parent.parent


class Zygote:
    """A process that forks for every trial. place: where its library is built."""

    def __init__(self, place: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            env=os.environ
            | {
                "LD_PRELOAD": str(build(place)),
                "PYTHONPATH": f"{REPOSITORY / 'src'}{os.pathsep}{REPOSITORY}",
                "OMP_NUM_THREADS": "1",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, trial: Trial, program: str = "train") -> Answer:
        """Return what a trial answered; `ended` is its exit code, or minus a signal."""
        assert self.process.stdin is not None and self.process.stdout is not None
        order = {"program": program, "trial": asdict(trial)}
        self.process.stdin.write(json.dumps(order, default=str) + "\n")
        self.process.stdin.flush()
        answer: Answer = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@contextlib.contextmanager
def zygote(place: Path) -> Iterator[Zygote]:
    """Start a zygote, and end it."""
    started = Zygote(place)
    try:
        yield started
    finally:
        started.close()


def serve() -> None:
    """Fork for every line of stdin."""
    import torch

    from tests.faults import tiny_run

    torch.set_num_threads(1)
    state, source, step = tiny_run.tiny()  # what a first training imports is imported once
    tiny_run.turn(state, source, step, [tiny_run.history], tiny_run.steps(3))
    for line in sys.stdin:
        order = json.loads(line)
        plain = order["trial"]
        trial = tiny_run.Trial(
            root=Path(plain["root"]),
            log=Path(plain["log"]),
            plan=tiny_run.Plan(**plain["plan"]),
            fault=Fault(**plain["fault"]),
        )
        print(json.dumps(_in_a_child(getattr(tiny_run, order["program"]), trial)), flush=True)


def _in_a_child(program: Any, trial: Trial) -> Answer:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os._exit(_turn(program, trial, writing))
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    answer: Answer = json.loads(text or "{}")
    return answer | {"ended": ended}


def _turn(program: Any, trial: Trial, writing: int) -> int:
    try:
        trial.root.mkdir(parents=True, exist_ok=True)
        if program.__name__ == "train":
            trial.fault.arm(trial.root, trial.log)
        os.write(writing, json.dumps(program(trial)).encode())
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    serve()
