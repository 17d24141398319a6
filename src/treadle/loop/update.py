"""What an optimizer does to one parameter, as a function of tensors: for steps that are captured.

Each is torch's own arithmetic in torch's own order, so that a captured step and an eager one
differ by rounding alone. Learning rates and counts of steps come as tensors of zero dimensions,
float64 and float32: a captured step must not freeze them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor

from treadle.loop.adamw import AdamW
from treadle.loop.step import RATE

Values: TypeAlias = "dict[str, Tensor]"
"""An optimizer's state of one parameter, by the names that torch gives it."""

Update: TypeAlias = (
    "Callable[[Tensor, Tensor, Values, Mapping[str, Any], Tensor], tuple[Tensor, Values]]"
)
"""(parameter, gradient, values, group, rate) → (the parameter after it, the values after it)."""


def adam(
    parameter: Tensor, gradient: Tensor, values: Values, group: Mapping[str, Any], rate: Tensor
) -> tuple[Tensor, Values]:
    """Adam, and AdamW where the group's weight decay is decoupled.

    Source: Kingma and Ba (2015), algorithm 1; Loshchilov and Hutter (2019), algorithm 2.
    """
    beta1, beta2 = group["betas"]
    if group["weight_decay"]:
        if group["decoupled_weight_decay"]:
            parameter = parameter * (1 - rate * group["weight_decay"]).to(parameter.dtype)
        else:
            gradient = gradient.add(parameter, alpha=group["weight_decay"])
    step = values["step"] + 1
    first = torch.lerp(values["exp_avg"], gradient, 1 - beta1)
    second = (values["exp_avg_sq"] * beta2).addcmul(gradient, gradient, value=1 - beta2)
    after = {"step": step, "exp_avg": first, "exp_avg_sq": second}
    count = step.double()  # in float32, 1 − 0.999 would be off in its fifth digit
    size = (rate / (1 - beta1**count)).to(parameter.dtype)
    spread = (1 - beta2**count).sqrt().to(parameter.dtype)
    if group["amsgrad"]:
        second = after["max_exp_avg_sq"] = torch.maximum(values["max_exp_avg_sq"], second)
    denominator = second.sqrt() / spread + group["eps"]
    return parameter - size * (first / denominator), after


def sgd(
    parameter: Tensor, gradient: Tensor, values: Values, group: Mapping[str, Any], rate: Tensor
) -> tuple[Tensor, Values]:
    """Stochastic gradient descent with momentum, once its buffer is there."""
    after: Values = {}
    if group["weight_decay"]:
        gradient = gradient.add(parameter, alpha=group["weight_decay"])
    if group["momentum"]:
        momentum = values["momentum_buffer"] * group["momentum"]
        momentum = momentum.add(gradient, alpha=1 - group["dampening"])
        after["momentum_buffer"] = momentum
        nesterov = gradient.add(momentum, alpha=group["momentum"])
        gradient = nesterov if group["nesterov"] else momentum
    return parameter - rate.to(parameter.dtype) * gradient, after


def update_of(optimizer: torch.optim.Optimizer) -> Update | None:
    """Return the update of torch's own Adam, AdamW or SGD; None for any other optimizer."""
    known = {torch.optim.Adam: adam, torch.optim.AdamW: adam, AdamW: adam, torch.optim.SGD: sgd}
    update = known.get(type(optimizer))
    if update is None or any(group.get("differentiable") for group in optimizer.param_groups):
        return None
    return _maximized(update)


def _maximized(update: Update) -> Update:
    def turned(
        parameter: Tensor, gradient: Tensor, values: Values, group: Mapping[str, Any], rate: Tensor
    ) -> tuple[Tensor, Values]:
        sign = -gradient if group["maximize"] else gradient
        return update(parameter, sign, values, group, rate)

    return turned


def settings_of(group: Mapping[str, Any]) -> list[str]:
    """Return the names of all that an update reads of a group but the learning rate."""
    return [name for name in group if name not in ("params", "lr", "initial_lr", RATE)]
