"""The shape of a batch: dicts, tuples and lists of tensors, nested in any way, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Leaf:
    """What a captured step knows of one tensor of a batch."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype

    def fits(self, tensor: Any) -> bool:
        return (
            isinstance(tensor, Tensor)
            and tensor.shape == self.shape
            and tensor.dtype == self.dtype
            and tensor.stride() == self.stride
        )


@dataclass(frozen=True)
class Skeleton:
    """What contains what in a batch, with the tensors' shapes at the ends.

    kind:  Leaf for a tensor; dict, list, tuple or the type of a named tuple for what contains
           others; None for what is no tensor and must stay as it is (`value`)
    """

    kind: Any
    keys: tuple[Any, ...] = ()
    parts: tuple[Skeleton, ...] = ()
    leaf: Leaf | None = None
    value: Any = None

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """The batch's tensors, in order."""
        if self.leaf is not None:
            return (self.leaf,)
        return tuple(leaf for part in self.parts for leaf in part.leaves)

    def empty_leaves(self) -> list[Tensor]:
        """Return tensors of the leaves' shapes, with nothing in them: what tracing asks for."""
        return [torch.empty_strided(f.shape, f.stride, dtype=f.dtype) for f in self.leaves]

    def filled(self, tensors: Sequence[Tensor]) -> Any:
        """Return a batch of this shape, with these tensors at its ends."""
        return self._filled(iter(tensors))

    def _filled(self, tensors: Iterator[Tensor]) -> Any:
        if self.kind is Leaf:
            return next(tensors)
        if self.kind is None:
            return self.value
        parts = [part._filled(tensors) for part in self.parts]
        if self.kind is dict:
            return dict(zip(self.keys, parts, strict=True))
        return self.kind(parts) if self.kind in (list, tuple) else self.kind(*parts)


def skeleton_of(batch: Any) -> Skeleton:
    """Return the shape of a batch. Raises: TypeError where it holds other things than those."""
    if isinstance(batch, Tensor):
        return Skeleton(Leaf, leaf=Leaf(tuple(batch.shape), batch.stride(), batch.dtype))
    if type(batch) is dict:
        return Skeleton(dict, tuple(batch), tuple(map(skeleton_of, batch.values())))
    if type(batch) in (list, tuple) or (isinstance(batch, tuple) and hasattr(batch, "_fields")):
        return Skeleton(type(batch), parts=tuple(map(skeleton_of, batch)))
    if batch is None or isinstance(batch, (bool, int, float, str)):
        return Skeleton(None, value=batch)
    raise TypeError(f"a batch holds a {type(batch).__name__}")


def leaves_of(batch: Any) -> list[Any]:
    """Return a batch's tensors (and whatever else stands at its ends), in order."""
    if isinstance(batch, dict):
        batch = list(batch.values())
    elif not isinstance(batch, (list, tuple)):
        return [batch]
    if any(isinstance(part, (dict, list, tuple)) for part in batch):
        return [leaf for part in batch for leaf in leaves_of(part)]
    return list(batch)


class Matcher:
    """Tells, before every step and so in a microsecond or two, whether a batch has one shape."""

    def __init__(self, skeleton: Skeleton) -> None:
        self.skeleton = skeleton
        self.leaves = skeleton.leaves
        self.is_flat = bool(skeleton.parts) and all(p.kind is Leaf for p in skeleton.parts)

    def __call__(self, batch: Any) -> list[Tensor] | None:
        """Return the batch's tensors where it has this shape throughout, else None."""
        if not self.is_flat:
            return self._nested(batch)
        kind = self.skeleton.kind
        if type(batch) is not kind or (kind is dict and tuple(batch) != self.skeleton.keys):
            return None
        found = list(batch.values()) if kind is dict else list(batch)
        if len(found) != len(self.leaves):
            return None
        for leaf, tensor in zip(self.leaves, found, strict=True):
            if not leaf.fits(tensor):
                return None
        return found

    def _nested(self, batch: Any) -> list[Tensor] | None:
        try:
            same = skeleton_of(batch) == self.skeleton
        except TypeError:
            return None
        return [leaf for leaf in leaves_of(batch) if isinstance(leaf, Tensor)] if same else None
