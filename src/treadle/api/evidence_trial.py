"""Short trainings from where a training ended, each undone: what another rate would have brought.

A trial turns the training's own step over its own data, so what it does is what training does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treadle.api.training import Training
    from treadle.contracts import Schedule
    from treadle.watch.evidence import Probe, Seen
    from treadle.watch.trials import Trial

HELD = 0.5
"""The share of a trial that falls for which the rate is held."""


class Trials:
    """Trains on for a stretch, looks at what came of it, and puts everything back.

    look: what the model does with the sampled rows, with the weights that it has now
    """

    def __init__(self, training: Training, look: Callable[[], Seen | None]) -> None:
        from treadle.api.engine import eager_of
        from treadle.study.stretches import Stretches

        self.state, self.look = training.state, look
        self.step = eager_of(training.step)
        self._seen: Seen | None = None
        self._stretch = Stretches(self.state, training.source, self.step, self._measured)

    def __call__(self, wanted: Trial) -> Probe:
        """Return what a trial came to."""
        import numpy as np

        from treadle.watch.evidence import Probe

        self._seen = None
        with self._schedule(wanted), _freed(self.state, wanted.free):
            self._stretch(wanted.factor, wanted.steps)
        seen = self._found()
        held_out = None if seen is None else seen.held_out
        return Probe(
            factor=wanted.factor,
            steps=wanted.steps,
            train=None if seen is None else seen.train,
            held_out=np.array([np.inf]) if held_out is None else held_out,
            falls=wanted.falls,
            free=wanted.free,
        )

    def _found(self) -> Seen | None:
        return self._seen

    def _measured(self, _: Any) -> float:
        self._seen = self.look()
        return 0.0

    @contextmanager
    def _schedule(self, wanted: Trial) -> Iterator[None]:
        """Hold the rate, or let it run out at the end, whatever a schedule made of it by now."""
        before, self.step.schedule = self.step.schedule, _schedule(self.state.step, wanted)
        try:
            yield
        finally:
            self.step.schedule = before


def can_try(training: Training) -> bool:
    """Tell whether trials can be made: by our own step, over data that is kept in memory."""
    import torch

    from treadle.api.engine import eager_of
    from treadle.data.batches import TensorSource
    from treadle.loop.step import EagerStep

    optimizers = training.state.optimizers.values()
    return (
        isinstance(eager_of(training.step), EagerStep)
        and isinstance(training.source, TensorSource)
        and bool(optimizers)
        and not any(isinstance(one, torch.optim.LBFGS) for one in optimizers)
    )


def _schedule(start: int, wanted: Trial) -> Schedule:
    held = HELD * wanted.steps if wanted.falls else wanted.steps

    def factor(step: int, horizon: int, scale: float) -> float:
        left = (start + wanted.steps - step) / max(1.0, wanted.steps - held)
        return scale * min(1.0, left)

    return factor


@contextmanager
def _freed(state: Any, free: bool) -> Iterator[None]:
    """Take away what holds a model back: weight decay, and units that are left out by chance."""
    if not free:
        yield
        return
    from torch.nn.modules.dropout import _DropoutNd

    kept = [group.get("weight_decay") for group in _groups(state)]
    parts = [part for part in state.module.modules() if isinstance(part, _DropoutNd)]
    shares = [part.p for part in parts]
    try:
        for group in _groups(state):
            if "weight_decay" in group:
                group["weight_decay"] = 0.0
        for part in parts:
            part.p = 0.0
        yield
    finally:
        for group, decay in zip(_groups(state), kept, strict=True):
            if decay is not None:
                group["weight_decay"] = decay
        for part, share in zip(parts, shares, strict=True):
            part.p = share


def _groups(state: Any) -> list[Any]:
    return [group for one in state.optimizers.values() for group in one.param_groups]
