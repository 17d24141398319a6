"""LightGBM's model text, read into arrays and written from them, without losing a bit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from treadle.models.tree_arrays import DTYPES, Array, TreeArrays, joined, no_trees

KEYS: Mapping[str, str] = {  # our name → LightGBM's
    "split_feature": "split_feature",
    "threshold": "threshold",
    "decision": "decision_type",
    "left": "left_child",
    "right": "right_child",
    "gain": "split_gain",
    "node_count": "internal_count",
    "leaf_value": "leaf_value",
    "leaf_count": "leaf_count",
}


def read(text: str) -> TreeArrays:
    """Return the trees of a model that LightGBM wrote just now, in this process.

    Numbers are written with 17 digits there, so they come back to the bit.
    """
    body = text.split("\nend of trees", 1)[0]
    sections = body.split("\nTree=")[1:]
    return joined([_read_tree(section) for section in sections]) if sections else no_trees()


def write(trees: TreeArrays, base_scores: Array, num_columns: int) -> str:
    """Return a model text whose first round is `base_scores`, float64 [O], as trees of one leaf.

    With the base as the first round, LightGBM adds a row's numbers in the order in which training
    added them: base, round 1, round 2 … in float64.
    """
    constants = [_constant(float(value)) for value in base_scores]
    sections = [_write_tree(number, tree) for number, tree in enumerate(constants)]
    sections += [
        _write_tree(len(constants) + number, trees.between(number, number + 1))
        for number in range(trees.num_trees)
    ]
    return _header(num_columns, len(base_scores)) + "".join(sections) + "end of trees\n"


def constant_trees(num_trees: int) -> TreeArrays:
    """Return trees of one leaf with the value 0: a round that found nothing to split."""
    return joined([_constant(0.0)] * num_trees)


def _read_tree(section: str) -> TreeArrays:
    found = dict(line.split("=", 1) for line in section.split("\n")[1:] if "=" in line)
    num_leaves = int(found["num_leaves"])
    if num_leaves == 1:
        return _constant(float(found["leaf_value"]))
    arrays = {
        name: np.array(found[key].split(), np.float64 if name != "node_count" else np.int64)
        for name, key in KEYS.items()
    }
    bounds = np.array(found.get("cat_boundaries", "0").split(), np.int64)
    arrays |= {
        "num_leaves": np.array([num_leaves]),
        "num_category_splits": np.array([int(found["num_cat"])]),
        "category_set_words": np.diff(bounds),
        "category_words": np.array(found.get("cat_threshold", "").split(), np.int64),
    }
    return TreeArrays(**{name: arrays[name].astype(dtype) for name, dtype in DTYPES.items()})


def _constant(value: float) -> TreeArrays:
    arrays = no_trees().as_dict()
    arrays |= {
        "num_leaves": np.ones(1, np.int32),
        "num_category_splits": np.zeros(1, np.int32),
        "leaf_value": np.array([value], np.float64),
        "leaf_count": np.zeros(1, np.int64),
    }
    return TreeArrays(**arrays)


def _write_tree(number: int, tree: TreeArrays) -> str:
    arrays = tree.as_dict()
    num_leaves, num_sets = int(arrays["num_leaves"][0]), int(arrays["num_category_splits"][0])
    lines = [f"Tree={number}", f"num_leaves={num_leaves}", f"num_cat={num_sets}"]
    lines += [f"{key}={_numbers(arrays[name])}" for name, key in KEYS.items()]
    if num_sets:
        bounds = np.concatenate([[0], np.cumsum(arrays["category_set_words"])])
        lines += [f"cat_boundaries={_numbers(bounds)}"]
        lines += [f"cat_threshold={_numbers(arrays['category_words'])}"]
    return "\n".join([*lines, "is_linear=0", "shrinkage=1", "\n"]) + "\n"


def _numbers(array: Array) -> str:
    # repr of a Python float is the shortest text that reads back as the same float64
    return " ".join(map(repr, array.tolist()))


def _header(num_columns: int, num_outputs: int) -> str:
    names = " ".join(f"c{number}" for number in range(num_columns))
    ranges = " ".join(["none"] * num_columns)
    return (
        f"tree\nversion=v4\nnum_class={num_outputs}\nnum_tree_per_iteration={num_outputs}\n"
        f"label_index=0\nmax_feature_idx={num_columns - 1}\nfeature_names={names}\n"
        f"feature_infos={ranges}\n\n"
    )
