"""Nested state as tensors and JSON: what an optimizer or a user's object calls its state_dict.

flatten({"a": tensor, 3: [1.5, (2, None)]}) gives the tensors by key, and a JSON skeleton that
says where each belongs. Tuples, keys that are no strings, and numpy's arrays of numbers survive
the journey.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor

from treadle.errors import TreadleError

PLAIN = (str, int, float, bool, type(None))


def flatten(value: Any, into: dict[str, Tensor], at: str = "") -> Any:
    """Return the JSON skeleton of `value`; its tensors are put into `into` under their path.

    Raises: TreadleError naming the path of what neither JSON nor a tensor file can hold.
    """
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, Tensor):
        name = _free(at or "tensor", into)
        into[name] = value.detach()
        return {"$tensor": name}
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biuf":
        tensor = torch.from_numpy(np.array(value))
        return {"$array": flatten(tensor, into, at)["$tensor"], "scalar": np.isscalar(value)}
    if isinstance(value, dict):
        pairs = [[flatten(key, into), flatten(v, into, f"{at}/{key}")] for key, v in value.items()]
        return {"$dict": pairs}
    if isinstance(value, (list, tuple)):
        items = [flatten(inner, into, f"{at}/{i}") for i, inner in enumerate(value)]
        return {"$tuple": items} if isinstance(value, tuple) else items
    raise TreadleError(
        f"the state at '{at}' is a {type(value).__name__}, which a checkpoint cannot hold.",
        "Checkpoints hold tensors, arrays, numbers, text, and lists, tuples and dicts of them; "
        "never pickles.",
    )


def _free(name: str, taken: dict[str, Tensor]) -> str:
    """Return `name`, or where it is taken (1 and "1" are different keys) one like it."""
    others = (f"{name}~{i}" for i in count())
    return name if name not in taken else next(other for other in others if other not in taken)


def unflatten(skeleton: Any, tensors: dict[str, Tensor]) -> Any:
    """Return what `flatten` took apart."""
    if isinstance(skeleton, list):
        return [unflatten(inner, tensors) for inner in skeleton]
    if not isinstance(skeleton, dict):
        return skeleton
    if "$tensor" in skeleton:
        return tensors[skeleton["$tensor"]]
    if "$array" in skeleton:
        array = tensors[skeleton["$array"]].numpy()
        return array[()] if skeleton["scalar"] else array
    if "$tuple" in skeleton:
        return tuple(unflatten(inner, tensors) for inner in skeleton["$tuple"])
    return {unflatten(key, tensors): unflatten(v, tensors) for key, v in skeleton["$dict"]}
