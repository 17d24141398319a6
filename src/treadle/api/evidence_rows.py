"""What a module does with single rows: their losses, how far off it is, which units are silent."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    Array = NDArray[np.float64]

LossOf = Callable[[Any, Any], "Tensor"]
MOST_ONE_BY_ONE = 256
MOST_ANSWERS = 40
ALIKE = 1e-3
"""How far the mean over rows may be from the loss of all rows, for the loss to be such a mean."""


def row_losses(loss: LossOf, output: Tensor, target: Tensor) -> Array | None:
    """Return the loss of each row float64 [M], or None where the loss is no mean over rows."""
    import torch

    known = _by_row(loss)
    if known is not None:
        each = known(output, target)
        return _numbers(each.reshape(len(each), -1).mean(1))
    output, target = output[:MOST_ONE_BY_ONE], target[:MOST_ONE_BY_ONE]
    try:
        rows = range(len(output))
        each = torch.stack([loss(output[i : i + 1], target[i : i + 1]).reshape(()) for i in rows])
        whole = float(loss(output, target))
    except Exception:  # a user's loss may need more than one row, and may fail in any way
        return None
    mean = float(each.mean())
    return _numbers(each) if abs(mean - whole) <= ALIKE * max(abs(whole), 1e-6) else None


def _by_row(loss: Any) -> Callable[..., Tensor] | None:
    """Return a loss of torch's without its mean, or None for another one."""
    import copy
    from functools import partial

    from torch import nn
    from torch.nn import functional

    if isinstance(loss, (nn.CrossEntropyLoss, nn.BCEWithLogitsLoss, nn.MSELoss, nn.L1Loss)):
        if loss.reduction != "mean" or getattr(loss, "weight", None) is not None:
            return None
        single = copy.copy(loss)
        single.reduction = "none"
        return single
    names = "cross_entropy binary_cross_entropy_with_logits mse_loss l1_loss huber_loss".split()
    if any(loss is getattr(functional, name) for name in names):
        return partial(loss, reduction="none")
    return None


def best_constant(loss: LossOf, output: Tensor, target: Tensor) -> Tensor | None:
    """Return the one answer, in the shape of a row's output, that has the least loss."""
    import torch

    if not output.is_floating_point():
        return None
    same = target.shape == output.shape and target.is_floating_point()
    start = (target if same else torch.zeros_like(output)).double().mean(0)
    answer = start.to(output.dtype).clone().requires_grad_()
    found, least = None, math.inf
    before: tuple[Tensor, Tensor] | None = None
    try:
        for _ in range(MOST_ANSWERS):
            with torch.enable_grad():
                value = loss(answer.expand_as(output), target)
            (slope,) = torch.autograd.grad(value, [answer])
            if not bool(torch.isfinite(value) & torch.isfinite(slope).all()):
                break
            if float(value.detach()) < least:
                found, least = answer.detach().clone(), float(value.detach())
            step = _next_step(answer.detach(), slope, before)
            before = answer.detach().clone(), slope
            answer = (before[0] - step).requires_grad_()
    except Exception:  # a user's loss may fail in any way for what no module has said
        return None
    return found


def _next_step(at: Tensor, slope: Tensor, before: tuple[Tensor, Tensor] | None) -> Tensor:
    """Return how far to go down. Source: Barzilai, Borwein, Two-Point Step Size Methods (1988)."""
    if before is None:
        return slope
    moved, turned = (at - before[0]).flatten(), (slope - before[1]).flatten()
    curve = float(moved @ turned)
    return slope * (float(moved @ moved) / curve if curve > 0 else 1.0)


def probabilities(output: Tensor, target: Tensor) -> Array | None:
    """Return what a classifier's output says of each class, float64 [M, K]; None for no classes."""
    import torch

    if output.ndim == 2 and output.shape[1] > 1 and target.ndim == 1:
        return None if target.is_floating_point() else _numbers(output.softmax(1))
    single = output.numel() == target.numel() == len(target)
    if not single or not bool(((target == 0) | (target == 1)).all()):
        return None
    positive = output.reshape(-1).sigmoid()
    return _numbers(torch.stack([1 - positive, positive], 1))


def missed(output: Tensor, target: Tensor, said: Array | None) -> Array | None:
    """Return how far off each answer is: 0 or 1 for classes, the squared distance for numbers."""
    if said is not None:
        wrong: Array = (said.argmax(1) != target.reshape(-1).cpu().numpy()).astype(np.float64)
        return wrong
    if output.shape == target.shape and output.is_floating_point():
        return _numbers((output - target).square().reshape(len(output), -1).mean(1))
    return None


def one_number(output: Tensor, target: Tensor, said: Array | None) -> dict[str, Array]:
    """Return the first number said of each row, and the true one; nothing where they are none."""
    if said is not None or output.shape != target.shape or not target.is_floating_point():
        return {}
    first = [tensor.reshape(len(tensor), -1)[:, 0] for tensor in (output, target)]
    return {"said": _numbers(first[0]), "truth": _numbers(first[1])}


class Fired:
    """Which units of each ReLU fired for any row, by the turn in which the ReLUs run.

    Units are the last dimension of [B, D] and [B, T, D], the channels of photos [B, C, H, W].
    """

    def __init__(self) -> None:
        self._units: list[Tensor] = []
        self._turn = 0

    def again(self) -> None:
        """Begin another pass of the same module: what fires in one of them fires."""
        self._turn = 0

    def add(self, x_BU: Tensor) -> None:
        """Count what one ReLU gave."""
        fires = _fires(x_BU)
        if self._turn == len(self._units):
            self._units.append(fires)
        elif len(self._units[self._turn]) == len(fires):
            self._units[self._turn] |= fires
        self._turn += 1

    @property
    def silent(self) -> dict[str, tuple[int, int]]:
        """By turn, (units, how many of them never fired)."""
        return {f"{t}": (len(u), int((~u).sum())) for t, u in enumerate(self._units, 1)}


@contextmanager
def counting_fired() -> Iterator[Fired]:
    """Count the units that fire in each ReLU that runs inside, be it a module or a function."""
    import torch
    from torch.nn import functional
    from torch.overrides import TorchFunctionMode

    watched = {functional.relu, torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_}
    fired = Fired()

    class Watch(TorchFunctionMode):
        def __torch_function__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            result = function(*args, **(kwargs or {}))
            if function in watched and result.ndim > 1:
                fired.add(result)
            return result

    with Watch():
        yield fired


def _fires(x_BU: torch.Tensor) -> torch.Tensor:
    """Return bool [U]: which units are above zero for any row."""
    units = 1 if x_BU.ndim == 4 else x_BU.ndim - 1
    others = [dim for dim in range(x_BU.ndim) if dim != units]
    return (x_BU.detach().amax(dim=others) > 0).cpu()


def _numbers(values: Tensor) -> Array:
    return values.detach().double().cpu().numpy()
