"""What leads to each leaf of boosted trees: one condition for each column on its path.

Legend: S conditions, each of one leaf and one column; N rows; F numbers, then C categories.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.models.tree_arrays import TreeArrays

Array: TypeAlias = NDArray[Any]

_LEFT_WHEN_MISSING = 2
_MISSING_IS_NAN = 8
_MISSING_IS_ZERO = 4


@dataclass(frozen=True, kw_only=True)
class Paths:
    """All steps to all leaves, ordered by column, then leaf.

    column, leaf, node: int64 [K], of each step; left: bool [K], whether it goes left
    starts: int64 [S], where the steps of each condition begin
    """

    column: Array
    leaf: Array
    node: Array
    left: Array
    starts: Array


def paths_of(trees: TreeArrays) -> Paths:
    """Return the steps from the roots to the leaves."""
    parent, from_left, leaf_parent, leaf_left = _parents(trees)
    leaf, node, left = np.arange(len(leaf_parent)), leaf_parent, leaf_left
    steps = []
    while len(inside := np.flatnonzero(node >= 0)):
        leaf, node, left = leaf[inside], node[inside], left[inside]
        steps.append((leaf, node, left))
        left, node = from_left[node], parent[node]
    empty = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, bool))
    leaf, node, left = (np.concatenate(part) for part in zip(*(steps or [empty]), strict=True))
    column = trees.split_feature[node].astype(np.int64)
    order = np.lexsort((leaf, column))
    column, leaf, node, left = column[order], leaf[order], node[order], left[order]
    new = np.ones(len(leaf), bool)
    new[1:] = (column[1:] != column[:-1]) | (leaf[1:] != leaf[:-1])
    return Paths(column=column, leaf=leaf, node=node, left=left, starts=np.flatnonzero(new))


def can_be_told(trees: TreeArrays) -> bool:
    """Tell whether `Conditions` reads these splits as LightGBM does: none takes 0 for missing."""
    return not (trees.decision & _MISSING_IS_ZERO).any()


class Conditions:
    """Tells for rows which conditions they meet, as LightGBM decides at the nodes.

    column, leaf: int64 [S], of each condition
    """

    def __init__(self, trees: TreeArrays, num_numbers: int) -> None:
        self.trees, self.paths, self.num_numbers = trees, paths_of(trees), num_numbers
        paths = self.paths
        self.column, self.leaf = paths.column[paths.starts], paths.leaf[paths.starts]
        ends = np.append(paths.starts, len(paths.node))
        self._tests = [
            (column, slice(*np.searchsorted(self.column, (column, column + 1))))
            for column in np.unique(self.column)
        ]
        self._steps = {
            column: slice(ends[some.start], ends[some.stop]) for column, some in self._tests
        }
        numbers = [t for t in self._tests if t[0] < num_numbers]
        self._between = {column: self._limits(column) for column, _ in numbers}

    def met(self, columns: Array) -> Array:
        """Return which conditions each row meets, bool [S, N].

        columns: float [N, F + C], as `trees.columns_of` gives them
        """
        found = np.empty((len(self.column), len(columns)), bool)
        for column, some in self._tests:
            cells = columns[:, column].astype(np.float64)
            tell = self._met_by_numbers if column < self.num_numbers else self._met_by_codes
            found[some] = tell(column, cells)
        return found

    def _limits(self, column: int) -> tuple[Array, Array, Array, Array]:
        """Return a column's thresholds, and of each of its conditions low, high (places among them)
        and whether a missing number meets it.
        """
        steps = self._steps[column]
        node, left = self.paths.node[steps], self.paths.left[steps]
        thresholds, place = np.unique(self.trees.threshold[node], return_inverse=True)
        place = place.reshape(-1)
        starts = self._starts(column)
        low = np.maximum.reduceat(np.where(left, 0, place + 1), starts)
        high = np.minimum.reduceat(np.where(left, place + 1, len(thresholds) + 1), starts)
        decision = self.trees.decision[node]
        as_zero = self.trees.threshold[node] >= 0
        goes_left = np.where(
            decision & _MISSING_IS_NAN, (decision & _LEFT_WHEN_MISSING) > 0, as_zero
        )
        missing = np.logical_and.reduceat(goes_left == left, starts)
        return thresholds, low.astype(np.int32), high.astype(np.int32), missing

    def _met_by_numbers(self, column: int, cells: Array) -> Array:
        thresholds, low, high, missing = self._between[column]
        place = np.searchsorted(thresholds, cells).astype(np.int32)
        found: Array = (low[:, None] <= place) & (place < high[:, None])
        lost = np.isnan(cells)
        if lost.any():
            found[:, lost] = missing[:, None]
        return found

    def _met_by_codes(self, column: int, cells: Array) -> Array:
        steps = self._steps[column]
        node, left = self.paths.node[steps], self.paths.left[steps]
        codes, back = np.unique(cells, return_inverse=True)
        nodes, place = np.unique(node, return_inverse=True)
        goes_left = self._in_sets(nodes, codes)[place.reshape(-1)]
        met = np.logical_and.reduceat(goes_left == left[:, None], self._starts(column), axis=0)
        found: Array = met[:, back.reshape(-1)]
        return found

    def _in_sets(self, nodes: Array, codes: Array) -> Array:
        """Return which codes the sets of some nodes hold, bool [nodes, codes]; NaN is in none."""
        trees, starts = self.trees, self.trees.starts()
        tree = np.repeat(np.arange(trees.num_trees), trees.num_leaves - 1)[nodes]
        number = starts["sets"][tree] + trees.threshold[nodes].astype(np.int64)
        words = np.concatenate([[0], np.cumsum(trees.category_set_words)])
        whole = np.where(np.isnan(codes), -1, codes).astype(np.int64)
        place = words[number][:, None] + (whole >> 5)
        inside = (whole >= 0) & (place < words[number + 1][:, None])
        word = trees.category_words[np.where(inside, place, 0)]
        found: Array = inside & ((word >> (whole & 31)) & 1).astype(bool)
        return found

    def _starts(self, column: int) -> Array:
        steps, starts = self._steps[column], self.paths.starts
        found: Array = starts[(starts >= steps.start) & (starts < steps.stop)] - steps.start
        return found


def _parents(trees: TreeArrays) -> tuple[Array, Array, Array, Array]:
    """Return each node's parent (−1: a root) and whether it is its left child; of leaves as well.

    Nodes and leaves are counted through all trees.
    """
    starts = trees.starts()
    tree = np.repeat(np.arange(trees.num_trees), trees.num_leaves - 1)
    parent = np.full(len(trees.split_feature), -1, np.int64)
    leaf_parent = np.full(len(trees.leaf_value), -1, np.int64)
    from_left, leaf_left = np.zeros(len(parent), bool), np.zeros(len(leaf_parent), bool)
    here = np.arange(len(parent))
    for child, left in ((trees.left.astype(np.int64), True), (trees.right.astype(np.int64), False)):
        inner = child >= 0
        place = (starts["nodes"][tree] + child)[inner]
        parent[place], from_left[place] = here[inner], left
        place = (starts["leaves"][tree] - child - 1)[~inner]
        leaf_parent[place], leaf_left[place] = here[~inner], left
    return parent, from_left, leaf_parent, leaf_left
