"""What photos show without a network: pieces that they share, and how bright each part is.

Shape legend: N photos, C channels, H and W, K pieces, S side of a piece, G side of the grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from treadle.api.evidence_other import Rows
    from treadle.watch.evidence import Column

MOST_SIDE = 24
"""Larger photos are made smaller: a look must be quick."""

PIECES, SIDE, GRID = 48, 5, 3

MOST_PHOTOS, THUMB, NEAR = 120, 12, 3
"""How many photos are opened to ask whether the brightness of one place tells the answer, to what
side they are made small, and how many places around it show the same."""

FEWEST_SHOWN = 10
"""Photos of a class below which a place tells it by luck: there are many places."""


def are_photos(inputs: Sequence[Tensor]) -> bool:
    """Tell whether rows are photos [N, C, H, W] that pieces can be cut from."""
    if len(inputs) != 1 or inputs[0].ndim != 4 or not inputs[0].is_floating_point():
        return False
    return min(inputs[0].shape[2:]) >= 2 * SIDE and inputs[0].shape[1] <= 4


def patches(photos_NCHW: Tensor) -> Tensor:
    """Return how much each part of a photo looks like pieces of other photos, [N, K × G × G].

    What lies a little elsewhere looks alike, as it does to a convolution.
    Source: Coates and Ng, The Importance of Encoding Versus Training (2011), random patches.
    """
    import torch
    from torch.nn.functional import adaptive_avg_pool2d, conv2d, normalize

    photos = _small(photos_NCHW.detach().float().cpu())
    draw = torch.Generator().manual_seed(0)
    rows = torch.randint(len(photos), (PIECES,), generator=draw).tolist()
    high, wide = (int(side) - SIDE + 1 for side in photos.shape[2:])
    down = torch.randint(high, (PIECES,), generator=draw).tolist()
    right = torch.randint(wide, (PIECES,), generator=draw).tolist()
    cut = [
        photos[n, :, y : y + SIDE, x : x + SIDE] for n, y, x in zip(rows, down, right, strict=True)
    ]
    pieces = torch.stack(cut).flatten(1)
    pieces = normalize(pieces - pieces.mean(1, keepdim=True), dim=1)
    found = [
        adaptive_avg_pool2d(conv2d(some, pieces.reshape(PIECES, -1, SIDE, SIDE)).relu_(), GRID)
        for some in photos.split(256)
    ]
    return torch.cat(found).flatten(1)


def _small(photos_NCHW: Tensor) -> Tensor:
    from torch.nn.functional import adaptive_avg_pool2d

    if max(photos_NCHW.shape[2:]) <= MOST_SIDE:
        return photos_NCHW
    high, wide = (min(int(side), MOST_SIDE) for side in photos_NCHW.shape[2:])
    return adaptive_avg_pool2d(photos_NCHW, (high, wide))


def telling_place(files: Sequence[Path], codes: NDArray[np.int64]) -> Column | None:
    """Return the place of the photos whose brightness tells most of the answer alone.

    A mark, a stamp or a frame that came with the answer does; what a photo shows is spread over
    places far apart. codes: the class of each photo, int64 [N]
    """
    from treadle.api.evidence_other import Rows
    from treadle.data.photo import decode

    few = np.unique(np.linspace(0, len(files) - 1, min(MOST_PHOTOS, len(files))).astype(int))
    thumbs = [decode(files[n], (THUMB, THUMB)).mean(0).reshape(-1) for n in few]
    x, classes = np.stack(thumbs).astype(np.float64), int(codes.max()) + 1
    # a mark may tell one class from all others, and these not from each other
    asked = [codes[few] == code for code in range(classes)] if classes > 2 else [codes[few] == 1]
    enough = [is_it for is_it in asked if min(is_it.sum(), (~is_it).sum()) >= FEWEST_SHOWN]
    answers = [Rows(x=x, y=is_it.astype(np.int64), classes=2) for is_it in enough]
    found = [_telling_place_of(rows) for rows in answers]
    return max(found, key=lambda column: column.right, default=None)


def _telling_place_of(rows: Rows) -> Column:
    """Return the place that tells an answer best, beside the best of those far from it."""
    from treadle.api.evidence_other import SUSPECTS, by_tie, told_alone
    from treadle.watch.evidence import Column

    places = by_tie(rows)
    told = {int(place): told_alone(rows, int(place)) for place in places[:SUSPECTS]}
    if not told:
        return Column(name="the brightness", right=0.0, next=0.0)
    first = max(told, key=lambda place: told[place])
    down, right = np.divmod(places, THUMB)
    far = np.maximum(abs(down - first // THUMB), abs(right - first % THUMB)) > NEAR
    others = [told_alone(rows, int(place)) for place in places[far][:SUSPECTS]]
    where = _part(first // THUMB, "top", "bottom"), _part(first % THUMB, "left", "right")
    name = f"the brightness {where[0]} {where[1]}"
    return Column(name=name, right=told[first], next=max(others, default=0.0))


def _part(place: int, low: str, high: str) -> str:
    return low if place < THUMB / 3 else high if place >= 2 * THUMB / 3 else "middle"
