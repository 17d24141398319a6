"""A tiny training with everything that a checkpoint must hold, and what a trial makes of it."""

from __future__ import annotations

import ctypes
import hashlib
import json
import math
import random
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.faults.interposer import Fault, mark, ours
from treadle.contracts import Batch, Validation
from treadle.data.batches import TensorSource
from treadle.errors import SaveError
from treadle.loop.checkpoint import Saver, read, read_newest
from treadle.loop.loop import turn
from treadle.loop.randomness import seed_all
from treadle.loop.state import TrainState
from treadle.loop.step import EagerStep
from treadle.loop.until import steps

Answer = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How the tiny run is turned.

    every:  a save is due after so many steps
    keep:   how many checkpoints are kept
    beside: whether steps go on while a save is under way; otherwise it is waited for
    width:  of the network: 8 gives files below 4 KiB, 64 some of 40 KiB
    """

    num_steps: int = 7
    every: int = 2
    keep: int = 1
    beside: bool = False
    width: int = 8


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training, from the newest checkpoint in a folder to the end, with a fault on the way.

    root: the run's folder: calls that touch what is in it are watched
    """

    root: Path
    log: Path
    plan: Plan = field(default_factory=Plan)
    fault: Fault = field(default_factory=Fault)


def train(trial: Trial) -> Answer:
    """Turn the tiny run to its end, and say where it began and what it came to."""
    plan, answer = trial.plan, Answer(began=0, reached=0)
    state, source, step = tiny(plan.width)
    try:
        found, said = read_newest(checkpoints(trial.root))
        answer["said"] = said
        if found:
            state.restore(*found)
        answer["began"] = answer["reached"] = state.step
        mark("began", state.step)
        saver = Saver(checkpoints(trial.root), every_seconds=0.0, keep=plan.keep)

        def saving(state: TrainState) -> None:
            answer["reached"] = state.step
            mark("reached", state.step)
            saver.every_seconds = math.inf if state.step % plan.every else 0.0
            saver(state)
            if not plan.beside:
                saver.wait()
            if saver.saved_step is not None:
                mark("saved", saver.saved_step)

        turn(state, source, step, [history, saving], steps(plan.num_steps))
        saver.close(state)
        mark("saved", state.step)
    except SaveError as error:
        answer["error"] = error.message
    answer["calls"] = ours().faults_calls()
    answer["digest"] = digest(state)
    return answer


def checkpoints(root: Path) -> Path:
    return root / "checkpoints"


def tiny(width: int = 8) -> tuple[TrainState, TensorSource, EagerStep]:
    """Return a state, its data and its step: each generator of the process is drawn from."""
    seed_all(11)
    x_NF, y_N = torch.randn(50, 5), torch.randn(50)
    net = nn.Sequential(nn.Linear(5, width), nn.BatchNorm1d(width), nn.Dropout(0.2))
    net.append(nn.Linear(width, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    state = TrainState(model=net, optimizers={"main": optimizer})

    def loss(batch: Batch) -> torch.Tensor:
        noise = float(np.random.standard_normal()) + random.gauss(0.0, 1.0)
        return ((net(batch["x"])[:, 0] - batch["y"] + 0.1 * noise) ** 2).mean()

    step = EagerStep(loss)
    step.prepare(state)
    return state, TensorSource({"x": x_NF, "y": y_N}, batch_size=8, seed=5), step


def history(state: TrainState) -> None:
    """Look at every third step, and keep the best."""
    if state.step % 3:
        return
    value = float(sum(p.detach().abs().sum() for p in state.module.parameters()))
    entry = Validation(step=state.step, epoch=state.epoch, metrics={"size": value})
    state.history.append(entry)
    state.memory["mine"] = {"seen": [entry.step for entry in state.history]}
    if state.best_value is None or value > state.best_value:
        state.keep_best(value)


def digest(state: TrainState) -> str:
    """Return a hash of all that a run is: each tensor of its state, each fact but the time."""
    files, facts = state.snapshot()
    facts.pop("seconds")
    found = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for file, tensors in sorted(files.items()):
        for name, tensor in sorted(tensors.items()):
            found.update(f"{file}/{name}/{tensor.dtype}/{list(tensor.shape)}".encode())
            found.update(tensor.numpy().tobytes())
    return found.hexdigest()


def train_during_a_save(trial: Trial) -> Answer:
    """Turn steps while a save is held up at its so-manyth call; compare what was saved."""
    state, source, step = tiny(trial.plan.width)
    turn(state, source, step, [history], steps(4))
    saver = Saver(checkpoints(trial.root), every_seconds=0.0)
    expected = digest(state)
    trial.fault.arm(trial.root, trial.log)
    saver(state)
    _wait_until_held()
    turn(state, source, step, [history], steps(40))
    changed = digest(state) != expected
    ours().faults_release()
    saver.wait()
    again = tiny(trial.plan.width)[0]
    again.restore(*read(checkpoints(trial.root) / "step-000000004"))
    return {"changed": changed, "same": digest(again) == expected}


def lose_the_thread(trial: Trial) -> Answer:
    """End the thread that saves while it is in the middle of its so-manyth call, from outside."""
    state, source, step = tiny(trial.plan.width)
    turn(state, source, step, [], steps(2))
    saver = Saver(checkpoints(trial.root), every_seconds=0.0)
    saver(state)
    saver.wait()
    turn(state, source, step, [], steps(4))
    trial.fault.arm(trial.root, trial.log)
    saver(state)
    _wait_until_held()
    thread = next(t for t in threading.enumerate() if t.name == "checkpoint")
    asked = ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit)
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc(*asked) == 1
    ours().faults_release()
    saver.wait()
    turn(state, source, step, [], steps(6))
    answer = Answer(error="")
    try:
        saver(state)
    except SaveError as error:
        answer["error"] = error.message
    found, _ = read_newest(checkpoints(trial.root))
    return answer | {"newest": found[1]["step"] if found else None}


def _wait_until_held() -> None:
    pause = threading.Event()
    for _ in range(5_000):
        if ours().faults_held():
            return
        pause.wait(0.002)
    raise AssertionError("the save never came to that call")
