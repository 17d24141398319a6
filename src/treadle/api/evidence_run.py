"""What a training's own state tells for the verdicts, and how much may be measured besides."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treadle.api.training import Training
    from treadle.loop.state import TrainState
    from treadle.watch.evidence import Evidence

MEMORY = "verdicts"
MOST_ROWS = 1_024
"""Rows of train and of validation that are looked at: enough for a share to ± 1.5 of 100."""

LEAST_ROWS = 256
LOOKS = 8
"""How often the sampled rows go through the model: two parts, at the last and the best weights, and
twice as much for what is compared with them."""

FORWARD_SHARE = 0.3
"""What of a training step its forward pass takes."""

SHARE = 0.1
"""What of a training's work may be done once more for looking at its end. It goes by rows, not by a
clock: equal trainings are to hear the same."""

LOSS_NAMES = ("validation_loss", "loss")


def affordable_rows(training: Training) -> int:
    """Return how many rows may be looked at: all looks together are a small part of the work."""
    per_step = training.source.num_rows / max(1, training.steps_per_epoch)
    allowed = SHARE * training.state.step * per_step / (LOOKS * FORWARD_SHARE)
    return int(min(MOST_ROWS, max(LEAST_ROWS, allowed)))


def evidence_of(training: Training, *, live: bool = False, **measured: Any) -> Evidence:
    """Return what the state itself tells, and what was measured besides.

    live: on the way, when nothing was measured, and the first losses are the only yardstick
    """
    from treadle.watch import divergence, first_steps
    from treadle.watch.evidence import Evidence
    from treadle.watch.evidence_trace import jumps_of, windows_of
    from treadle.watch.reach import wild_of

    state = training.state
    memory = state.memory.get(divergence.MEMORY, {})
    return Evidence(
        step=state.step,
        steps_per_epoch=training.steps_per_epoch,
        rows=training.source.num_rows,
        held_out_rows=getattr(training.sight, "held_out_rows", 0),
        same_units=not live and getattr(training.sight, "same_units", True),
        untouched=_untouched(training),
        curve=curve_of([(entry.step, entry.metrics) for entry in state.history]),
        windows=windows_of(state.memory),
        jumps=jumps_of(state.memory),
        wild=wild_of(state.memory),
        best_step=state.best_step,
        first_silent=_first_silent(state),
        skipped=int(state.totals.non_finite),
        rollbacks=len(memory.get("rollbacks", ())),
        better_rate=state.memory.get(first_steps.MEMORY, {}).get("factor", 1.0),
        **_held_back(state),
        **measured,
    )


def _held_back(state: TrainState) -> dict[str, Any]:
    """Return what decay and dropout may have done, and what of the weights is left."""
    from treadle.loop.step import RATE

    groups = [group for one in state.optimizers.values() for group in one.param_groups]
    decays = [float(g.get(RATE, g["lr"])) * float(g.get("weight_decay") or 0.0) for g in groups]
    modules = state.module.modules() if groups else ()
    size = state.memory.get(MEMORY, {}).get("size", 0.0)
    return {
        "decayed": state.step * max(decays, default=0.0),
        "left_out": max((dropout_share(part) for part in modules), default=0.0),
        "weights_left": weights_size(state) / size if size else 1.0,
    }


def dropout_share(part: Any) -> float:
    """Return which share of units a module leaves out while training; 0 for one of another kind."""
    from torch.nn.modules.dropout import _DropoutNd

    return float(part.p) if isinstance(part, _DropoutNd) else 0.0


def weights_size(state: TrainState) -> float:
    """Return the norm of all weights together; 0.0 for what has none, or none that is finite."""
    import torch

    if not hasattr(state.model, "parameters"):
        return 0.0
    with torch.no_grad():
        norms = [part.norm() for part in state.module.parameters() if part.ndim > 1]
        size = float(torch.stack(norms).norm()) if norms else 0.0
    return size if math.isfinite(size) else 0.0


def _untouched(training: Training) -> float:
    """Return what so many rounds at their rate must leave of the error; NaN for no trees."""
    rate = getattr(training.sight, "rate_a_round", None)
    return math.nan if rate is None else max(0.0, 1.0 - rate) ** training.state.step


def _first_silent(state: TrainState) -> dict[str, tuple[int, int]]:
    kept = state.memory.get(MEMORY, {}).get("silent", {})
    return {name: (units, silent) for name, (units, silent) in kept.items()}


def curve_of(history: Sequence[tuple[int, Mapping[str, float]]]) -> Any:
    """Return the validations as a curve of losses."""
    import numpy as np

    from treadle.watch.evidence import Curve

    def column(*names: str) -> Any:
        found = [next((m[n] for n in names if n in m), np.nan) for _, m in history]
        return np.array(found, dtype=np.float64)

    return Curve(
        steps=np.array([step for step, _ in history], dtype=np.float64),
        train=column("train_loss"),
        held_out=column(*LOSS_NAMES),
    )
