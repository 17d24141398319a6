"""Scores of mixtures by the leaves' conditions: what walking through the trees gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.models.test_trees import boosting, table, turn
from treadle.contracts import Task
from treadle.models.tree_arrays import TreeArrays
from treadle.models.tree_mixtures import TreeMixtures
from treadle.models.tree_paths import can_be_told
from treadle.models.tree_text import constant_trees
from treadle.models.trees import Trees

Array = NDArray[Any]
ALONE = {"numbers": np.arange(4), "categories": np.arange(4, 6)}
JOINED = {"numbers": np.array([0, 1, 0, 2]), "categories": np.array([2, 0])}


def grown(task: Task, rounds: int = 30) -> Trees:
    step = boosting(task)
    turn(step, rounds)
    return step.so_far()


def arrays_of(num_rows: int, seed: int) -> dict[str, Array]:
    """Return rows with holes, codes of all kinds, and 0 where a code is not known."""
    batch = table("number", num_rows, seed)
    found = {"numbers": batch["numbers"].numpy(), "categories": batch["categories"].numpy()}
    found["categories"] = found["categories"].astype(np.uint16)
    found["numbers"][::7, 1] = 0.0
    found["categories"][::5, 0] = 0
    return found


def walked(
    trees: Trees, rows: Any, own: Array, behind: Array, background: Any, groups: Any
) -> Array:
    """Return the scores of all mixtures, each sent through the trees."""
    mixed = {
        name: np.where(own[:, groups[name]][None], rows[name][:, None], background[name][behind])
        for name in rows
    }
    flat = {n: torch.from_numpy(a.reshape(-1, a.shape[-1])) for n, a in mixed.items()}
    found: Array = trees.scores(flat).numpy().reshape(len(rows["numbers"]), len(own), -1)
    return found


@pytest.mark.parametrize("groups", [ALONE, JOINED], ids=["alone", "joined"])
@pytest.mark.parametrize("task", ["two_classes", "classes", "number"])
def test_mixtures_score_what_walking_through_the_trees_gives(task: Task, groups: Any) -> None:
    trees, rows, background = grown(task), arrays_of(150, 1), arrays_of(5, 2)
    count = 1 + max(int(of.max()) for of in groups.values())
    draw = np.random.default_rng(0)
    own, behind = draw.random((40, count)) < 0.5, draw.integers(0, 5, 40)
    own[0], own[1] = True, False
    found = TreeMixtures(trees, background, groups).scores(rows, own, behind)
    expected = walked(trees, rows, own, behind, background, groups)
    assert found == pytest.approx(expected, abs=1e-10)
    assert np.ptp(expected) > 0.1


def test_trees_of_one_leaf_count_too() -> None:
    trees = grown("classes", rounds=4)
    trees.append(constant_trees(3))
    trees.arrays.leaf_value[-3:] = (1.0, 2.0, 3.0)
    trees.forget_booster()
    rows, background = arrays_of(3, 1), arrays_of(2, 2)
    own, behind = np.array([[True] * 6, [False] * 6]), np.array([0, 1])
    found = TreeMixtures(trees, background, ALONE).scores(rows, own, behind)
    assert found == pytest.approx(walked(trees, rows, own, behind, background, ALONE), abs=1e-12)


def test_a_rows_scores_do_not_depend_on_the_rows_beside_it() -> None:
    trees, rows, background = grown("number"), arrays_of(300, 1), arrays_of(5, 2)
    own, behind = np.eye(6, dtype=bool), np.arange(6) % 5
    known = TreeMixtures(trees, background, ALONE)
    alone = known.scores({name: array[170:171] for name, array in rows.items()}, own, behind)
    assert known.scores(rows, own, behind)[170:171] == pytest.approx(alone, abs=1e-12)


def test_many_shallow_trees_are_faster_at_once_and_few_deep_ones_are_not() -> None:
    known = TreeMixtures(grown("number"), arrays_of(5, 2), ALONE)
    assert known.is_faster(400, 400)
    assert not known.is_faster(400, 1)


def test_splits_that_take_zero_for_missing_are_left_to_the_trees() -> None:
    arrays: TreeArrays = grown("number", rounds=2).arrays
    assert can_be_told(arrays)
    arrays.decision[0] |= 4
    assert not can_be_told(arrays)
