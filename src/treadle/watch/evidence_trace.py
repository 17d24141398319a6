"""The losses of all batches of a training, kept in a few hundred windows, and where they jumped."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np

from treadle.contracts import Json
from treadle.loop.state import TrainState
from treadle.watch.evidence import Jumps, Windows

MOST_WINDOWS = 128
"""A window is a batch at first; when there are so many, each two of them become one."""

MEMORY = "trace"
COUNT, MEAN, SQUARES, HIGHEST = range(4)

JUMP = 8.0
"""How many times the usual loss a batch's must be for a jump: no batch is so unlike another."""

USUAL_OVER = 20
"""Batches whose median is the usual loss; so many must have been seen first."""

MOST_JUMPS = 64


class Trace:
    """A watcher that keeps every batch's loss: in windows, by count, mean, spread and highest.

    Beside the windows it keeps the first jumps: the step, the usual loss before it, the loss of the
    batch, and that of the batch after it.

    On a CPU it looks after each step, elsewhere (where a look waits) after each 20, and then the
    mean of these counts as one batch. It must come before whoever takes the sums (a validation).
    """

    def __init__(self, state: TrainState) -> None:
        self.every_steps = 1 if state.device.type == "cpu" else 20

    def __call__(self, state: TrainState) -> None:
        if state.step % self.every_steps:
            return
        memory = state.memory.get(MEMORY) or state.memory.setdefault(MEMORY, _empty())
        loss, weight = state.totals.loss.item(), state.totals.weight.item()
        taken = memory["step"] <= (state.history[-1].step if state.history else -1)
        if taken or weight < memory["weight"]:  # the sums began anew
            memory["loss"] = memory["weight"] = 0.0
        since = weight - memory["weight"]
        value = (loss - memory["loss"]) / since if since > 0 else math.nan
        memory["loss"], memory["weight"], memory["step"] = loss, weight, state.step
        if math.isfinite(value):
            _add(memory, value)
            _look_for_jump(memory, value, state.step)


def windows_of(memory: Json) -> Windows:
    """Return the windows that are full, and the last one, be it full or not."""
    found = memory.get(MEMORY, _empty())
    rows = [*found["windows"], *([found["open"]] if found["open"][COUNT] else [])]
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    batches = np.maximum(table[:, COUNT], 1.0)
    return Windows(
        batches=table[:, COUNT],
        mean=table[:, MEAN],
        spread=np.sqrt(table[:, SQUARES] / np.maximum(batches - 1, 1)),
        highest=table[:, HIGHEST],
        first=math.nan if found["first"] is None else found["first"],
    )


def jumps_of(memory: Json) -> Jumps:
    """Return where the loss jumped."""
    table = np.array(memory.get(MEMORY, _empty())["jumps"], dtype=np.float64).reshape(-1, 4)
    step, usual, loss, after = table.T
    return Jumps(step=step, usual=usual, loss=loss, after=after)


def _empty() -> dict[str, Any]:
    begun = {"step": 0, "loss": 0.0, "weight": 0.0, "width": 1}
    return begun | {
        "windows": [],
        "open": [0, 0.0, 0.0, 0.0],
        "first": None,
        "recent": [],
        "jumps": [],
    }


def _add(memory: Json, value: float) -> None:
    """Count one batch. Source: Welford, Note on a Method for Calculating Corrected Sums (1962)."""
    if memory["first"] is None:
        memory["first"] = value
    window = memory["open"]
    window[COUNT] += 1
    off = value - window[MEAN]
    window[MEAN] += off / window[COUNT]
    window[SQUARES] += off * (value - window[MEAN])
    window[HIGHEST] = value if window[COUNT] == 1 else max(window[HIGHEST], value)
    if window[COUNT] >= memory["width"]:
        memory["windows"].append(window)
        memory["open"] = [0, 0.0, 0.0, 0.0]
        if len(memory["windows"]) >= MOST_WINDOWS:
            pairs = zip(memory["windows"][::2], memory["windows"][1::2], strict=True)
            memory["windows"] = [_joined(a, b) for a, b in pairs]
            memory["width"] *= 2


def _joined(a: list[Any], b: list[Any]) -> list[Any]:
    """Return two windows as one. Source: Chan, Golub, LeVeque, Updating Formulae (1979)."""
    count = a[COUNT] + b[COUNT]
    off = b[MEAN] - a[MEAN]
    mean = a[MEAN] + off * b[COUNT] / count
    squares = a[SQUARES] + b[SQUARES] + off * off * a[COUNT] * b[COUNT] / count
    return [count, mean, squares, max(a[HIGHEST], b[HIGHEST])]


def _look_for_jump(memory: Json, value: float, step: int) -> None:
    """Note a batch whose loss is far above what was usual in the batches before it."""
    jumps, recent = memory["jumps"], memory["recent"]
    if jumps and jumps[-1][-1] is None:
        jumps[-1][-1] = value
    if len(recent) == USUAL_OVER:
        if value > JUMP * min(recent) and len(jumps) < MOST_JUMPS:
            usual = statistics.median(recent)
            if value > JUMP * usual > 0:
                jumps.append([step, usual, value, None])
        del recent[0]
    recent.append(value)
