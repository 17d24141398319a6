"""Measuring once, at the end: metrics with 95 % intervals, beside a baseline."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from treadle.api.bootstrap import drawn_values
from treadle.contracts import Json, Task
from treadle.goal import REPORTED, Metric, metric_named

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

MOST_ROWS_DRAWN = 50_000_000
LEAST_DRAWS = 200
LEAST_MEASURED = 20
OUTSIDE = 0.025
"""The share of draws beyond each end of an interval."""


def metrics_for(task: Task, chosen: Metric) -> list[Metric]:
    """Return the metrics to report, the one that was chosen first."""
    names = [chosen.name, *(name for name in REPORTED[task] if name != chosen.name)]
    return [chosen, *(metric_named(name, task) for name in names[1:])]


def measured(metrics: Iterable[Metric], truth: Array, predicted: Array, *, seed: int = 0) -> Json:
    """Return by metric its value on the test part and the ends of its 95 % interval.

    The ends are percentiles of the bootstrap over rows: 1,000 draws, fewer where rows are very
    many (their interval is narrow, and each draw costs). They are NaN where most draws cannot be
    measured. Where nothing was wrong no draw can hold a mistake; the lower end is then that of so
    many rows (of the rarest class) without one.

    Source: Clopper and Pearson, The use of confidence or fiducial limits, Biometrika 1934.
    """
    asked = list(metrics)
    draws = int(np.clip(MOST_ROWS_DRAWN // max(1, len(truth)), LEAST_DRAWS, 1_000))
    values = drawn_values(asked, truth, predicted, draws=draws, seed=seed)
    found = {}
    for metric in asked:
        low, high = _percentiles(values[metric.name])
        if low == high == 1.0 and metric.name != "r2":
            low = without_a_mistake(_at_stake(metric.name, truth))
        found[metric.name] = {"test": metric(truth, predicted), "low": low, "high": high}
    return found


def without_a_mistake(count: int) -> float:
    """Return the lower end of the 95 % interval of a share that is 1 in `count` rows."""
    return float(OUTSIDE ** (1 / max(1, count)))


def _at_stake(name: str, truth: Array) -> int:
    """Return how many rows a figure of classes rests on: all, or those of the rarest class."""
    if name == "accuracy":
        return len(truth)
    return int(np.unique(truth, return_counts=True)[1].min())


def _percentiles(values: Array) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if len(finite) < LEAST_MEASURED:
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [0.025, 0.975])
    return float(low), float(high)


def constant_prediction(task: Task, train: Array, rows: int, num_classes: int) -> tuple[str, Array]:
    """Return the baseline's name and what it predicts for so many rows, knowing no column.

    Classes: how frequent each was in training. A number: its mean in training.
    """
    if task == "number":
        return "always the average", np.full(rows, train.mean(), dtype=np.float64)
    shares = np.bincount(train, minlength=num_classes) / len(train)
    return "always the commonest answer", np.tile(shares, (rows, 1))


def class_charts(
    truth: Array,
    probabilities: Array,
    classes: list[str],
    said: Array | None = None,
    threshold: float | None = 0.5,
) -> Json:
    """Return what the report draws of a classifier: confusion, calibration, ranking curve.

    said: the class that is answered, where that is not the most probable one
    threshold: of two classes: from which probability on; None where rows differ
    """
    chosen = probabilities.argmax(axis=1) if said is None else said
    count = len(classes)
    matrix = np.bincount(truth * count + chosen, minlength=count * count).reshape(count, count)
    charts: Json = {"confusion": {"classes": classes, "matrix": matrix.tolist()}}
    if count == 2:
        charts["confusion"]["threshold"] = threshold
        charts["calibration"] = _calibration(truth, probabilities[:, 1])
        charts["ranking_curve"] = _ranking_curve(truth, probabilities[:, 1])
    return charts


def number_charts(truth: Array, predicted: Array, *, seed: int = 0) -> Json:
    """Return up to 400 pairs of actual and predicted, for a scatter."""
    generator = np.random.default_rng(seed)
    rows = generator.permutation(len(truth))[:400]
    return {"scatter": {"actual": truth[rows].tolist(), "predicted": predicted[rows].tolist()}}


def _calibration(truth: Array, probability: Array) -> list[Json]:
    """Return ten bins of equal size: mean probability, share that was positive, rows."""
    bins = np.array_split(np.argsort(probability, kind="stable"), min(10, len(truth)))
    return [
        {
            "predicted": float(probability[rows].mean()),
            "observed": float(truth[rows].mean()),
            "count": len(rows),
        }
        for rows in bins
        if len(rows)
    ]


def _ranking_curve(truth: Array, probability: Array) -> Json:
    """Return precision and recall at 101 places down the ranking."""
    ranked = truth[np.argsort(-probability, kind="stable")]
    found = np.cumsum(ranked)
    places = np.unique(np.linspace(1, len(ranked), 101).astype(int)) - 1
    positives = max(1, int(found[-1]))
    return {
        "recall": (found[places] / positives).tolist(),
        "precision": (found[places] / (places + 1)).tolist(),
    }
