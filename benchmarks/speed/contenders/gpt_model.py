"""A small character-level GPT in plain torch, and text for it, made from a seed."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, scaled_dot_product_attention

from benchmarks.speed.data import Spec

# B windows, T characters of a window, D width, H heads, V characters of the alphabet


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width, bias=False)
        self.attended = nn.Linear(width, width, bias=False)
        self.before_layers = nn.LayerNorm(width)
        self.layers = nn.Sequential(
            nn.Linear(width, 4 * width, bias=False),
            nn.GELU(),
            nn.Linear(4 * width, width, bias=False),
        )

    def forward(self, x_BTD: Tensor) -> Tensor:
        batch, length, width = x_BTD.shape
        joined = self.queries_keys_values(self.before_attention(x_BTD))
        split = joined.view(batch, length, 3, self.heads, width // self.heads)
        queries, keys, values = split.permute(2, 0, 3, 1, 4)
        mixed_BHTE = scaled_dot_product_attention(queries, keys, values, is_causal=True)
        x_BTD = x_BTD + self.attended(mixed_BHTE.transpose(1, 2).reshape(x_BTD.shape))
        return x_BTD + self.layers(self.before_layers(x_BTD))


class CharacterModel(nn.Module):
    """Characters int64 [B, T + 1] → the mean cross-entropy of each next character, a scalar."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        width = spec["width"]
        self.characters = nn.Embedding(spec["alphabet"], width)
        self.places = nn.Embedding(spec["context"], width)
        self.blocks = nn.Sequential(*(Block(width, spec["heads"]) for _ in range(spec["layers"])))
        self.last = nn.LayerNorm(width)
        self.scores = nn.Linear(width, spec["alphabet"], bias=False)

    def forward(self, text: Tensor) -> Tensor:
        known, following = text[:, :-1], text[:, 1:]
        x_BTD = self.characters(known) + self.places.weight[: known.shape[1]]
        scores_BTV = self.scores(self.last(self.blocks(x_BTD)))
        return cross_entropy(scores_BTV.flatten(0, 1), following.flatten())


def model(spec: Spec) -> CharacterModel:
    torch.set_num_threads(spec["threads"])
    torch.manual_seed(spec["seed"])
    return CharacterModel(spec)


def windows(spec: Spec) -> Tensor:
    """Return windows of text, int64 [N, T + 1]: each character hangs on the one before it."""
    draw = np.random.default_rng(spec["seed"])
    rows, length, alphabet = spec["rows"], spec["context"] + 1, spec["alphabet"]
    text = np.empty((rows, length), np.int64)
    text[:, 0] = draw.integers(alphabet, size=rows)
    for place in range(1, length):
        step = draw.geometric(0.4, rows)
        text[:, place] = (text[:, place - 1] * 7 + step) % alphabet
    return torch.from_numpy(text)
