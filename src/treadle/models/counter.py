"""Randomness as a function: the same (seed, numbers) give the same draw, whoever asks and when."""

from __future__ import annotations

import torch
from torch import Tensor

_STEP = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed 64-bit number
_FIRST = -4658895280553007687  # 0xBF58476D1CE4E5B9
_SECOND = -7723592293110705685  # 0x94D049BB133111EB


def hashed(seed: int, *numbers: Tensor) -> Tensor:
    """Return int64 in [0, 2^63) from a seed and numbers that broadcast to one shape.

    It is `contracts.mix`, number for number, over whole tensors: arithmetic wraps at 64 bits.
    Source: Steele, Lea and Flood, Fast splittable pseudorandom number generators, 2014.
    """
    state = _mixed(torch.zeros_like(numbers[0]), torch.zeros_like(numbers[0]) + seed)
    for number in numbers:
        state = _mixed(state, number)
    return state & 0x7FFF_FFFF_FFFF_FFFF


def uniform(seed: int, *numbers: Tensor) -> Tensor:
    """Return float32 in [0, 1) with 24 random bits, a function as `hashed` is."""
    return (hashed(seed, *numbers) >> 39).float() * 2.0**-24


def _mixed(state: Tensor, number: Tensor) -> Tensor:
    state = state + (number + 1) * _STEP
    state = (state ^ _shifted(state, 30)) * _FIRST
    state = (state ^ _shifted(state, 27)) * _SECOND
    return state ^ _shifted(state, 31)


def _shifted(state: Tensor, bits: int) -> Tensor:
    """Shift right without the sign: torch's int64 has no unsigned shift."""
    return (state >> bits) & ((1 << (64 - bits)) - 1)
