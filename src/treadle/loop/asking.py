"""Updates by optimizers that ask for the loss again and again within one step, such as LBFGS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def update_asking(
    optimizers: list[torch.optim.Optimizer],
    parameters: list[Tensor],
    mean: Tensor,
    evaluate: Callable[[], Tensor],
) -> bool:
    """Step every optimizer with a closure; return False where it led out of the finite numbers.

    mean:     the loss at the parameters as they are, whose gradients are in place already: the
              answer to the first question
    evaluate: computes the loss and its gradients anew, for the later questions

    Where a parameter is no finite number afterwards, parameters and optimizers are put back.
    """
    values = [parameter.detach().clone() for parameter in parameters]
    memories = [_memory(optimizer) for optimizer in optimizers]
    known = [mean]

    def answer() -> Any:  # torch's types ask for a float, its optimizers for a tensor
        return known.pop() if known else evaluate()

    for optimizer in optimizers:
        optimizer.step(answer)
    if all(bool(torch.isfinite(parameter).all()) for parameter in parameters):
        return True
    with torch.no_grad():
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(value)
    for optimizer, memory in zip(optimizers, memories, strict=True):
        optimizer.state.clear()
        optimizer.state.update(memory)
    return False


def _memory(optimizer: torch.optim.Optimizer) -> dict[Any, dict[str, Any]]:
    """Return a copy of an optimizer's state. What is in its lists is never written to again."""
    return {
        parameter: {name: _copied(value) for name, value in state.items()}
        for parameter, state in optimizer.state.items()
    }


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    return list(value) if isinstance(value, list) else value
