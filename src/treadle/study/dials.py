"""The few settings that matter, and how far from the usual ones others are tried."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from treadle.contracts import Json

CHANGED = 0.5
"""The chance of each setting to be another than the usual one in a trial."""


@dataclass(frozen=True, kw_only=True)
class Dial:
    """One setting.

    words:     what it is to people
    scale:     "log": a draw is up to `factor` times more or less than where it starts from;
               "linear": anywhere between the bounds
    low, high: bounds of its values, both allowed
    multiple:  values are whole multiples of it; 0: any number
    """

    name: str
    words: str
    scale: Literal["log", "linear"]
    low: float
    high: float
    factor: float = 1.0
    multiple: int = 0

    def draw(self, start: float, generator: np.random.Generator) -> float:
        """Return a value beside `start`; where that is 0, any of a log scale."""
        if self.scale == "linear":
            value = generator.uniform(self.low, self.high)
        elif start > 0:
            value = start * self.factor ** generator.uniform(-1, 1)
        else:
            value = math.exp(generator.uniform(math.log(self.low), math.log(self.high)))
        value = min(self.high, max(self.low, value))
        if self.multiple:
            return max(self.multiple, self.multiple * round(value / self.multiple))
        return float(f"{value:.3g}")


def drawn(
    dials: Sequence[Dial], start: Mapping[str, float], generator: np.random.Generator
) -> Json:
    """Return the settings of a trial that differ from `start`: about half, and at least one."""
    turned = generator.uniform(size=len(dials)) < CHANGED
    turned[generator.integers(len(dials))] = True
    values = {
        dial.name: dial.draw(float(start[dial.name]), generator)
        for dial, other in zip(dials, turned, strict=True)
        if other
    }
    return {name: value for name, value in values.items() if value != start[name]}


def changed_in_words(dials: Sequence[Dial], changes: Mapping[str, float]) -> str:
    """Return "leaves 63, learning rate 0.031"."""
    words = {dial.name: dial.words for dial in dials}
    return ", ".join(f"{words.get(name, name)} {value:g}" for name, value in changes.items())


TREES = (
    Dial(name="num_leaves", words="leaves", scale="log", low=3, high=511, factor=4, multiple=1),
    Dial(name="learning_rate", words="learning rate", scale="log", low=5e-3, high=0.1, factor=2),
    Dial(name="min_data_in_leaf", words="rows in a leaf", scale="log", low=1, high=500, factor=5,
         multiple=1),
    Dial(name="feature_fraction", words="share of columns", scale="linear", low=0.15, high=1),
    Dial(name="bagging_fraction", words="share of rows", scale="linear", low=0.5, high=1),
    Dial(name="lambda_l2", words="penalty on leaves", scale="log", low=0.01, high=100, factor=10),
    Dial(name="cat_smooth", words="smoothing of categories", scale="log", low=1, high=500,
         factor=8),
)  # fmt: skip

NETWORK = (
    Dial(name="learning_rate", words="learning rate", scale="log", low=1e-4, high=5e-2, factor=4),
    Dial(name="width", words="width", scale="log", low=32, high=512, factor=2.5, multiple=16),
    Dial(name="num_blocks", words="layers", scale="linear", low=1, high=4, multiple=1),
    Dial(name="dropout", words="dropout", scale="linear", low=0, high=0.5),
    Dial(name="weight_decay", words="weight decay", scale="log", low=1e-6, high=0.3, factor=100),
    Dial(name="batch_size", words="rows in a batch", scale="log", low=16, high=1024, factor=4,
         multiple=16),
    Dial(name="highest_frequency", words="fastest wave", scale="log", low=0.1, high=64, factor=6),
)  # fmt: skip
