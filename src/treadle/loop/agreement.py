"""Does the captured step compute what the eager one does? One update, made both ways."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from treadle.loop.randomness import generator_states, set_generator_states
from treadle.loop.whole_step import WholeStep

LOSS_TOLERANCE = 1e-4
UPDATE_TOLERANCE = 0.05
"""Of the length of the update. Where a gradient is nothing but rounding, Adam makes a full step
of its sign, so single numbers may differ by as much as they move; all together may not."""

COARSER_IN_BF16 = 50.0


class Agreement:
    """A copy of all that a step changes, to take it twice from the same place."""

    def __init__(self, whole: WholeStep, leaves: Sequence[Tensor]) -> None:
        self.whole = whole
        self.places = whole.tensors(leaves)[len(leaves) + len(whole.rates) :]
        self.before = [tensor.detach().clone() for tensor in self.places]
        self.random = generator_states()

    def take_back(self) -> list[Tensor]:
        """Put everything back to what it was; return what it had become."""
        after = [tensor.detach().clone() for tensor in self.places]
        with torch.no_grad():
            for tensor, before in zip(self.places, self.before, strict=True):
                tensor.copy_(before)
        set_generator_states(self.random)
        return after


def disagreement(
    agreement: Agreement, expected: Sequence[Tensor], precision: str, *, is_random: bool = False
) -> str | None:
    """Return what differs between the state now and the one expected, in words, or None.

    is_random: the step draws numbers. Where both ways draw the same ones they agree closely; where
    they draw them in another order only the size of loss and update can be compared
    """
    problem = _differs(agreement, expected, COARSER_IN_BF16 if precision == "bf16" else 1.0)
    return _differs_in_size(agreement, expected) if problem and is_random else problem


def _differs(agreement: Agreement, expected: Sequence[Tensor], coarser: float) -> str | None:
    pairs = list(zip(agreement.places, expected, agreement.before, strict=True))
    (loss, expected_loss, _), *_ = pairs
    away = float((loss - expected_loss).abs())
    if away > LOSS_TOLERANCE * coarser * max(1e-3, float(expected_loss.abs())):
        return f"loss ({float(loss):.6g} instead of {float(expected_loss):.6g})"
    floats = [pair for pair in pairs[3:] if pair[0].is_floating_point()]
    moved = _length([(new - old) for _, new, old in floats])
    apart = _length([(now - new) for now, new, _ in floats])
    if not apart <= UPDATE_TOLERANCE * min(coarser, 4.0) * moved + 1e-12:
        return f"update (off by {apart / max(moved, 1e-30):.0%} of its length)"
    return None


def _differs_in_size(agreement: Agreement, expected: Sequence[Tensor]) -> str | None:
    pairs = list(zip(agreement.places, expected, agreement.before, strict=True))
    (loss, expected_loss, _), *_ = pairs
    floats = [pair for pair in pairs[3:] if pair[0].is_floating_point()]
    found = _length([now - old for now, _, old in floats])
    wanted = _length([new - old for _, new, old in floats])
    for name, one, other in (
        ("loss", float(loss), float(expected_loss)),
        ("update", found, wanted),
    ):
        if not abs(one - other) <= SIZE_TOLERANCE * max(abs(one), abs(other)) + 1e-12:
            return f"{name} ({one:.6g} instead of {other:.6g})"
    return None


SIZE_TOLERANCE = 0.7


def _length(tensors: Sequence[Tensor]) -> float:
    """Return the L2 norm of all tensors together."""
    return float(torch.stack([tensor.detach().double().norm() for tensor in tensors]).norm())
