"""Before training starts: how much it is, what it needs, and whether that fits this machine."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from treadle.api.training import Saving, Training
    from treadle.loop.journal import Journal
    from treadle.loop.state import TrainState

MEGABYTE = 1e6
TIGHT = 0.8
"""The share of what is free that a training may need before that is said to be too much."""


class Need(NamedTuple):
    """Bytes: of the weights, of memory beside what is in use already, and of disk."""

    parameters: int
    memory: int
    disk: int


def say_plan(training: Training, journal: Journal, folder: Path, saving: Saving) -> None:
    """Say in the journal what this training will be."""
    state, need = training.state, need_of(training.state, saving.keep)
    memory, disk = free_memory(), shutil.disk_usage(folder).free
    is_tight = need.disk > TIGHT * disk or (memory is not None and need.memory > TIGHT * memory)
    parts = [_amount(training)]
    if need.parameters:
        parts.append(f"{need.parameters:,} weights")
    needs = f"{size(need.memory)} of memory beside what is in use and {size(need.disk)} of disk"
    free = f"{size(memory)} and {size(disk)}" if memory is not None else f"{size(disk)} of disk"
    fits = "this may not fit here" if is_tight else "this fits here"
    sentence = f"{', '.join(parts)}; it needs about {needs}: {fits} ({free} are free)."
    journal.say(
        "plan",
        sentence,
        step=state.step,
        rows=training.source.num_rows,
        memory_bytes=need.memory,
        disk_bytes=need.disk,
        free_memory_bytes=memory,
        free_disk_bytes=disk,
        fits=not is_tight,
    )


def _amount(training: Training) -> str:
    rows = f"{training.source.num_rows:,} {training.rows_called}"
    steps = training.until.max_steps(training.steps_per_epoch)
    if not training.state.optimizers:
        return rows + (f", at most {int(steps):,} rounds" if math.isfinite(steps) else "")
    if not math.isfinite(steps):
        return f"{rows}, {training.steps_per_epoch:,} steps each time through them"
    return f"{rows}, at most {int(steps):,} steps ({steps / training.steps_per_epoch:.3g} epochs)"


def need_of(state: TrainState, checkpoints: int) -> Need:
    """Return what the state takes: weights, gradients, the optimizers' own, the best, the copies.

    A checkpoint holds weights, the optimizers' own and the best weights; one more than are kept is
    written before the oldest goes, and one lies in memory while it is written.
    """
    parameters = list(getattr(state.model, "parameters", list)())
    weights = sum(p.numel() * p.element_size() for p in parameters)
    own = sum(
        tensor.numel() * tensor.element_size()
        for optimizer in state.optimizers.values()
        for values in optimizer.state.values()
        for tensor in values.values()
        if hasattr(tensor, "numel")
    )
    checkpoint = 2 * weights + own
    return Need(
        parameters=sum(p.numel() for p in parameters),
        memory=2 * weights + checkpoint,
        disk=(checkpoints + 2) * checkpoint,
    )


def free_memory() -> int | None:
    """Return the bytes of memory that this process may still take, or None where nobody says."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        (line,) = [line for line in lines if line.startswith("MemAvailable:")]
        return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return None


def size(count: int | None) -> str:
    """Return "3 MB" or "1.2 GB"."""
    if count is None:
        return "unknown"
    if count < 1_000 * MEGABYTE:
        return f"{max(1, math.ceil(count / MEGABYTE)):,} MB"
    return f"{count / 1e9:.3g} GB"
