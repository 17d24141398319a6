"""What boosted trees say of mixtures of rows with background rows: of all mixtures at once.

A mixture takes some groups of columns from a row and the others from a background row. A leaf is
reached where the row meets the leaf's conditions on its own columns, and the background row the
others. Leaves that ask for the same groups are taken together: for each way of parting these
groups, what the row meets [leaves, rows] and what the background meets [background, leaves],
times the leaves' values, is a matrix product. A leaf is looked at once for each parting of the few
groups on its path, however many mixtures there are; walking through the trees looks at all of them
for each mixture.

Source: the conditions of a leaf parted between two rows, Lundberg et al., From local explanations
to global understanding with explainable AI for trees, 2020, algorithm 3; leaves taken together
with all that rows can do to their paths, Nadel and Wettenstein, From decision trees to Boolean
logic: a fast and unified SHAP algorithm, 2025.

Legend: N rows, P mixtures of each, K background rows, G groups, O outputs, D groups on a path.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from treadle.models.tree_paths import Conditions
from treadle.models.trees import Trees, columns_of

Array: TypeAlias = NDArray[Any]
Arrays: TypeAlias = dict[str, Array]

ROWS_AT_ONCE = 128
PARTINGS_AT_ONCE = 8_192
"""Leaves times the ways of parting their groups: with the rows at once 8 MB."""
MOST_KEPT = 16_000_000
"""Numbers that are kept of what the background rows meet: 128 MB."""
_OF_A_PARTING, _OF_A_SUM, _OF_A_TREE = 0.2, 1.0, 50.0
"""Nanoseconds of a leaf's parting for a background row, of a sum for a mixture, of a mixture's way
through a tree."""


@dataclass(frozen=True, kw_only=True)
class Alike:
    """Leaves of one output whose paths ask for the same groups.

    groups: int64 [D]; conditions: int64 [D, n], which condition is which; values: float64 [n]
    """

    output: int
    groups: Array
    conditions: Array
    values: Array


class TreeMixtures:
    """The scores of mixtures with some background rows.

    groups: name of an array → the group of each of its columns, int64
    """

    def __init__(self, trees: Trees, background: Arrays, groups: dict[str, Array]) -> None:
        self.trees = trees
        self.group = np.concatenate([groups["numbers"], groups["categories"]])
        self.conditions = Conditions(trees.arrays, trees.layout.num_numbers)
        leaf, group = self.conditions.leaf, self.group[self.conditions.column]
        self._order = np.lexsort((group, leaf))
        leaf, group = leaf[self._order], group[self._order]
        new = np.ones(len(leaf), bool)
        new[1:] = (leaf[1:] != leaf[:-1]) | (group[1:] != group[:-1])
        self._starts = np.flatnonzero(new)
        self._leaf, self._of_group = leaf[new], group[new]
        self.behind = self._met(background).astype(np.float64)
        self.alike = list(self._alike())
        self._kept: dict[int, Array] = {}
        self._room = MOST_KEPT

    def is_faster(self, at_once: int, walked: int) -> bool:
        """Tell whether so many mixtures take less time here than others walking through the trees.

        at_once, walked: how many mixtures of a row are looked at in either way
        """
        partings = sum(len(alike.values) << len(alike.groups) for alike in self.alike)
        here = _OF_A_PARTING * partings * self.behind.shape[1]
        here += _OF_A_SUM * len(self.alike) * at_once
        return bool(here < _OF_A_TREE * self.trees.arrays.num_trees * walked)

    def scores(self, arrays: Arrays, own: Array, behind: Array) -> Array:
        """Return the scores of each row's mixtures, float64 [N, P, O].

        own: bool [P, G], which groups are the row's own; behind: int64 [P], the background row
        """
        count, outputs = len(arrays["numbers"]), self.trees.layout.num_outputs
        found = np.empty((count, len(own), outputs))
        num_behind = self.behind.shape[1]
        places = [
            (own[:, alike.groups] @ (1 << np.arange(len(alike.groups)))) * num_behind + behind
            for alike in self.alike
        ]
        for start in range(0, count, ROWS_AT_ONCE):
            some = slice(start, start + ROWS_AT_ONCE)
            rows = {name: array[some] for name, array in arrays.items()}
            found[some] = self._scores(rows, places).transpose(2, 1, 0)
        found += self.trees.base_scores.numpy() + self._of_lone_leaves()
        return found

    def _scores(self, rows: Arrays, places: list[Array]) -> Array:
        """Return what the leaves with conditions add, float64 [O, P, N].

        places: of each mixture among the partings of each kind of leaves, int64 [P]
        """
        met = self._met(rows).astype(np.float64)
        num_mixtures, count = len(places[0]) if places else 0, met.shape[1]
        total = np.zeros((self.trees.layout.num_outputs, num_mixtures, count))
        taken = np.empty((num_mixtures, count))
        for alike, place in zip(self.alike, places, strict=True):
            partings = self._partings(alike, met).reshape(-1, count)
            total[alike.output] += np.take(partings, place, axis=0, out=taken, mode="clip")
        return total

    def _partings(self, alike: Alike, met: Array) -> Array:
        """Return what leaves add by who owns which of their groups, float64 [2^D, K, N].

        Bit d of the first place: whether group d is the row's own.
        """
        row = np.ones((1, len(alike.values), met.shape[1]))
        for conditions in alike.conditions:
            row = np.concatenate([row, row * met[conditions]])
        return self._of_background(alike) @ row

    def _of_background(self, alike: Alike) -> Array:
        """Return the leaves' values where the background rows meet the others' conditions.

        float64 [2^D, K, n]; kept for the next rows as long as there is room
        """
        kept = self._kept.get(id(alike))
        if kept is not None:
            return kept
        num_behind = self.behind.shape[1]
        found: Array = np.broadcast_to(alike.values, (1, num_behind, len(alike.values)))
        for conditions in alike.conditions:
            found = np.concatenate([found * self.behind[conditions].T, found])
        if self._room >= found.size:
            self._kept[id(alike)] = found
            self._room -= found.size
        return found

    def _met(self, arrays: Arrays) -> Array:
        """Return which leaf's conditions on a group each row meets, bool [S, N]."""
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        met = self.conditions.met(columns_of(tensors, self.trees.layout))[self._order]
        if len(self._starts) == len(self._order):
            return met
        found: Array = np.logical_and.reduceat(met, self._starts, axis=0)
        return found

    def _alike(self) -> Iterator[Alike]:
        """Yield the leaves that have conditions, those of the same groups together."""
        arrays = self.trees.arrays
        leaves, first, depth = np.unique(self._leaf, return_index=True, return_counts=True)
        tree = np.repeat(np.arange(arrays.num_trees), arrays.num_leaves)[leaves]
        output = tree % self.trees.layout.num_outputs
        for size in np.unique(depth):
            some = np.flatnonzero(depth == size)
            conditions = first[some][:, None] + np.arange(size)
            key = np.column_stack([output[some], self._of_group[conditions]])
            for places in _equal_rows(key, max(1, PARTINGS_AT_ONCE >> int(size))):
                yield Alike(
                    output=int(key[places[0], 0]),
                    groups=key[places[0], 1:],
                    conditions=conditions[places].T,
                    values=arrays.leaf_value[leaves[some[places]]],
                )

    def _of_lone_leaves(self) -> Array:
        """Return what trees of one leaf add, float64 [O]."""
        arrays = self.trees.arrays
        lone = arrays.num_leaves == 1
        outputs = self.trees.layout.num_outputs
        values = arrays.leaf_value[arrays.starts()["leaves"][:-1][lone]]
        return np.bincount(np.flatnonzero(lone) % outputs, values, minlength=outputs)


def _equal_rows(keys: Array, most: int) -> Iterator[Array]:
    """Yield the places of equal rows, at most so many at once."""
    _, back, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(back.reshape(-1), kind="stable")
    for places in np.split(order, np.cumsum(counts)[:-1]):
        yield from (places[start : start + most] for start in range(0, len(places), most))
