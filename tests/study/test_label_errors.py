"""Answers that are probably wrong are found out of fold, worst first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from treadle.study.label_errors import doubts, find_label_errors
from treadle.study.out_of_fold import Examples, folds_of, out_of_fold


def tumours() -> Examples:
    found = load_breast_cancer()
    return Examples(
        columns=found.data.astype(np.float32), categories=(), truth=found.target, classes=2
    )


def flipped(examples: Examples, count: int) -> tuple[Examples, np.ndarray]:  # type: ignore[type-arg]
    wrong = np.random.default_rng(0).choice(len(examples), count, replace=False)
    truth = examples.truth.copy()
    truth[wrong] = 1 - truth[wrong]
    return replace(examples, truth=truth), wrong


def test_planted_errors_stand_at_the_head_of_the_list() -> None:
    examples, wrong = flipped(tumours(), 28)
    found = find_label_errors(examples)
    assert found is not None
    assert np.isin(found.rows[:15], wrong).mean() >= 0.8
    assert np.isin(wrong, found.rows).mean() >= 0.7
    assert (np.diff(found.doubt) <= 0).all()
    assert (found.suggested == 1 - examples.truth[found.rows]).all()


def test_clean_answers_raise_few_doubts() -> None:
    found = find_label_errors(tumours())
    assert found is not None and len(found.rows) < 0.05 * len(tumours())


def test_numbers_far_from_what_is_expected_are_found() -> None:
    random = np.random.default_rng(1)
    columns = random.normal(size=(900, 3)).astype(np.float32)
    truth = 3.0 * columns[:, 0] + columns[:, 1] + random.normal(0, 0.2, 900)
    wrong = random.choice(900, 20, replace=False)
    truth[wrong] += 12
    found = find_label_errors(Examples(columns=columns, categories=(), truth=truth, classes=0))
    assert found is not None
    assert np.isin(wrong, found.rows).all() and np.isin(found.rows[:18], wrong).all()
    assert np.abs(found.suggested[:18] - truth[found.rows[:18]]).min() > 6


def test_a_row_is_predicted_by_learners_that_did_not_see_it() -> None:
    random = np.random.default_rng(2)
    columns = random.normal(size=(400, 4)).astype(np.float32)
    truth = random.integers(2, size=400)  # nothing to learn: only a row seen before would be known
    examples = Examples(columns=columns, categories=(), truth=truth, classes=2)
    said = out_of_fold(examples, folds_of(examples, 5, 0))
    assert abs((said.argmax(1) == truth).mean() - 0.5) < 0.1


def test_rows_of_a_group_stay_in_one_fold_and_classes_keep_their_shares() -> None:
    examples = replace(tumours(), group=np.arange(569) // 7)
    folds = folds_of(examples, 5, 0)
    assert all(len(set(folds[examples.group == group])) == 1 for group in range(82))  # type: ignore[index]
    folds = folds_of(tumours(), 5, 0)
    shares = [tumours().truth[folds == fold].mean() for fold in range(5)]
    assert max(shares) - min(shares) < 0.02


def test_a_class_that_the_learner_never_gets_right_is_still_learned_from() -> None:
    examples, _ = flipped(tumours(), 0)
    truth = examples.truth.copy()
    truth[:30] = 2  # a third class that is chance
    found = find_label_errors(replace(examples, truth=truth, classes=3))
    assert found is not None and found.predicted.shape == (569, 3)
    assert (found.predicted[:, 2] > 0).any()


def test_few_rows_are_not_judged() -> None:
    examples = tumours()
    few = replace(examples, columns=examples.columns[:40], truth=examples.truth[:40])
    assert find_label_errors(few) is None


@pytest.mark.parametrize("values", [np.array([0.0, 0.1, 5.0, 0.0])])
def test_doubt_of_numbers_does_not_depend_on_their_unit(values: np.ndarray) -> None:  # type: ignore[type-arg]
    zeros = np.zeros(4)
    assert np.allclose(doubts(zeros, values), doubts(zeros, 1000 * values))
