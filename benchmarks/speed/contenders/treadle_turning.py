"""Turning Treadle's loop for an order of the suite, by the engine that the suite asks for."""

from __future__ import annotations

import importlib.util
from typing import Any

import treadle
from benchmarks.speed.data import Spec
from benchmarks.speed.gate import Gate
from treadle.contracts import Source
from treadle.loop.loop import turn
from treadle.loop.state import TrainState
from treadle.loop.step import BatchLoss, EagerStep


def turn_for(spec: Spec, gate: Gate, state: TrainState, source: Source, loss: BatchLoss) -> None:
    """Train `state` on `source`: one turn of the loop that stops at the gate between orders."""
    step = step_of(spec, loss)
    step.prepare(state)
    found = gate.facts

    def facts() -> dict[str, Any]:
        if spec["engine"] == "compiled" and not step.is_engaged:
            reasons = " ".join(sentence for sentence, _ in step.notes)
            raise RuntimeError(f"it was asked to compile and stayed eager: {reasons}")
        return found() | {"treadle": treadle.__version__, "engine": spec["engine"]}

    def watch(_: TrainState) -> None:
        gate.tick()

    gate.facts = facts
    turn(state, source, step, watchers=[watch])


def step_of(spec: Spec, loss: BatchLoss) -> Any:
    """Return the step of the engine that is asked for. Raises: RuntimeError without it."""
    if spec["engine"] == "eager":
        return EagerStep(loss)
    if importlib.util.find_spec("treadle.loop.compiled") is None:
        raise RuntimeError("this version of Treadle has no compiled step")
    from treadle.loop.compiled import CompiledStep

    return CompiledStep(loss)
