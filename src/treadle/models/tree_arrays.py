"""Boosted trees as plain arrays: all trees one after another, their structure checked.

Legend: T trees, M inner nodes of all trees, L leaves of all trees, S category splits of all trees,
W 32-bit words of all category sets. A child that is not negative is an inner node of the same tree;
a negative one, c, is leaf −c − 1 of it (LightGBM's own numbering).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.contracts import Layout
from treadle.errors import BrokenCheckpointError

Array: TypeAlias = NDArray[Any]

CATEGORY_SPLIT = 1  # bit 0 of a decision; bit 1: missing goes left; bits 2 and 3: kind of missing
KNOWN_DECISIONS = (0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11)
MOST_LEAVES = 131_072  # LightGBM's own limit

DTYPES: Mapping[str, type[np.generic]] = {
    "num_leaves": np.int32,
    "num_category_splits": np.int32,
    "split_feature": np.int32,
    "threshold": np.float64,
    "decision": np.int8,
    "left": np.int32,
    "right": np.int32,
    "gain": np.float64,
    "node_count": np.int64,
    "leaf_value": np.float64,
    "leaf_count": np.int64,
    "category_set_words": np.int32,
    "category_words": np.int64,
}


@dataclass(frozen=True, kw_only=True)
class TreeArrays:
    """T trees, concatenated; dtypes as in DTYPES.

    num_leaves [T], num_category_splits [T]: how many of the rows below belong to each tree
    split_feature, threshold, decision, left, right, gain, node_count [M]: the inner nodes
    leaf_value, leaf_count [L]: the leaves
    category_set_words [S]: words in each category set; category_words [W]: the sets, as bits.
    The threshold of a category split is the number of its set within the tree.
    """

    num_leaves: Array
    num_category_splits: Array
    split_feature: Array
    threshold: Array
    decision: Array
    left: Array
    right: Array
    gain: Array
    node_count: Array
    leaf_value: Array
    leaf_count: Array
    category_set_words: Array
    category_words: Array

    @property
    def num_trees(self) -> int:
        return len(self.num_leaves)

    def as_dict(self) -> dict[str, Array]:
        """Return name → array, in the order of DTYPES."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def starts(self) -> dict[str, Array]:
        """Return where each tree begins, int64 [T + 1], among nodes, leaves, sets and words."""
        words = _offsets(self.category_set_words)
        sets = _offsets(self.num_category_splits)
        return {
            "nodes": _offsets(self.num_leaves - 1),
            "leaves": _offsets(self.num_leaves),
            "sets": sets,
            "words": words[sets],
        }

    def first(self, num_trees: int) -> TreeArrays:
        """Return the first `num_trees` trees."""
        return self.between(0, num_trees)

    def between(self, start: int, end: int) -> TreeArrays:
        """Return the trees from `start` up to, not with, `end`."""
        starts = self.starts() | {"trees": np.arange(self.num_trees + 1)}
        return TreeArrays(
            **{
                name: array[starts[KIND[name]][start] : starts[KIND[name]][end]].copy()
                for name, array in self.as_dict().items()
            }
        )


KIND: Mapping[str, str] = {
    **dict.fromkeys(("num_leaves", "num_category_splits"), "trees"),
    **dict.fromkeys(("split_feature", "threshold", "decision", "left", "right"), "nodes"),
    **dict.fromkeys(("gain", "node_count"), "nodes"),
    **dict.fromkeys(("leaf_value", "leaf_count"), "leaves"),
    "category_set_words": "sets",
    "category_words": "words",
}


def no_trees() -> TreeArrays:
    """Return arrays of no tree at all."""
    return TreeArrays(**{name: np.zeros(0, dtype) for name, dtype in DTYPES.items()})


def joined(parts: Sequence[TreeArrays]) -> TreeArrays:
    """Return the trees of all parts, one after another."""
    return TreeArrays(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in DTYPES}
    )


def checked(arrays: Mapping[str, Array], layout: Layout) -> TreeArrays:
    """Return the trees if each is a proper tree over the columns of `layout`.

    LightGBM trusts a model's text: an edited one can abort or hang the whole process, so nothing
    gets there that has not passed here.

    Raises: BrokenCheckpointError with the number of the tree and what is wrong with it.
    """
    trees = TreeArrays(**_with_known_dtypes(arrays))
    _check_sizes(trees)
    if trees.num_trees:
        _check_nodes(trees, layout)
        _check_shape(trees)
        _check_category_sets(trees, layout)
        _check_leaves(trees)
    return trees


def _with_known_dtypes(arrays: Mapping[str, Array]) -> dict[str, Array]:
    missing = [name for name in DTYPES if name not in arrays]
    if missing:
        raise BrokenCheckpointError(f"The trees lack {', '.join(missing)}.", RETRAIN)
    for name, dtype in DTYPES.items():
        array = arrays[name]
        if array.dtype != dtype or array.ndim != 1:
            raise BrokenCheckpointError(
                f"{name} of the trees is {array.dtype} with {array.ndim} dimensions; "
                f"expected {np.dtype(dtype)} with 1.",
                RETRAIN,
            )
    return {name: arrays[name] for name in DTYPES}


