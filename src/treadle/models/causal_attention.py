"""A transformer block that knows how far apart two events are: in events and in time.

Shape legend: B rows, T events, D width, H heads.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

NUM_DISTANCES = 48
NUM_GAPS = 24
_NEAR_DISTANCES = 32


class Relations(NamedTuple):
    """What each event may look at and how far away it is, the same for every block.

    distance: int64 [T, T] bucket of how many events lie between
    gap:      int64 [B, T, T] bucket of the seconds between
    visible:  bool [B, 1, T, T]: events that are no padding and not later (and the event itself)
    """

    distance: Tensor
    gap: Tensor
    visible: Tensor


def relate(items: Tensor, times: Tensor) -> Relations:
    """Return the relations of a left-padded history: items int64 [B, T], times float64 [B, T]."""
    place = torch.arange(items.shape[1], device=items.device)  # T
    behind = place[:, None] - place[None, :]  # T T
    itself = behind == 0
    visible = ((behind >= 0) & (items > 0)[:, None, :]) | itself  # B T T
    return Relations(
        distance=distance_bucket(behind.clamp_min(0)),
        gap=gap_bucket(times[:, :, None] - times[:, None, :]),
        visible=visible[:, None],
    )


def distance_bucket(distance: Tensor) -> Tensor:
    """Return int64 in [0, NUM_DISTANCES): exact below 32 events, eight a doubling from there."""
    far = _NEAR_DISTANCES + 8 * torch.log2(distance.clamp_min(_NEAR_DISTANCES) / _NEAR_DISTANCES)
    bucket = distance.where(distance < _NEAR_DISTANCES, far.long())
    return bucket.clamp_max(NUM_DISTANCES - 1)


def gap_bucket(seconds: Tensor) -> Tensor:
    """Return int64 in [0, NUM_GAPS): 0 below 4 seconds, then one for every doubling."""
    return torch.log2(seconds.clamp_min(0) / 4 + 1).long().clamp_max(NUM_GAPS - 1)


class CausalBlock(nn.Module):
    """Attention to earlier events, then two layers for each event alone; both add to the input.

    The attention's logits have a learned offset a head for the distance and for the time gap.
    Source: Vaswani et al., Attention is all you need, 2017 (normalised before, not after);
    Zhai et al., Actions speak louder than words (HSTU), ICML 2024, section 3.2, for the offsets.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.attended = nn.Linear(width, width)
        self.by_distance = nn.Parameter(torch.zeros(NUM_DISTANCES, heads))
        self.by_gap = nn.Parameter(torch.zeros(NUM_GAPS, heads))
        self.alone = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
            nn.Dropout(dropout),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, relations: Relations) -> Tensor:
        """Return float32 [B, T, D] from the same."""
        x = x + self.dropout(self._attention(self.before_attention(x), relations))
        added: Tensor = self.alone(x)
        return x + added

    def _attention(self, x: Tensor, relations: Relations) -> Tensor:
        rows, length, width = x.shape
        heads = self.query_key_value(x).view(rows, length, 3, self.heads, width // self.heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # each B H T D/H
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=self._offsets(relations)
        )
        out: Tensor = self.attended(mixed.transpose(1, 2).reshape(rows, length, width))
        return out

    def _offsets(self, relations: Relations) -> Tensor:
        """Return float32 [B, H, T, T], -inf where nothing may be seen."""
        by_distance = functional.embedding(relations.distance, self.by_distance)  # T T H
        by_gap = functional.embedding(relations.gap, self.by_gap)  # B T T H
        offsets = (by_gap + by_distance).permute(0, 3, 1, 2)
        return offsets.masked_fill(~relations.visible, -torch.inf)
