"""Which mixtures of a row with background rows are looked at, and how their answers add up.

Source: Štrumbelj and Kononenko, Explaining prediction models and individual predictions with
feature contributions, 2014 (orders drawn at random); Mitchell, Cooper, Frank and Holmes, Sampling
Permutations for Shapley Value Estimation, 2022 (each order, and the same backwards).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

EXACT_UP_TO = 5
"""Groups of columns of which every combination is looked at."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """The mixtures to look at, and how their answers add up.

    own:     bool [P, G]: whether a group of columns is the row's own
    behind:  int64 [P]: the background row that the others come from
    weights: float64 [P, G]: a group's part is the weighted sum of the P answers
    """

    own: Array
    behind: Array
    weights: Array


def design_of(num_groups: int, num_behind: int, orders: int = 1) -> Design:
    """Return every combination for a few groups, else so many orders for each background row."""
    if num_groups <= EXACT_UP_TO:
        return every_combination(num_groups, num_behind)
    return some_orders(num_groups, num_behind, orders)


def every_combination(num_groups: int, num_behind: int) -> Design:
    """Return the design that gives the exact values: all 2^G combinations, behind each row."""
    own = (np.arange(2**num_groups)[:, None] >> np.arange(num_groups) & 1).astype(bool)
    size = own.sum(axis=1, keepdims=True)
    shares = np.array([1 / (num_groups * math.comb(num_groups - 1, s)) for s in range(num_groups)])
    weights = np.where(own, shares[size - 1], -shares[np.minimum(size, num_groups - 1)])
    return Design(
        own=np.tile(own, (num_behind, 1)),
        behind=np.repeat(np.arange(num_behind), len(own)),
        weights=np.tile(weights / num_behind, (num_behind, 1)),
    )


def some_orders(num_groups: int, num_behind: int, orders: int, seed: int = 0) -> Design:
    """Return a design in which each background row sees some orders of the groups, both ways.

    The answer of a model without interplay of more than two columns is parted exactly.
    """
    draw = np.random.default_rng(seed)
    places: dict[tuple[bytes, int], int] = {}
    own: list[Array] = []
    steps: list[tuple[int, int, int]] = []
    for behind in np.tile(np.arange(num_behind), orders):
        order = draw.permutation(num_groups)
        for way in (order, order[::-1]):
            walk = []
            for taken in range(num_groups + 1):
                mask = np.zeros(num_groups, bool)
                mask[way[:taken]] = True
                key = (mask.tobytes(), int(behind))
                if key not in places:
                    places[key] = len(own)
                    own.append(mask)
                walk.append(places[key])
            steps += [(a, b, int(g)) for (a, b), g in zip(pairwise(walk), way, strict=True)]
    weights = np.zeros((len(own), num_groups))
    for before, after, group in steps:
        weights[after, group] += 0.5 / (num_behind * orders)
        weights[before, group] -= 0.5 / (num_behind * orders)
    behind_of = np.array([behind for _, behind in places], np.int64)
    return Design(own=np.array(own), behind=behind_of, weights=weights)