def _check_sizes(trees: TreeArrays) -> None:
    if len(trees.num_category_splits) != trees.num_trees:
        raise BrokenCheckpointError(
            f"{trees.num_trees} trees, but category splits of {len(trees.num_category_splits)}.",
            RETRAIN,
        )
    wrong = (trees.num_leaves < 1) | (trees.num_leaves > MOST_LEAVES)
    _refuse_trees(wrong, "its number of leaves is not between 1 and 131,072")
    wrong = (trees.num_category_splits < 0) | (trees.num_category_splits >= trees.num_leaves)
    _refuse_trees(wrong, "it has more category splits than nodes, or fewer than none")
    if (trees.category_set_words < 0).any():
        raise BrokenCheckpointError("A category set of the trees has a negative size.", RETRAIN)
    expected = {
        "nodes": int(trees.num_leaves.sum(dtype=np.int64)) - trees.num_trees,
        "leaves": int(trees.num_leaves.sum(dtype=np.int64)),
        "sets": int(trees.num_category_splits.sum(dtype=np.int64)),
        "words": int(trees.category_set_words.sum(dtype=np.int64)),
        "trees": trees.num_trees,
    }
    for name, array in trees.as_dict().items():
        if len(array) != expected[KIND[name]]:
            raise BrokenCheckpointError(
                f"{name} of the trees holds {len(array)} values; expected {expected[KIND[name]]}.",
                RETRAIN,
            )


def _check_nodes(trees: TreeArrays, layout: Layout) -> None:
    tree = _tree_of_node(trees)
    num_columns = layout.num_numbers + len(layout.cardinalities)
    feature, is_category = trees.split_feature, _is_category(trees)
    _refuse(tree, ~np.isin(trees.decision, KNOWN_DECISIONS), "a decision is of no known kind")
    _refuse(tree, (feature < 0) | (feature >= num_columns), "it splits on a column that is not")
    of_category = feature >= layout.num_numbers
    _refuse(tree, of_category != is_category, "it splits a number as a category, or the reverse")
    # a split on missing or not has the threshold infinity
    _refuse(tree, np.isnan(trees.threshold), "a threshold is not a number")
    _refuse(tree, np.isnan(trees.gain), "a gain is not a number")
    _refuse(tree, trees.node_count < 0, "a node has fewer than no rows")


def _check_shape(trees: TreeArrays) -> None:
    """Check that in every tree each node and leaf but the root has exactly one parent.

    A child's number must be above its parent's, as LightGBM makes them, so there is no cycle.
    """
    tree, starts = _tree_of_node(trees), trees.starts()
    number = np.arange(len(tree)) - starts["nodes"][tree]  # of the node within its tree
    reached = np.zeros(len(tree), np.int64)
    reached_leaves = np.zeros(len(trees.leaf_value), np.int64)
    for children in (trees.left.astype(np.int64), trees.right.astype(np.int64)):
        inner = children >= 0
        too_far = np.where(inner, children, -children) > trees.num_leaves[tree] - inner * 2
        _refuse(tree, too_far, "a node points to a child that does not exist")
        _refuse(tree, inner & (children <= number), "a node points back to itself or above")
        np.add.at(reached, (starts["nodes"][tree] + children)[inner], 1)
        np.add.at(reached_leaves, (starts["leaves"][tree] - children - 1)[~inner], 1)
    _refuse(tree, reached != (number > 0), "a node is reached twice or never")
    leaf_tree = np.repeat(np.arange(trees.num_trees), trees.num_leaves)
    expected = np.repeat(trees.num_leaves > 1, trees.num_leaves)
    _refuse(leaf_tree, reached_leaves != expected, "a leaf is reached twice or never")


def _check_category_sets(trees: TreeArrays, layout: Layout) -> None:
    tree, starts = _tree_of_node(trees), trees.starts()
    at = _is_category(trees)
    tree, feature, number = tree[at], trees.split_feature[at], trees.threshold[at]
    counts = np.bincount(tree, minlength=trees.num_trees)
    _refuse_trees(counts != trees.num_category_splits, "its number of category splits disagrees")
    known = (number >= 0) & (number < trees.num_category_splits[tree]) & (number % 1 == 0)
    _refuse(tree, ~known, "a category split names a set that does not exist")
    place = starts["sets"][tree] + number.astype(np.int64)
    used = np.bincount(place, minlength=len(trees.category_set_words))
    set_tree = np.repeat(np.arange(trees.num_trees), trees.num_category_splits)
    _refuse(set_tree, used != 1, "a category set is used twice or never")
    cardinality = np.array(layout.cardinalities or (0,))[feature - layout.num_numbers]
    words = trees.category_set_words[place]
    _refuse(tree, (words < 1) | (words > (cardinality + 31) // 32), "a category set is too long")
    if ((trees.category_words < 0) | (trees.category_words >= 2**32)).any():
        raise BrokenCheckpointError("A category set of the trees is not made of words.", RETRAIN)


def _check_leaves(trees: TreeArrays) -> None:
    tree = np.repeat(np.arange(trees.num_trees), trees.num_leaves)
    _refuse(tree, ~np.isfinite(trees.leaf_value), "the value of a leaf is not a finite number")
    _refuse(tree, trees.leaf_count < 0, "a leaf has fewer than no rows")


RETRAIN = "the files were changed after training; take an untouched copy of the run, or train again"


def _offsets(sizes: Array) -> Array:
    """Return where each of several consecutive pieces begins, and the end: int64 [len + 1]."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])


def _tree_of_node(trees: TreeArrays) -> Array:
    return np.repeat(np.arange(trees.num_trees), trees.num_leaves - 1)


def _is_category(trees: TreeArrays) -> Array:
    found: Array = (trees.decision & CATEGORY_SPLIT) == 1
    return found


def _refuse_trees(wrong: Array, reason: str) -> None:
    _refuse(np.arange(len(wrong)), wrong, reason)


def _refuse(tree: Array, wrong: Array, reason: str) -> None:
    if wrong.any():
        number = int(tree[np.flatnonzero(wrong)[0]])
        raise BrokenCheckpointError(f"Tree {number} is broken: {reason}.", RETRAIN)
