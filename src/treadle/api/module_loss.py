"""How a batch of an engineer's data meets their module, their loss and their metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from treadle.errors import DataError, OptionError, did_you_mean
from treadle.goal import LOSS, METRICS, Metric

if TYPE_CHECKING:
    from torch import Tensor, nn

    from treadle.data.own import Own
    from treadle.loop.state import TrainState

TARGETS = ("target", "targets", "label", "labels", "y")
LOSS_NAMES = {
    "cross_entropy": "cross_entropy",
    "binary_cross_entropy": "binary_cross_entropy_with_logits",
    "mean_squared_error": "mse_loss",
    "mean_absolute_error": "l1_loss",
    "huber": "huber_loss",
}
SHORT_NAMES = {
    "mse": "mean_squared_error",
    "l2": "mean_squared_error",
    "mae": "mean_absolute_error",
    "l1": "mean_absolute_error",
    "smooth_l1": "huber",
    "bce": "binary_cross_entropy",
    "bce_with_logits": "binary_cross_entropy",
    "bcewithlogits": "binary_cross_entropy",
    "ce": "cross_entropy",
    "nll": "cross_entropy",
    "crossentropy": "cross_entropy",
}
"""What the losses are called elsewhere, torch's words without the "loss" at their end."""


class BatchLoss:
    """batch → the loss that the user's functions give for it, as the batch's mean."""

    def __init__(self, module: nn.Module, loss: Callable[..., Any] | str | None) -> None:
        self.module = module
        self.loss = _named_loss(loss) if isinstance(loss, str) else loss

    def __call__(self, batch: Any) -> Tensor:
        return self.of(*parts_of(self.module, batch, whole=self.loss is None))

    def of(self, output: Any, target: Any) -> Tensor:
        """Return the loss of an output that was computed already."""
        if self.loss is not None:
            loss: Tensor = self.loss(output, target)
            return loss
        if hasattr(output, "loss") and output.loss is not None:
            own: Tensor = output.loss
            return own
        raise OptionError(
            f"there is no loss, and the module's output ({type(output).__name__}) has none either.",
            'Give loss=…: a function of (output, target), or a name such as "cross_entropy".',
        )


def parts_of(module: nn.Module, batch: Any, *, whole: bool = False) -> tuple[Any, Any]:
    """Return (the module's output for a batch, its target or None).

    (x, y):            module(x), y; with more inputs (a, b, y): module(a, b), y
    a dict:            module(**rest), target; whole=True gives the module the target as well
    a tensor alone:    module(x), None
    """
    if isinstance(batch, Mapping):
        name = next((name for name in TARGETS if name in batch), None)
        target = batch[name] if name else None
        inputs = {key: value for key, value in batch.items() if whole or key != name}
        return module(**inputs), target
    if isinstance(batch, (tuple, list)):
        *features, target = batch if len(batch) > 1 else (batch[0], None)
        return module(*features), target
    if hasattr(batch, "shape"):
        return module(batch), None
    raise DataError(
        f"a batch is a {type(batch).__name__}, which cannot be told apart into input and target.",
        "Let it be (x, y) or a dict, or give step=… and do the forward pass yourself.",
    )


class OwnStep:
    """A user's own step: they do the forward pass, backward pass and updates themselves.

    Where a decision changes `state.scale`, the optimizers' learning rates are scaled with it. A
    loss that is not finite is counted, and kept out of the mean.
    """

    def __init__(self, function: Callable[[TrainState, Any], Any]) -> None:
        self.function = function

    def __call__(self, state: TrainState, batch: Any) -> None:
        import torch

        from treadle.loop.step import num_rows

        self._scale_rates(state)
        loss = self.function(state, batch)
        if loss is not None:
            count = num_rows(batch)
            loss = torch.as_tensor(loss).detach()
            finite = torch.isfinite(loss)
            state.totals.add(torch.where(finite, loss * count, 0.0), finite * float(count))
            state.totals.non_finite.add_(~finite)

    def _scale_rates(self, state: TrainState) -> None:
        if state.scale == 1.0 and "own_step" not in state.memory:
            return
        before = state.memory.setdefault("own_step", {"scale": 1.0})
        if before["scale"] != state.scale:
            for optimizer in state.optimizers.values():
                for group in optimizer.param_groups:
                    group["lr"] *= state.scale / before["scale"]
            before["scale"] = state.scale


