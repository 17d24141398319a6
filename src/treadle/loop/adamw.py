"""AdamW that does not load torch's compiler, for the trainings whose optimizer Treadle chooses.

torch wraps what its optimizers do so that torch.compile passes over it. The first call of a wrapper
imports all of torch._dynamo, with sympy and more: nearly as long as importing torch itself, in a
process that may never compile. What stands behind the wrappers is taken here as it is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Adam, Optimizer


class Unwrapped(Optimizer):
    """An optimizer whose methods are torch's own without their wrappers; `step` is left to it."""

    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)
    state_dict = inspect.unwrap(Optimizer.state_dict)
    load_state_dict = inspect.unwrap(Optimizer.load_state_dict)


class AdamW(Unwrapped, torch.optim.AdamW):
    """torch's AdamW, equal to it to the bit, with the same settings, groups, hooks and state.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, arXiv:1711.05101.
    """

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move the parameters by their gradients; return the closure's loss, if there is one."""
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            return _MOVE(self, closure)


_MOVE = inspect.unwrap(Adam.step)
