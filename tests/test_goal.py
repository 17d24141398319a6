"""What good means: the metrics by name, against scikit-learn and by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import sklearn.metrics

from treadle.contracts import Task
from treadle.errors import OptionError
from treadle.goal import AT_K, DEFAULT, METRICS, REPORTED, metric_named

draw = np.random.default_rng(0)
TRUTH: dict[str, Any] = {
    "two_classes": draw.integers(0, 2, 60),
    "classes": draw.integers(0, 4, 60),
    "number": draw.normal(size=60),
    "next_item": np.zeros(5, np.int64),
}
SCORES = draw.random((60, 4)) * 1.6 + np.eye(4)[TRUTH["classes"]]
PROBABILITY = np.clip(draw.random(60) * 0.6 + TRUTH["two_classes"] * 0.4, 0, 1)
PREDICTED: dict[str, Any] = {
    "two_classes": np.stack([1 - PROBABILITY, PROBABILITY], 1),
    "classes": SCORES / SCORES.sum(1, keepdims=True),
    "number": TRUTH["number"] + draw.normal(size=60) * 0.3,
    "next_item": np.array([1, 2, 10, 11, 400]),
}
every = pytest.mark.parametrize(
    ("name", "task"), [(name, task) for name, m in METRICS.items() for task in m.tasks]
)


@every
def test_every_metric_gives_a_number_for_its_tasks(name: str, task: Task) -> None:
    value = METRICS[name](TRUTH[task], PREDICTED[task])
    assert isinstance(value, float) and math.isfinite(value)


@every
def test_a_better_prediction_measures_better(name: str, task: Task) -> None:
    metric, truth = METRICS[name], TRUTH[task]
    perfect = truth if task == "number" else np.eye(len(PREDICTED[task][0]))[truth]
    assert metric.better(metric(truth, perfect), metric(truth, PREDICTED[task]))


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("roc_auc", sklearn.metrics.roc_auc_score(TRUTH["two_classes"], PROBABILITY)),
        (
            "average_precision",
            sklearn.metrics.average_precision_score(TRUTH["two_classes"], PROBABILITY),
        ),
        ("log_loss", sklearn.metrics.log_loss(TRUTH["two_classes"], PROBABILITY)),
        ("brier_score", sklearn.metrics.brier_score_loss(TRUTH["two_classes"], PROBABILITY)),
        ("accuracy", sklearn.metrics.accuracy_score(TRUTH["two_classes"], PROBABILITY > 0.5)),
        ("f1", sklearn.metrics.f1_score(TRUTH["two_classes"], PROBABILITY > 0.5)),
    ],
)
def test_metrics_of_two_classes_are_scikit_learns(name: str, theirs: float) -> None:
    assert METRICS[name](TRUTH["two_classes"], PREDICTED["two_classes"]) == pytest.approx(theirs)


def test_many_classes_are_measured_one_against_the_rest() -> None:
    theirs = sklearn.metrics.roc_auc_score(
        TRUTH["classes"], PREDICTED["classes"], multi_class="ovr", average="macro"
    )
    assert METRICS["roc_auc"](TRUTH["classes"], PREDICTED["classes"]) == pytest.approx(theirs)


def test_a_class_that_is_absent_is_left_out_and_one_class_alone_is_not_a_number() -> None:
    some = TRUTH["classes"] != 3
    truth, predicted = TRUTH["classes"][some], PREDICTED["classes"][some]
    assert math.isfinite(METRICS["roc_auc"](truth, predicted))
    assert math.isfinite(METRICS["log_loss"](truth, predicted))
    assert math.isnan(METRICS["roc_auc"](np.zeros(5, np.int64), PREDICTED["two_classes"][:5]))


def test_a_certain_but_wrong_prediction_has_a_finite_log_loss() -> None:
    assert math.isfinite(METRICS["log_loss"](np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]])))


def test_ranks_are_measured_at_k() -> None:
    ranks, truth = PREDICTED["next_item"], TRUTH["next_item"]
    assert metric_named("hit@10", "next_item")(truth, ranks) == pytest.approx(3 / 5)
    assert metric_named("recall@1", "next_item")(truth, ranks) == pytest.approx(1 / 5)
    gains = (1 + 1 / math.log2(3) + 1 / math.log2(11)) / 5
    assert metric_named("ndcg@10", "next_item")(truth, ranks) == pytest.approx(gains)
    assert not AT_K.fullmatch("hit@0")


def test_better_knows_the_direction_and_never_takes_what_is_no_number() -> None:
    up, down = METRICS["roc_auc"], METRICS["log_loss"]
    assert up.better(0.8, 0.7) and not up.better(0.7, 0.7) and not up.better(0.6, 0.7)
    assert down.better(0.6, 0.7) and not down.better(0.8, 0.7)
    assert up.better(0.1, None) and not up.better(math.nan, None) and not up.better(math.nan, 0.1)


def test_names_are_taken_as_scikit_learn_writes_them_too() -> None:
    assert metric_named("neg_log_loss", "classes") is METRICS["log_loss"]


@pytest.mark.parametrize(
    ("name", "task", "found", "hint"),
    [
        ("roc_acu", "two_classes", "is not known", "did you mean 'roc_auc'"),
        ("r2", "two_classes", "does not fit this task", "roc_auc"),
        ("hit@10", "number", "does not fit this task", "r2"),
        ("roc_auc", "next_item", "does not fit this task", "ndcg@10"),
        ("hit@0", "next_item", "is not known", "did you mean 'hit@10'"),
        ("f1", "classes", "does not fit this task", "f1_macro"),
    ],
)
def test_a_name_that_does_not_fit_is_refused_with_what_does(
    name: str, task: Task, found: str, hint: str
) -> None:
    with pytest.raises(OptionError) as raised:
        metric_named(name, task)
    assert found in raised.value.message and hint in raised.value.hint


def test_what_is_reported_by_default_exists() -> None:
    for task, names in REPORTED.items():
        assert task == "own" or DEFAULT[task] in names
        for name in names:
            assert metric_named(name, task).name == name


@pytest.mark.parametrize("digits", [1, 2, 17])
def test_measures_written_out_are_scikit_learns_also_where_scores_are_equal(digits: int) -> None:
    random = np.random.default_rng(digits)
    truth = random.integers(0, 2, 500)
    score = np.round(np.clip(random.random(500) * 0.7 + truth * 0.3, 0, 1), digits)
    both = np.stack([1 - score, score], 1)
    area = sklearn.metrics.roc_auc_score(truth, score)
    assert METRICS["roc_auc"](truth, both) == pytest.approx(area, abs=1e-12)
    safe = np.clip(both, 1e-15, 1.0)
    loss = sklearn.metrics.log_loss(truth, safe / safe.sum(1, keepdims=True))
    assert METRICS["log_loss"](truth, both) == pytest.approx(loss, abs=1e-12)


def test_what_is_no_number_is_never_measured_as_one() -> None:
    truth = np.array([0, 1, 0, 1])
    lost = np.array([[0.5, 0.5], [np.nan, np.nan], [0.9, 0.1], [0.2, 0.8]])
    assert math.isnan(METRICS["roc_auc"](truth, lost))
    assert math.isnan(METRICS["log_loss"](truth, lost))
