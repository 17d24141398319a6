"""Buffers of a module (running statistics and the like), put back where a step is skipped."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SMALL = 16_384
"""Elements up to which a buffer is copied before every step, whether it changes or not."""


class BufferGuard:
    """Remembers a module's buffers before a step, and puts them back where the step is skipped.

    Small buffers are copied each time, for batch normalisation writes to its statistics behind
    the back of torch's count of writes. Large ones (masks, tables of positions) are copied once,
    and again only after that count, or their being another tensor, shows that they changed.
    """

    def __init__(self, module: nn.Module) -> None:
        found: dict[int, tuple[dict[str, Tensor | None], str]] = {}
        for part in module.modules():
            for name, buffer in part._buffers.items():
                if buffer is not None:
                    found.setdefault(id(buffer), (part._buffers, name))
        self.places = list(found.values())
        self.present = [self._now(place) for place in self.places]
        self.copies = [buffer.clone() for buffer in self.present]
        self.writes = [buffer._version for buffer in self.present]
        self.finite = [i for i, buffer in enumerate(self.copies) if is_small_and_finite(buffer)]

    def remember(self) -> None:
        """Remember every buffer as it is now."""
        stale: list[int] = []
        for i, place in enumerate(self.places):
            buffer = self._now(place)
            if buffer is not self.present[i] or buffer.shape != self.copies[i].shape:
                self.present[i], self.copies[i] = buffer, buffer.detach().clone()
            elif buffer.numel() <= SMALL or buffer._version != self.writes[i]:
                stale.append(i)
            self.writes[i] = buffer._version
        if stale:
            with torch.no_grad():
                torch._foreach_copy_(
                    [self.copies[i] for i in stale], [self.present[i] for i in stale]
                )

    def sum_if_finite(self) -> Tensor | float:
        """Return a number that is finite where every small buffer is so still that was at first."""
        if not self.finite:
            return 0.0
        found = [self.places[i][0][self.places[i][1]] for i in self.finite]
        return torch.cat(
            [b if b.ndim == 1 else b.reshape(-1) for b in found if b is not None]
        ).sum()

    def put_back(self) -> None:
        """Make every buffer what it was when it was last remembered."""
        with torch.no_grad():
            for i, (owner, name) in enumerate(self.places):
                buffer = owner[name] = self.present[i]
                if buffer.numel() <= SMALL or buffer._version != self.writes[i]:
                    buffer.copy_(self.copies[i])

    @staticmethod
    def _now(place: tuple[dict[str, Tensor | None], str]) -> Tensor:
        owner, name = place
        buffer = owner[name]
        assert buffer is not None, f"the buffer {name} was taken away while training"
        return buffer


def is_small_and_finite(buffer: Tensor) -> bool:
    """Tell whether a buffer is watched for what is not finite: a mask of −∞ is not."""
    small = buffer.is_floating_point() and 0 < buffer.numel() <= SMALL
    return small and bool(torch.isfinite(buffer).all())