class Evaluation:
    """state → the loss and the user's metrics on the validation data."""

    def __init__(
        self,
        loss: BatchLoss,
        held_out: Own | None,
        metrics: Mapping[str, Callable[[Any, Any], Any]] | Sequence[str],
    ) -> None:
        self.loss = loss
        self.held_out = held_out
        self.metrics = (
            metrics if isinstance(metrics, Mapping) else {m: _by_name(m) for m in metrics}
        )

    def __call__(self, state: TrainState) -> dict[str, float]:
        from treadle.watch.validation import averaged, evaluating

        if self.held_out is None:
            return {}
        # what a module of the user's own keeps of a forward pass must serve in training too
        with averaged(state), evaluating(state.module, inference=False):
            return self._measure(self.held_out)

    def _measure(self, held_out: Own) -> dict[str, float]:

        from treadle.loop.step import num_rows

        total, count = 0.0, 0
        outputs, targets = _Rows(held_out.num_rows), _Rows(held_out.num_rows)
        for batch in held_out.once():
            output, target = parts_of(self.loss.module, batch, whole=self.loss.loss is None)
            if self.loss.loss is not None or getattr(output, "loss", None) is not None:
                rows = num_rows(batch)
                total, count = total + float(self.loss.of(output, target)) * rows, count + rows
            if self.metrics:
                outputs.add(compared(output, "the module's output"))
                targets.add(compared(target, "the target"))
        values = {"loss": total / count} if count else {}
        if self.metrics:
            whole, truth = outputs.whole(), targets.whole()
            values |= {
                name: float(function(whole, truth)) for name, function in self.metrics.items()
            }
        return values


class _Rows:
    """Rows that come in parts, kept in one tensor on the CPU.

    Small parts kept one by one between large passing ones would leave the heap full of holes:
    with data larger than memory that took three times the budget.
    """

    def __init__(self, num_rows: int) -> None:
        self.num_rows, self._filled = num_rows, 0
        self._kept: Tensor | None = None

    def add(self, part: Tensor) -> None:
        import torch

        end = self._filled + len(part)
        if self._kept is None:
            self._kept = part.new_empty((self.num_rows, *part.shape[1:]), device="cpu")
        if end > len(self._kept):  # a loader may not know how many rows it has
            more = part.new_empty((end, *part.shape[1:]), device="cpu")
            self._kept = torch.cat([self._kept[: self._filled], more])
        self._kept[self._filled : end] = part.detach()
        self._filled = end

    def whole(self) -> Tensor:
        assert self._kept is not None, "held-out data has at least one row"
        return self._kept[: self._filled]


def choose_metric(
    name: str,
    metrics: Mapping[str, Callable[[Any, Any], Any]] | Sequence[str],
    higher_is_better: bool | None,
) -> Metric:
    """Return the metric that decides what is best.

    Raises: OptionError when it is not measured, or its direction is not known.
    """
    if name == "loss":
        return LOSS
    if name not in metrics:
        raise OptionError(
            f"metric is '{name}', which is not measured.",
            f"{did_you_mean(name, ['loss', *metrics])}Measured are: loss, {', '.join(metrics)}.",
        )
    if higher_is_better is None and name not in METRICS:
        raise OptionError(
            f"it is not known whether more of '{name}' is better.",
            "Say higher_is_better=True or False.",
        )
    up = METRICS[name].higher_is_better if higher_is_better is None else higher_is_better
    return Metric(
        name=name, needs="values", higher_is_better=up, tasks=("own",), function=LOSS.function
    )


def _named_loss(name: str) -> Callable[..., Any]:
    import torch.nn.functional

    if name not in LOSS_NAMES:
        short = name.strip().lower().removesuffix("loss").rstrip("_ ")
        near = did_you_mean(SHORT_NAMES.get(short, name), LOSS_NAMES)
        raise OptionError(
            f"there is no loss '{name}'.",
            f"{near}Names: {', '.join(LOSS_NAMES)}. Or a function.",
        )
    function: Callable[..., Any] = getattr(torch.nn.functional, LOSS_NAMES[name])
    return function


def _by_name(name: str) -> Callable[[Tensor, Tensor], float]:
    """Return scikit-learn's metric of that name as a function of (logits or values, target)."""
    if name not in METRICS:
        raise OptionError(
            f"the metric '{name}' is not known.",
            f"{did_you_mean(name, METRICS)}Or give metrics={{'{name}': your function}}.",
        )
    metric = METRICS[name]

    def measure(output: Tensor, target: Tensor) -> float:
        import torch

        if metric.needs == "values":
            return metric(
                target.reshape(len(target), -1).numpy(), output.reshape(len(output), -1).numpy()
            )
        if output.ndim == 1 or output.shape[1] == 1:
            positive = output.reshape(-1).sigmoid()
            probabilities = torch.stack([1 - positive, positive], dim=1)
        else:
            probabilities = output.softmax(dim=1)
        return metric(target.reshape(-1).long().numpy(), probabilities.numpy())

    return measure


def compared(value: Any, name: str) -> Tensor:
    """Return the tensor that metrics compare. Raises: DataError when there is none."""
    found: Any = value.logits if hasattr(value, "logits") else value
    if hasattr(found, "cpu"):
        tensor: Tensor = found
        return tensor
    raise DataError(
        f"metrics compare one tensor with another, and {name} is a {type(found).__name__}.",
        "Let batches be (x, y) and the module return one tensor, or measure in a watcher.",
    )
