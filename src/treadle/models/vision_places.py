"""What a photo's features would be without one place of it, for each place of a grid.

Features are means and spreads of maps over all their places. A place of the photo is left out of
both, in all maps alike: what is left of a sum without some of its terms needs no second look at the
photo. Nothing is painted over, which would be something new to see.

Source: an input's part as the answer less the answer without it, Robnik-Šikonja and Kononenko,
Explaining classifications for individual instances, 2008; places of the pooled maps as the thing
that is asked about, Zhou et al., Learning deep features for discriminative localization (CAM),
2016, which this extends to spreads and to heads that are not linear.

Shape legend: V views, C × h × w a map, P = rows × columns places, D features.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from treadle.models.vision import POOLED_BLOCKS, Backbone, mean_and_spread, normalised
from treadle.models.vision_unfrozen import TURNS, UnfrozenVision

PLACES_A_SIDE = 4
"""√ of the places. On tiles with drawn defects the strongest of 3 × 3 lay on the defect as often,
of 7 × 7 less often."""


def grid_of(width: int, height: int) -> tuple[int, int]:
    """Return (rows, columns) of places that are about square, some 16 together."""
    root = math.sqrt(width / height)
    return max(2, round(PLACES_A_SIDE / root)), max(2, round(PLACES_A_SIDE * root))


@torch.no_grad()
def with_and_without(
    backbone: Backbone, model: Any, photo: Tensor, grid: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Return the features of a photo, float32 [V, D], and without each place, [P, V, D].

    model: a VisionHead, or an UnfrozenVision, which has views and last blocks of its own
    photo: uint8 [3, H, W]
    """
    whole, without = [], []
    for maps in _maps(backbone, model, photo[None]):
        whole.append(torch.cat([mean_and_spread(one[None]) for one in maps], dim=1)[0])
        without.append(torch.cat([_left_out(one, grid) for one in maps], dim=1))
    return torch.stack(whole), torch.stack(without, dim=1)


def _maps(backbone: Backbone, model: Any, photo: Tensor) -> list[list[Tensor]]:
    """Return the maps [C, h, w] that features are pooled from, of each view turned back."""
    if not isinstance(model, UnfrozenVision):
        return [_pooled_from(backbone, [*backbone.blocks], backbone.top, photo)]
    frozen = len(backbone.blocks) - len(model.blocks)
    blocks = [*backbone.blocks[:frozen], *model.blocks]
    found = []
    for turn in TURNS[: model.settings.num_views]:
        maps = _pooled_from(backbone, blocks, model.top, photo.flip(turn))
        back = [axis - 1 for axis in turn]
        found.append([one.flip(back) for one in maps])
    return found


def _pooled_from(backbone: Backbone, blocks: list[Any], top: Any, photo: Tensor) -> list[Tensor]:
    maps, x = [], backbone.stem(normalised(photo))
    for number, block in enumerate(blocks):
        x = block(x)
        if number in POOLED_BLOCKS:
            maps.append(x[0].clone())
    return [*maps, top(x)[0]]


def _left_out(one: Tensor, grid: tuple[int, int]) -> Tensor:
    """Return mean and spread of each channel without each place, float32 [P, 2C]."""
    x = one.double()
    down, across = (_shares(size, cells) for size, cells in zip(x.shape[1:], grid, strict=True))

    def inside(values: Tensor) -> Tensor:
        found = torch.einsum("rh,chw,qw->rqc", down, values, across)
        return found.flatten(0, 1)

    count = x[0].numel() - (down.sum(1)[:, None] * across.sum(1)).reshape(-1, 1)
    mean = (x.sum((1, 2)) - inside(x)) / count
    square = (x.square().sum((1, 2)) - inside(x.square())) / count
    spread = (square - mean.square()).clamp_min(0).sqrt()
    return torch.cat([mean, spread], dim=1).float()


def _shares(size: int, cells: int) -> Tensor:
    """Return how much of each of `size` map places lies in each cell, float64 [cells, size]."""
    edges = torch.linspace(0, size, cells + 1, dtype=torch.float64)
    place = torch.arange(size, dtype=torch.float64)
    upper = torch.minimum(edges[1:, None], place + 1)
    return (upper - torch.maximum(edges[:-1, None], place)).clamp(0, 1)
