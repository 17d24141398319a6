"""Nested state as tensors and JSON: what an optimizer or a user's object calls its state_dict.

flatten({"a": tensor, 3: [1.5, (2, None)]}) gives the tensors by key, and a JSON skeleton that
says where each belongs. Tuples and keys that are no strings survive the journey.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.errors import TreadleError

if TYPE_CHECKING:
    from torch import Tensor

PLAIN = (str, int, float, bool, type(None))


def flatten(value: Any, into: dict[str, Tensor], at: str = "") -> Any:
    """Return the JSON skeleton of `value`; its tensors are put into `into` under their path.

    Raises: TreadleError naming the path of what neither JSON nor a tensor file can hold.
    """
    from torch import Tensor

    if isinstance(value, PLAIN):
        return value
    if isinstance(value, Tensor):
        into[at or "tensor"] = value.detach()
        return {"$tensor": at or "tensor"}
    if isinstance(value, dict):
        pairs = [[flatten(key, into), flatten(v, into, f"{at}/{key}")] for key, v in value.items()]
        return {"$dict": pairs}
    if isinstance(value, (list, tuple)):
        items = [flatten(inner, into, f"{at}/{i}") for i, inner in enumerate(value)]
        return {"$tuple": items} if isinstance(value, tuple) else items
    raise TreadleError(
        f"the state at '{at}' is a {type(value).__name__}, which a checkpoint cannot hold.",
        "Checkpoints hold tensors, numbers, text, lists, tuples and dicts of them, never pickles.",
    )


def unflatten(skeleton: Any, tensors: dict[str, Tensor]) -> Any:
    """Return what `flatten` took apart."""
    if isinstance(skeleton, list):
        return [unflatten(inner, tensors) for inner in skeleton]
    if not isinstance(skeleton, dict):
        return skeleton
    if "$tensor" in skeleton:
        return tensors[skeleton["$tensor"]]
    if "$tuple" in skeleton:
        return tuple(unflatten(inner, tensors) for inner in skeleton["$tuple"])
    return {unflatten(key, tensors): unflatten(v, tensors) for key, v in skeleton["$dict"]}
