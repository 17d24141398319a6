"""Folds keep together what belongs together."""

from __future__ import annotations

import numpy as np

from treadle.study.folds import folds_of


def test_each_fold_has_its_share_of_each_class() -> None:
    truth = np.array([0] * 95 + [1] * 25)
    folds = folds_of(truth)
    shares = [truth[folds == fold].sum() for fold in range(5)]
    assert shares == [5] * 5 and np.bincount(folds).tolist() == [24] * 5


def test_rows_of_a_group_lie_in_one_fold() -> None:
    groups = np.repeat(np.arange(30), 4)
    folds = folds_of(np.zeros(120, np.int64), groups=groups)
    assert all(len(np.unique(folds[groups == group])) == 1 for group in range(30))
    assert set(folds) == set(range(5))


def test_by_time_a_fold_is_one_stretch_of_it() -> None:
    moments = np.random.default_rng(0).permutation(100).astype(float)
    folds = folds_of(np.zeros(100, np.int64), moments=moments)
    assert (np.diff(folds[np.argsort(moments)]) >= 0).all()
    assert np.bincount(folds).tolist() == [20] * 5
