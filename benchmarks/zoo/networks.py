"""The networks of the zoo's own modules, by a short name: "mlp 64 64", "conv 8 16", "gru 24".

Shape legend: B rows, F inputs, T steps, V words, D width, O outputs, H and W of small photos.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a network must know of its data.

    inputs:  F of a table, channels of a photo or of a series
    outputs: O, numbers that come out for a row
    words:   sizes of what is looked up: a vocabulary; users and items
    side:    H = W of a photo
    """

    inputs: int = 0
    outputs: int = 1
    words: tuple[int, ...] = ()
    side: int = 0


def build(name: str, shape: Shape, seed: int) -> nn.Module:
    """Return the network of that name, its weights drawn with `seed`."""
    torch.manual_seed(seed)
    word, *sizes = name.split()
    return NETWORKS[word](shape, *map(int, sizes))


def mlp(shape: Shape, *widths: int) -> nn.Module:
    return _layers(shape, widths, nn.ReLU)


def tanh(shape: Shape, *widths: int) -> nn.Module:
    return _layers(shape, widths, nn.Tanh)


def gelu(shape: Shape, *widths: int) -> nn.Module:
    return _layers(shape, widths, nn.GELU)


def normed(shape: Shape, *widths: int) -> nn.Module:
    return _layers(shape, widths, nn.ReLU, norm=True)


def dropout(shape: Shape, percent: int, *widths: int) -> nn.Module:
    return _layers(shape, widths, nn.ReLU, dropout=percent / 100)


def _layers(
    shape: Shape,
    widths: tuple[int, ...],
    act: Callable[[], nn.Module],
    *,
    norm: bool = False,
    dropout: float = 0.0,
) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten()] if shape.side else []
    before = shape.inputs * max(1, shape.side) ** 2
    for width in widths:
        layers += [nn.Linear(before, width), *([nn.BatchNorm1d(width)] if norm else []), act()]
        layers += [nn.Dropout(dropout)] if dropout else []
        before = width
    return nn.Sequential(*layers, nn.Linear(before, shape.outputs))


def conv(shape: Shape, *channels: int) -> nn.Module:
    layers: list[nn.Module] = []
    before, side = shape.inputs, shape.side
    for count in channels:
        layers += [nn.Conv2d(before, count, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        before, side = count, side // 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(before * side**2, shape.outputs))


def conv_normed(shape: Shape, *channels: int) -> nn.Module:
    layers: list[nn.Module] = []
    before = shape.inputs
    for count in channels:
        layers += [nn.Conv2d(before, count, 3, padding=1), nn.BatchNorm2d(count), nn.ReLU()]
        layers += [nn.MaxPool2d(2)]
        before = count
    pooled = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, *pooled, nn.Linear(before, shape.outputs))


class Gru(nn.Module):
    """A GRU over words int64 [B, T], or over numbers float32 [B, T, F]; answers at the end."""

    def __init__(self, shape: Shape, width: int) -> None:
        super().__init__()
        self.words = nn.Embedding(shape.words[0], width) if shape.words else None
        self.gru = nn.GRU(width if shape.words else shape.inputs, width, batch_first=True)
        self.out = nn.Linear(width, shape.outputs)

    def forward(self, x_BT: Tensor) -> Tensor:
        x_BTD = x_BT if self.words is None else self.words(x_BT)
        last: Tensor = self.out(self.gru(x_BTD)[0][:, -1])
        return last


class Transformer(nn.Module):
    """One or more layers of attention over words int64 [B, T]; the mean of all places answers."""

    def __init__(self, shape: Shape, width: int, depth: int = 1, places: int = 64) -> None:
        super().__init__()
        self.words = nn.Embedding(shape.words[0], width)
        self.places = nn.Parameter(0.1 * torch.randn(places, width))
        layer = nn.TransformerEncoderLayer(
            width, 2, 2 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.out = nn.Linear(width, shape.outputs)

    def forward(self, x_BT: Tensor) -> Tensor:
        x_BTD = self.words(x_BT) + self.places[: x_BT.shape[1]]
        answer: Tensor = self.out(self.layers(x_BTD).mean(1))
        return answer


class Factors(nn.Module):
    """What two vectors looked up have in common, plus a bias each: users and items int64 [B]."""

    def __init__(self, shape: Shape, width: int) -> None:
        super().__init__()
        self.users, self.items = (nn.Embedding(words, width) for words in shape.words)
        self.user_bias, self.item_bias = (nn.Embedding(words, 1) for words in shape.words)
        self.level = nn.Parameter(torch.zeros(1))
        for table in (self.users, self.items):
            nn.init.normal_(table.weight, std=0.1)
        for bias in (self.user_bias, self.item_bias):
            nn.init.zeros_(bias.weight)

    def forward(self, user_B: Tensor, item_B: Tensor) -> Tensor:
        common: Tensor = (self.users(user_B) * self.items(item_B)).sum(1, keepdim=True)
        return common + self.user_bias(user_B) + self.item_bias(item_B) + self.level


class Looked(nn.Module):
    """Categories int64 [B, C], each looked up, beside numbers float32 [B, F], under an MLP."""

    def __init__(self, shape: Shape, width: int, *hidden: int) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(words, width) for words in shape.words)
        inputs = shape.inputs + width * len(shape.words)
        self.rest = mlp(Shape(inputs=inputs, outputs=shape.outputs), *hidden)

    def forward(self, numbers_BF: Tensor, codes_BC: Tensor) -> Tensor:
        found = [table(codes_BC[:, place]) for place, table in enumerate(self.tables)]
        answer: Tensor = self.rest(torch.cat([numbers_BF, *found], dim=1))
        return answer


NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "linear": lambda shape: _layers(shape, (), nn.ReLU),
    "mlp": mlp,
    "tanh": tanh,
    "gelu": gelu,
    "normed": normed,
    "dropout": dropout,
    "conv": conv,
    "conv_normed": conv_normed,
    "gru": Gru,
    "transformer": Transformer,
    "factors": Factors,
    "looked": Looked,
}
