"""Validation: measures the model at a cadence of steps, and keeps the best weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from treadle.contracts import Validation
from treadle.goal import Metric
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from treadle.contracts import Batch, Model

Evaluate = Callable[[TrainState], Mapping[str, float]]


class Validator:
    """A watcher that measures, writes the curve, and keeps the weights of the best measurement.

    evaluate:    state → metrics by name; must hold `metric.name`
    every_steps: the cadence
    """

    def __init__(
        self,
        evaluate: Evaluate,
        metric: Metric,
        journal: Journal,
        *,
        every_steps: int,
        keep_weights: bool = True,
    ) -> None:
        self.evaluate = evaluate
        self.metric = metric
        self.journal = journal
        self.every_steps = max(1, every_steps)
        self.keep_weights = keep_weights

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
        if self.metric.better(value, state.best_value):
            state.keep_best(value, weights=self.keep_weights)


class FiniteCheck:
    """A watcher that says how many batches were skipped, and gives up when most of them are.

    The step itself skips a batch whose loss or gradients are not finite. This looks at its
    counter at a cadence, says so in words, and gives up where every batch since the last look
    was skipped.
    """

    def __init__(
        self, journal: Journal, *, every_steps: int, give_up: Callable[[str], None]
    ) -> None:
        self.journal = journal
        self.every_steps = max(1, every_steps)
        self.give_up = give_up

    def __call__(self, state: TrainState) -> None:
        if state.step % self.every_steps == 0:
            skipped, steps = self.look(state)
            if skipped == steps:
                self._refuse(steps)

    def close(self, state: TrainState) -> None:
        """Look at the end; a training in which no batch counted is no training."""
        self.look(state)
        if state.step and int(state.totals.non_finite) == state.step:
            self._refuse(state.step)

    def look(self, state: TrainState) -> tuple[int, int]:
        """Say how many batches were skipped since the last look; return that, and of how many."""
        memory = state.memory.setdefault("finite", {"seen": 0, "step": 0})
        skipped, steps = int(state.totals.non_finite) - memory["seen"], state.step - memory["step"]
        if skipped:
            self.journal.say(
                "non_finite",
                f"{skipped} of the last {steps} batches gave a loss or gradient that is not a "
                "finite number; they were skipped and nothing was changed by them.",
                step=state.step,
                skipped=skipped,
                steps=steps,
            )
        memory.update(seen=memory["seen"] + skipped, step=state.step)
        return skipped, steps

    def _refuse(self, steps: int) -> None:
        self.give_up(
            f"all of the last {steps} batches gave a loss that is not a finite number, so the "
            "model could not learn from them."
        )


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


def predictions(model: Model, batches: Iterable[Batch]) -> tuple[Tensor, float]:
    """Return what one of our models predicts for all rows, and its mean loss.

    The module must be in evaluation mode (`evaluating`). Predictions come back on the CPU,
    [N, C] probabilities or [N] values.
    """
    parts, loss, weight = [], 0.0, 0.0
    for batch in batches:
        outputs = model(batch)
        parts.append(model.predict(outputs).float().cpu())
        if "target" in batch:
            loss_sum, weight_sum = model.loss(outputs, batch)
            loss, weight = loss + float(loss_sum), weight + float(weight_sum)
    return torch.cat(parts), loss / weight if weight else math.nan
