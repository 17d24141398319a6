"""Every metric measured on draws all at once is what it is on the rows of each draw."""

from __future__ import annotations

import numpy as np
import pytest

from treadle.api.bootstrap import counted, drawn_values
from treadle.goal import METRICS, metric_named

ROWS = 60


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("classes", [2, 4])
def test_a_metric_on_counts_is_the_metric_on_the_rows_drawn(name: str, classes: int) -> None:
    random = np.random.default_rng(7)
    tasks = METRICS[name].tasks
    task = ("two_classes" if classes == 2 else "classes") if "two_classes" in tasks else "number"
    if task not in tasks:
        pytest.skip("for two classes alone")
    metric = metric_named(name, task)
    if task == "number":
        truth = random.normal(5, 2, ROWS)
        predicted = (truth + random.normal(0, 1, ROWS)).astype(np.float32)
    else:
        truth = random.integers(0, classes, ROWS)
        scores = np.eye(classes)[truth] + random.random((ROWS, classes)).round(1)  # with ties
        predicted = scores / scores.sum(axis=1, keepdims=True)
    drawn = random.integers(0, ROWS, (5, ROWS))
    counts = np.stack([np.bincount(rows, minlength=ROWS) for rows in drawn]).astype(float)
    expected = [metric(truth[rows], predicted[rows]) for rows in drawn]
    np.testing.assert_allclose(counted(metric, truth, predicted)(counts), expected, rtol=1e-6)


def test_a_draw_without_one_of_the_classes_is_not_measured() -> None:
    metric = metric_named("average_precision", "two_classes")
    truth, predicted = np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]])
    values = counted(metric, truth, predicted)(np.array([[2.0, 0.0], [0.0, 2.0], [1.0, 1.0]]))
    assert np.isnan(values[:2]).all() and values[2] == 1.0


def test_all_metrics_see_the_same_draws_however_many_are_taken_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    truth, predicted = np.arange(9.0), np.arange(9.0)[::-1].copy()
    metrics = [metric_named(name, "number") for name in ("r2", "mean_squared_error")]
    whole = drawn_values(metrics, truth, predicted, draws=7, seed=1)
    monkeypatch.setattr("treadle.api.bootstrap.MOST_CELLS_AT_ONCE", 20)
    pieces = drawn_values(metrics, truth, predicted, draws=7, seed=1)
    assert all((whole[name] == pieces[name]).all() for name in whole)
