"""Letting an optimizer begin anew, with its tensors in their places."""

from __future__ import annotations

import torch
from torch import Tensor

from treadle.loop.adamw import AdamW
from treadle.loop.row_adam import RowAdam

START_AT_ZERO = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD, AdamW, RowAdam)
"""Optimizers of which zeros everywhere are the state before the first step."""


def forget(optimizer: torch.optim.Optimizer) -> None:
    """Make what an optimizer remembers what it was before its first step.

    Captured code holds the tensors of the optimizers that can be captured: those become zeros in
    place. What others remember is dropped, and made in their next step, in their own way.
    """
    if type(optimizer) not in START_AT_ZERO:
        optimizer.state.clear()
        return
    for values in optimizer.state.values():
        for value in values.values():
            if isinstance(value, Tensor):
                value.zero_()
