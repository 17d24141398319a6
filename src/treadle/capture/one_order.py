"""Sums in one order: what several threads add up at looked-up places, they add in the same order.

Otherwise the gradient of a large embedding, or of any `x[index]`, is added up as the threads
happen to come, and two equal runs differ in their last bits. torch has operators that keep one
order and takes them when asked to be deterministic; asking costs less than a microsecond.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import _C

CPU = torch.device("cpu")


@contextmanager
def sums_in_one_order(device: torch.device = CPU) -> Iterator[None]:
    """Ask torch for one order while inside, and give the caller's settings back; on a CPU alone.

    Memory that torch does not initialise is not filled, as torch would do beside: nobody reads it.
    Where an operator has no such order torch warns and goes on.
    """
    if device.type != "cpu":
        yield
        return
    asked = _C._get_deterministic_algorithms()
    only_warned = _C._get_deterministic_algorithms_warn_only()
    filled = _C._get_deterministic_fill_uninitialized_memory()
    _C._set_deterministic_algorithms(True, warn_only=not asked or only_warned)
    if not asked:
        _C._set_deterministic_fill_uninitialized_memory(False)
    try:
        yield
    finally:
        _C._set_deterministic_algorithms(asked, warn_only=only_warned)
        _C._set_deterministic_fill_uninitialized_memory(filled)
