"""Which engine turns a step: eager, compiled, or whichever proves the faster (auto)."""

from __future__ import annotations

import functools
import subprocess
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from treadle.contracts import Schedule, Step
    from treadle.loop.step import BatchLoss, StepOptions

Engine = Literal["auto", "eager", "compiled"]
ENGINES = ("auto", "eager", "compiled")


def make_step(
    engine: Engine, loss: BatchLoss, *, schedule: Schedule | None, options: StepOptions
) -> Any:
    """Return the step of an engine. Under "auto" it is eager until a watcher finds better."""
    from treadle.loop.compiled import CompiledStep
    from treadle.loop.step import EagerStep

    if engine == "eager":
        return EagerStep(loss, schedule=schedule, options=options)
    return CompiledStep(loss, schedule=schedule, options=options, pinned=engine == "compiled")


def may_capture(step: Step) -> bool:
    """Tell whether a step is of the kind that can be captured."""
    return hasattr(step, "is_engaged")


def eager_of(step: Step) -> Any:
    """Return the eager step inside of one that may be captured; any other step as it is."""
    return getattr(step, "eager", step)


def schedule_of(step: Step) -> Schedule | None:
    """Return the schedule that a step goes by, where it has one."""
    schedule: Schedule | None = getattr(eager_of(step), "schedule", None)
    return schedule


def engine_of(step: Step) -> str:
    """Return the engine that a step runs on now."""
    return "compiled" if getattr(step, "is_engaged", False) else "eager"


@functools.cache
def compiler() -> str:
    """Return the C++ compiler's version, or "absent": compiled steps depend on it to the bit."""
    from treadle.capture.package import compiler_path

    path = compiler_path()
    if path is None:
        return "absent"
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    return said.splitlines()[0].strip() if said else "unknown"
