"""Figures with their intervals, the baseline, and what the report draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from treadle.api.measure import (
    class_charts,
    constant_prediction,
    measured,
    metrics_for,
    number_charts,
)
from treadle.goal import METRICS, metric_named

Array = NDArray[Any]


def interval(metric: str, truth: Array, predicted: Array, seed: int = 0) -> tuple[float, float]:
    task = METRICS[metric].tasks[0]
    found = measured([metric_named(metric, task)], truth, predicted, seed=seed)[metric]
    return found["low"], found["high"]


def test_an_interval_holds_the_figure_and_narrows_with_more_rows() -> None:
    random = np.random.default_rng(0)
    widths = []
    for rows in (100, 2_500):
        truth = random.integers(0, 2, rows)
        right = random.random(rows) < 0.8
        low, high = interval("accuracy", truth, np.eye(2)[np.where(right, truth, 1 - truth)])
        assert low < right.mean() < high
        widths.append(high - low)
    assert widths[0] / widths[1] == pytest.approx(5, rel=0.3)  # the root of 25


def test_without_a_mistake_the_interval_is_that_of_so_few_rows() -> None:
    """Clopper and Pearson's lower end for 19 of 19 is 82.4 %, for 3 of 3 it is 29.2 %."""
    truth = np.array([0] * 16 + [1] * 3)
    low, high = interval("accuracy", truth, np.eye(2)[truth])
    assert low == pytest.approx(0.8235, abs=1e-4) and high == 1.0
    low, high = interval("roc_auc", truth, np.eye(2)[truth])
    assert low == pytest.approx(0.2924, abs=1e-4) and high == 1.0


def test_an_interval_of_one_seed_is_always_the_same() -> None:
    truth, found = np.arange(30.0), np.arange(30.0)[::-1]
    first, again, other = (
        interval("mean_absolute_error", truth, found, seed=seed) for seed in (4, 4, 5)
    )
    assert first == again != other


def test_a_metric_that_can_hardly_be_measured_has_no_interval() -> None:
    low, high = interval("roc_auc", np.zeros(20, dtype=int), np.full((20, 2), 0.5))
    assert np.isnan(low) and np.isnan(high)


def test_the_chosen_metric_comes_first_and_once() -> None:
    chosen = metric_named("log_loss", "two_classes")
    names = [metric.name for metric in metrics_for("two_classes", chosen)]
    assert names[0] == "log_loss" and len(names) == len(set(names)) == 4


def test_every_metric_is_given_with_its_interval() -> None:
    truth = np.array([0, 1] * 20)
    metrics = metrics_for("two_classes", metric_named("roc_auc", "two_classes"))
    found = measured(metrics, truth, np.tile([0.5, 0.5], (40, 1)))
    assert found["roc_auc"]["test"] == 0.5
    assert all(set(figures) == {"test", "low", "high"} for figures in found.values())


def test_the_baseline_knows_only_what_training_held() -> None:
    name, shares = constant_prediction("classes", np.array([0, 0, 0, 2]), 2, 3)
    assert "commonest" in name and shares.tolist() == [[0.75, 0, 0.25]] * 2
    name, mean = constant_prediction("number", np.array([1.0, 3.0]), 2, 1)
    assert "average" in name and mean.tolist() == [2, 2]


def test_charts_count_every_row_once() -> None:
    random = np.random.default_rng(1)
    truth = random.integers(0, 2, 97)
    probability = random.random(97)
    charts = class_charts(truth, np.stack([1 - probability, probability], 1), ["no", "yes"])
    assert sum(map(sum, charts["confusion"]["matrix"])) == 97
    assert sum(entry["count"] for entry in charts["calibration"]) == 97
    assert charts["ranking_curve"]["recall"][-1] == 1.0


def test_a_scatter_is_of_at_most_400_rows() -> None:
    values = np.arange(1_000.0)
    scatter = number_charts(values, values)["scatter"]
    assert len(scatter["actual"]) == 400 and scatter["actual"] == scatter["predicted"]
