"""Whether a saved state is of the form of the one that it is to replace."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor


def must_be_like(saved: Any, present: Any, at: str) -> None:
    """Compare what is nested in dicts, lists and tuples; what is saved may have more keys.

    Lists may be of any length, tuples may not. Numbers stand for numbers, finite ones for finite
    ones, tensors for tensors of their shape; None for anything.

    Raises: ValueError naming the place of the first difference.
    """
    if present is None:
        return
    if isinstance(present, dict):
        _must_be(isinstance(saved, dict) and saved.keys() >= present.keys(), present, at)
        for key, value in present.items():
            must_be_like(saved[key], value, f"{at}, {key}")
    elif isinstance(present, (list, tuple)):
        same_kind = type(saved) is type(present)
        _must_be(same_kind and (type(saved) is list or len(saved) == len(present)), present, at)
        for number, (one, other) in enumerate(zip(saved, present, strict=False)):
            must_be_like(one, other, f"{at}, {number}")
    elif isinstance(present, Tensor):
        _must_be(isinstance(saved, Tensor) and saved.shape == present.shape, present, at)
    elif isinstance(present, (bool, str)):
        _must_be(type(saved) is type(present), present, at)
    elif isinstance(present, (int, float)):
        is_number = isinstance(saved, (int, float)) and not isinstance(saved, bool)
        _must_be(is_number and math.isfinite(saved) >= math.isfinite(present), present, at)


def _must_be(is_like: bool, present: Any, at: str) -> None:
    if is_like:
        return
    if isinstance(present, Tensor):
        expected = f"a tensor of shape {tuple(present.shape)}"
    elif isinstance(present, (dict, list, tuple)):
        expected = f"a {type(present).__name__} with {len(present)} entries"
    else:
        expected = f"a value like {present!r}"
    raise ValueError(f"{at} is not what it must be: {expected}")
