"""Sums in one order: what several threads add up at looked-up places, they add in the same order.

Otherwise the gradient of a large embedding, or of any `x[index]`, is added up as the threads
happen to come, and two equal runs differ in their last bits. torch has operators that keep one
order and takes them when asked to be deterministic. Asking takes 1.6 µs, and .6 where it was
asked already.
"""

from __future__ import annotations

import torch
from torch import _C

CPU = torch.device("cpu")


class SumsInOneOrder:
    """A context in which torch is asked for one order; after it, the caller's settings hold again.

    On a CPU alone. Where one order was asked for already, nothing is changed. Memory that torch
    does not initialise is not filled, as torch would do beside: nobody reads it. Where an operator
    has no such order torch warns and goes on.
    """

    __slots__ = ("changes", "filled")

    def __init__(self, device: torch.device = CPU) -> None:
        self.changes = device.type == "cpu"

    def __enter__(self) -> None:
        # every step comes by here, mostly from within another one
        if self.changes:
            self.changes = not _C._get_deterministic_algorithms()
        if self.changes:
            self.filled = _C._get_deterministic_fill_uninitialized_memory()
            _C._set_deterministic_algorithms(True, warn_only=True)
            _C._set_deterministic_fill_uninitialized_memory(False)

    def __exit__(self, *error: object) -> None:
        if self.changes:
            _C._set_deterministic_algorithms(False, warn_only=False)
            _C._set_deterministic_fill_uninitialized_memory(self.filled)
