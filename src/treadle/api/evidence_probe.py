"""A short stretch of training at another rate, on a copy: the training itself is left as it is."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treadle.contracts import Source
    from treadle.loop.state import TrainState
    from treadle.watch.evidence import Probe, Seen


def probe(
    state: TrainState,
    source: Source,
    loss: Callable[[Any, Any], Any],
    look: Callable[[Any], Seen],
    *,
    factor: float,
    steps: int,
) -> Probe | None:
    """Train a copy for some steps with `factor` times the rate, from where the state stands.

    loss:    (model, batch) → a scalar, or (sum of losses, sum of weights)
    look:    model → what it does with the sampled rows

    Returns None for what cannot be copied, or cannot be trained apart.
    """
    import torch

    from treadle.loop.randomness import kept_generators
    from treadle.watch.evidence import Probe

    with kept_generators():
        try:
            model, optimizers = copy.deepcopy((state.model, state.optimizers))
            if any(isinstance(one, torch.optim.LBFGS) for one in optimizers.values()):
                return None
            _scale_rates(optimizers, factor * state.scale)
            _turn(model, optimizers, source, loss, state, steps)
            found = look(model)
        except Exception:  # a user's module may refuse to be copied in any way
            return None
    if found.held_out is None:
        return None
    return Probe(factor=factor, steps=steps, train=found.train, held_out=found.held_out)


def _scale_rates(optimizers: dict[str, Any], factor: float) -> None:
    """Set the rates to so many times the planned ones, whatever a schedule made of these."""
    from treadle.loop.step import RATE

    for optimizer in optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] = group.get(RATE, group["lr"]) * factor


def _turn(
    model: Any,
    optimizers: dict[str, Any],
    source: Source,
    loss: Callable[[Any, Any], Any],
    state: TrainState,
    steps: int,
) -> None:
    import torch

    model.train()
    batches = source.batches(state.cursor)
    with torch.enable_grad():
        for (batch, _), _ in zip(batches, range(steps), strict=False):
            value = loss(model, batch)
            mean = value[0] / value[1] if isinstance(value, tuple) else value
            if not math.isfinite(float(mean.detach())):
                return
            for optimizer in optimizers.values():
                optimizer.zero_grad(set_to_none=True)
            mean.backward()
            for optimizer in optimizers.values():
                optimizer.step()
