"""The conditions of leaves: each row meets all those of one leaf a tree, the one it falls into."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.models.test_tree_mixtures import arrays_of, grown
from treadle.contracts import Task
from treadle.models.tree_arrays import no_trees
from treadle.models.tree_paths import Conditions, can_be_told, paths_of
from treadle.models.trees import columns_of


@pytest.mark.parametrize("task", ["two_classes", "classes", "number"])
def test_a_row_meets_all_conditions_of_the_leaf_that_it_falls_into_and_of_no_other(
    task: Task,
) -> None:
    trees = grown(task)
    rows = {name: torch.from_numpy(array) for name, array in arrays_of(200, 1).items()}
    columns = columns_of(rows, trees.layout)
    conditions = Conditions(trees.arrays, trees.layout.num_numbers)
    met = conditions.met(columns)
    lacking = np.zeros((len(trees.arrays.leaf_value), 200))
    np.add.at(lacking, conditions.leaf, ~met)
    fallen = trees._as_booster().predict(columns, pred_leaf=True, num_threads=1)
    own = fallen.reshape(200, -1)[:, -trees.arrays.num_trees :]  # the base comes first
    expected = trees.arrays.starts()["leaves"][:-1] + own
    for row in range(200):
        assert np.flatnonzero(lacking[:, row] == 0).tolist() == expected[row].tolist()


def test_a_condition_joins_all_steps_of_a_path_that_ask_one_column() -> None:
    paths = paths_of(grown("number").arrays)
    pairs = np.column_stack([paths.column, paths.leaf])[paths.starts]
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    assert len(paths.node) > len(paths.starts)


def test_without_trees_there_is_nothing_to_meet() -> None:
    conditions = Conditions(no_trees(), 2)
    assert conditions.met(np.zeros((3, 2))).shape == (0, 3)
    assert can_be_told(no_trees())
