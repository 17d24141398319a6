"""Rows that are made: what is to be learned from them is known, and so is what cannot be.

Shape legend: N rows, F inputs, T steps, K classes.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor

from benchmarks.zoo.networks import Shape
from benchmarks.zoo.rows import Maker, Rows, table_rows

WORLD = 20_011
"""What holds for all seeds of a task (where its classes lie) is drawn with this one."""


def product(count: int, seed: int, *_: object, inputs: int = 10) -> Rows:
    """The sign of a product of two inputs: nothing for a line."""
    x_NF = _normal(seed, count, inputs)
    return table_rows(x_NF, (x_NF[:, 0] * x_NF[:, 1] > 0).long())


def spirals(count: int, seed: int, *_: object, arms: int = 3, blur: float = 0.06) -> Rows:
    draw = torch.Generator().manual_seed(seed)
    arm = torch.randint(arms, (count,), generator=draw)
    reach = 0.15 + 0.85 * torch.rand(count, generator=draw)
    angle = 2 * math.pi * arm / arms + 5.0 * reach
    x_NF = torch.stack([reach * angle.cos(), reach * angle.sin()], dim=1)
    x_NF = x_NF + blur * reach[:, None] * torch.randn(count, 2, generator=draw)
    return table_rows(2 * x_NF, arm)


def rings(count: int, seed: int, *_: object, classes: int = 3, inputs: int = 4) -> Rows:
    """Shells around the middle, of equal size."""
    x_NF = _normal(seed, count, inputs)
    level = x_NF.square().sum(1).argsort().argsort()
    return table_rows(x_NF, (level * classes // count).long())


def blobs(count: int, seed: int, *_: object, classes: int = 8, apart: float = 1.0) -> Rows:
    """Clouds, which overlap the more the less they lie apart."""
    draw = torch.Generator().manual_seed(seed)
    middles = apart * _normal(WORLD, classes, 12)
    kind = torch.randint(classes, (count,), generator=draw)
    return table_rows(middles[kind] + torch.randn(count, 12, generator=draw), kind)


def chances(
    count: int, seed: int, *_: object, sure: float = 1.0, rare: float = 0.0, inputs: int = 12
) -> Rows:
    """Two classes by a chance that depends smoothly on the inputs: much of it nobody can know.

    sure: how far the chances are from even; rare: what is taken off the log-odds
    """
    draw = torch.Generator().manual_seed(seed)
    x_NF = torch.randn(count, inputs, generator=draw)
    weights = _normal(WORLD, inputs, 1)[:, 0] / math.sqrt(inputs)
    odds = sure * (x_NF @ weights + 0.7 * x_NF[:, 0] * x_NF[:, 1] + x_NF[:, 2].sin()) - rare
    return table_rows(x_NF, (torch.rand(count, generator=draw) < odds.sigmoid()).long())


def friedman(count: int, seed: int, *_: object, noise: float = 0.2) -> Rows:
    """Source: Friedman, Multivariate Adaptive Regression Splines (1991), eq. 61; scaled to 1."""
    draw = torch.Generator().manual_seed(seed)
    x_NF = torch.rand(count, 10, generator=draw)
    y_N = 10 * (math.pi * x_NF[:, 0] * x_NF[:, 1]).sin() + 20 * (x_NF[:, 2] - 0.5) ** 2
    y_N = (y_N + 10 * x_NF[:, 3] + 5 * x_NF[:, 4] - 14.4) / 4.9
    return table_rows(
        (x_NF - 0.5) * math.sqrt(12), y_N + noise * torch.randn(count, generator=draw)
    )


def waves(count: int, seed: int, *_: object, noise: float = 0.1) -> Rows:
    draw = torch.Generator().manual_seed(seed)
    x_NF = 2 * torch.rand(count, 2, generator=draw) - 1
    y_N = (4 * x_NF[:, 0]).sin() * (3 * x_NF[:, 1]).cos() * 1.5
    return table_rows(x_NF * 1.7, y_N + noise * torch.randn(count, generator=draw))


def straight(count: int, seed: int, *_: object, noise: float = 0.5, inputs: int = 15) -> Rows:
    """A line in many inputs, with noise."""
    draw = torch.Generator().manual_seed(seed)
    x_NF = torch.randn(count, inputs, generator=draw)
    weights = _normal(WORLD + 1, inputs, 1)[:, 0] / math.sqrt(inputs)
    return table_rows(x_NF, x_NF @ weights + noise * torch.randn(count, generator=draw))


def heavy(count: int, seed: int, *_: object) -> Rows:
    """Values with noise of heavy tails (Student's t with 3 degrees of freedom)."""
    rows = friedman(count, seed, noise=0.0)
    tails = np.random.default_rng(seed).standard_t(3, (count, 1)).astype(np.float32)
    return table_rows(rows.inputs[0], rows.target + 0.2 * torch.from_numpy(tails))


def several(count: int, seed: int, *_: object) -> Rows:
    """Three values at once, out of shared hidden ones."""
    draw = torch.Generator().manual_seed(seed)
    x_NF = torch.randn(count, 8, generator=draw)
    hidden = (x_NF @ _normal(WORLD + 2, 8, 4) / math.sqrt(8)).tanh()
    y_NO = hidden @ _normal(WORLD + 3, 4, 3)
    return table_rows(x_NF, y_NO + 0.3 * torch.randn(count, 3, generator=draw))


def majority(count: int, seed: int, *_: object, words: int = 6, steps: int = 15) -> Rows:
    """Does the word 0 come more often than the word 1?"""
    draw = torch.Generator().manual_seed(seed)
    x_NT = torch.randint(words, (count, steps), generator=draw)
    more = (x_NT == 0).sum(1) > (x_NT == 1).sum(1)
    return _of_words(x_NT, more.long(), words, 2)


def after_mark(count: int, seed: int, *_: object, words: int = 7, steps: int = 12) -> Rows:
    """Which word follows the mark (the last word of the vocabulary)?"""
    draw = torch.Generator().manual_seed(seed)
    x_NT = torch.randint(words - 1, (count, steps), generator=draw)
    place = torch.randint(steps - 1, (count,), generator=draw)
    every = torch.arange(count)
    x_NT[every, place] = words - 1
    return _of_words(x_NT, x_NT[every, place + 1], words, words - 1)


def next_word(count: int, seed: int, *_: object, words: int = 12, steps: int = 8) -> Rows:
    """The next word of a chain that goes by the last two words, and by chance."""
    draw = np.random.default_rng(seed)
    world = np.random.default_rng(WORLD)
    chances_VVV = world.dirichlet(np.full(words, 0.15), size=(words, words))
    limits = chances_VVV.cumsum(-1)
    x_NT = np.zeros((count, steps + 1), dtype=np.int64)
    x_NT[:, :2] = draw.integers(words, size=(count, 2))
    for step in range(2, steps + 1):
        limit = limits[x_NT[:, step - 2], x_NT[:, step - 1]]
        x_NT[:, step] = (draw.random((count, 1)) > limit).sum(1).clip(0, words - 1)
    whole = torch.from_numpy(x_NT)
    return _of_words(whole[:, :-1], whole[:, -1], words, words)


def series(count: int, seed: int, *_: object, noise: float = 0.15, steps: int = 16) -> Rows:
    """The next value of a wave whose length differs from row to row, with noise."""
    draw = torch.Generator().manual_seed(seed)
    speed = 0.3 + 0.6 * torch.rand(count, 1, generator=draw)
    phase = 2 * math.pi * torch.rand(count, 1, generator=draw)
    whole = (speed * torch.arange(steps + 1) + phase).sin()
    whole = whole + noise * torch.randn(count, steps + 1, generator=draw)
    shape = Shape(inputs=1, outputs=1)
    return Rows(inputs=(whole[:, :-1, None],), target=whole[:, -1:], shape=shape)


def ratings(count: int, seed: int, *_: object, users: int = 150, items: int = 100) -> Rows:
    """What users think of items: four tastes, and noise."""
    draw = torch.Generator().manual_seed(seed)
    tastes, traits = _normal(WORLD + 4, users, 4), _normal(WORLD + 5, items, 4)
    user = torch.randint(users, (count,), generator=draw)
    item = torch.randint(items, (count,), generator=draw)
    value = (tastes[user] * traits[item]).sum(1) / 2 + 0.4 * torch.randn(count, generator=draw)
    shape = Shape(outputs=1, words=(users, items))
    return Rows(inputs=(user, item), target=value[:, None], shape=shape)


def bars(count: int, seed: int, *_: object, side: int = 12, noise: float = 0.5) -> Rows:
    """Photos of a bar that lies, stands, or runs one of two ways across; noise on top."""
    draw = torch.Generator().manual_seed(seed)
    kind = torch.randint(4, (count,), generator=draw)
    middle = (torch.rand(count, 2, 1, 1, generator=draw) - 0.5) * side / 2
    down, right = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    y, x = down - side / 2 - middle[:, 0], right - side / 2 - middle[:, 1]
    angle = (kind * math.pi / 4)[:, None, None]
    across = x * angle.sin() - y * angle.cos()
    along = x * angle.cos() + y * angle.sin()
    photo = ((across.abs() < 1) & (along.abs() < 4)).float()
    photo = photo + noise * torch.randn(count, side, side, generator=draw)
    return Rows(inputs=(photo[:, None],), target=kind, shape=Shape(inputs=1, outputs=4, side=side))


def _normal(seed: int, *sizes: int) -> Tensor:
    return torch.randn(*sizes, generator=torch.Generator().manual_seed(seed))


def _of_words(x_NT: Tensor, target: Tensor, words: int, classes: int) -> Rows:
    return Rows(inputs=(x_NT,), target=target, shape=Shape(outputs=classes, words=(words,)))


MADE: dict[str, Maker] = {
    "product": product,
    "product-wide": partial(product, inputs=25),
    "spirals": spirals,
    "spirals-5": partial(spirals, arms=5, blur=0.05),
    "rings": rings,
    "blobs": blobs,
    "blobs-apart": partial(blobs, classes=5, apart=2.5),
    "blobs-many": partial(blobs, classes=20, apart=1.2),
    "chances": chances,
    "chances-hard": partial(chances, sure=0.6),
    "chances-rare": partial(chances, sure=1.5, rare=3.5),
    "friedman": friedman,
    "friedman-noisy": partial(friedman, noise=0.8),
    "waves": waves,
    "straight": straight,
    "heavy": heavy,
    "several": several,
    "majority": majority,
    "after-mark": after_mark,
    "next-word": next_word,
    "series": series,
    "ratings-made": ratings,
    "bars": bars,
    "bars-hard": partial(bars, noise=1.0),
}
