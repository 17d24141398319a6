"""Validation: measures the model at a cadence of steps, and keeps the best weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from treadle.contracts import Validation
from treadle.goal import Metric
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState

Evaluate = Callable[[TrainState], Mapping[str, float]]


class Validator:
    """A watcher that measures, writes the curve, and keeps the weights of the best measurement.

    evaluate:    state → metrics by name; must hold `metric.name`
    every_steps: the cadence
    keep_from:   the step from which on the best is kept: before it, training may begin anew
    """

    def __init__(
        self,
        evaluate: Evaluate,
        metric: Metric,
        journal: Journal,
        *,
        every_steps: int,
        keep_weights: bool = True,
        keep_from: int = 0,
    ) -> None:
        self.evaluate = evaluate
        self.metric = metric
        self.journal = journal
        self.every_steps = max(1, every_steps)
        self.keep_weights = keep_weights
        self.keep_from = keep_from

    def __call__(self, state: TrainState) -> None:
        if state.step % self.every_steps == 0:
            self.measure(state)

    def measure(self, state: TrainState) -> None:
        """Measure now, unless this step was measured already."""
        if state.history and state.history[-1].step == state.step:
            return
        values = {"train_loss": state.totals.take_mean(), **state.totals.take_logged()}
        values |= self.evaluate(state)
        state.history.append(Validation(step=state.step, epoch=state.epoch, metrics=values))
        rates = {
            f"learning_rate{'' if name == 'main' else '_' + name}": float(group["lr"])
            for name, optimizer in state.optimizers.items()
            for group in optimizer.param_groups[:1]
        }
        self.journal.measure(state.step, state.epoch, values | rates, seconds=state.seconds)
        value = values[self.metric.name]
        if state.step >= self.keep_from and self.metric.better(value, state.best_value):
            state.keep_best(value, weights=self.keep_weights)


class Plateau:
    """A watcher that lowers the rate by decision where validation stands still."""

    def __init__(self, journal: Journal, *, patience: int = 3, factor: float = 0.3) -> None:
        self.journal = journal
        self.patience = patience
        self.factor = factor

    def __call__(self, state: TrainState) -> None:
        if not state.history or state.history[-1].step != state.step:
            return
        memory = state.memory.setdefault("plateau", {"since": 0})
        start = max(memory["since"], state.best_step or 0)
        still = sum(entry.step > start for entry in state.history)
        if still >= self.patience:
            state.scale = self.journal.decide("rate", state.step, lambda: self._lower(state, still))
            memory["since"] = state.step

    def _lower(self, state: TrainState, still: int) -> tuple[float, str, dict[str, float]]:
        scale = state.scale * self.factor
        sentence = (
            f"validation stood still for {still} checks, so the learning rate was lowered to "
            f"{scale:.3g} of where it began."
        )
        return scale, sentence, {"still": still, "scale": scale}


@contextmanager
def averaged(state: TrainState) -> Iterator[None]:
    """Let the module hold its averaged weights for a while, where an average is kept."""
    if not state.average:
        yield
        return
    own = {name: p.detach().clone() for name, p in state.module.named_parameters()}
    parameters = dict(state.module.named_parameters())
    with torch.no_grad():
        for name, tensor in state.average.items():
            parameters[name].copy_(tensor)
    try:
        yield
    finally:
        with torch.no_grad():
            for name, tensor in own.items():
                parameters[name].copy_(tensor)


@contextmanager
def evaluating(module: nn.Module, *, inference: bool = True) -> Iterator[None]:
    """Put every part of a module in evaluation mode for a while, and each back as it was.

    inference=False: tensors that the module keeps of it (a cache) can be used in training
    """
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.inference_mode() if inference else torch.no_grad():
            yield
    finally:
        for part, mode in modes:
            part.training = mode
