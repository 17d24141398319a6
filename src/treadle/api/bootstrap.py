"""What a metric would have been on other rows: the bootstrap, many draws at a time.

A draw of N rows with replacement is how often each row was drawn: counts [N]. Most metrics are
sums over rows, so that a thousand draws are a few products of matrices. What is not is measured
draw by draw.

Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from treadle.goal import Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

Counted: TypeAlias = "Callable[[Array], Array]"
"""counts [D, N] of D draws → the metric of each, [D]; NaN where a draw cannot be measured."""

MOST_CELLS_AT_ONCE = 4_000_000


def drawn_values(
    metrics: list[Metric], truth: Array, predicted: Array, *, draws: int, seed: int
) -> dict[str, Array]:
    """Return by metric its value on each draw, [draws]; all metrics see the same draws."""
    measures = {metric.name: counted(metric, truth, predicted) for metric in metrics}
    parts: dict[str, list[Array]] = {name: [] for name in measures}
    for counts in _draws(len(truth), draws, np.random.default_rng(seed)):
        for name, measure in measures.items():
            parts[name].append(measure(counts))
    return {name: np.concatenate(found) for name, found in parts.items()}


def counted(metric: Metric, truth: Array, predicted: Array) -> Counted:
    """Return what measures `metric` on draws of these rows."""
    if predicted.ndim == 1:
        return _of_values(metric, truth, predicted)
    return _of_classes(metric, truth, predicted)


def _draws(rows: int, draws: int, generator: np.random.Generator) -> Iterator[Array]:
    """Yield counts float64 [D, N], a few draws at a time."""
    at_once = max(1, MOST_CELLS_AT_ONCE // rows)
    for start in range(0, draws, at_once):
        yield np.stack(
            [
                np.bincount(generator.integers(0, rows, rows), minlength=rows).astype(np.float64)
                for _ in range(min(at_once, draws - start))
            ]
        )


def _of_values(metric: Metric, truth: Array, predicted: Array) -> Counted:
    miss = predicted.astype(np.float64) - truth
    if metric.name == "mean_absolute_error":
        return _mean(np.abs(miss))
    if metric.name == "mean_squared_error":
        return _mean(miss**2)
    if metric.name == "root_mean_squared_error":
        return lambda counts: np.sqrt(_mean(miss**2)(counts))
    if metric.name == "r2":
        centred = truth - truth.mean(dtype=np.float64)
        square, of_square, of_centre = _mean(miss**2), _mean(centred**2), _mean(centred)
        return lambda c: _share(-square(c), of_square(c) - of_centre(c) ** 2) + 1
    return _one_by_one(metric, truth, predicted)


def _of_classes(metric: Metric, truth: Array, predicted: Array) -> Counted:
    name, classes = metric.name, predicted.shape[1]
    probabilities = predicted.astype(np.float64)
    if name == "accuracy":
        return _mean((predicted.argmax(axis=1) == truth).astype(np.float64))
    if name == "log_loss":
        whole = probabilities.clip(1e-15, 1.0).sum(axis=1)
        return _mean(-np.log(probabilities[np.arange(len(truth)), truth].clip(1e-15, 1.0) / whole))
    if name == "brier_score":
        return _mean((probabilities[:, 1] - truth) ** 2)
    if name in ("balanced_accuracy", "f1_macro"):
        return _of_confusion(name, truth, predicted.argmax(axis=1), classes)
    if name in ("roc_auc", "average_precision"):
        wanted = range(classes) if classes > 2 else (1,)
        each = [_of_ranking(name, truth == c, probabilities[:, c]) for c in wanted]
        return lambda counts: _mean_of_known(np.stack([measure(counts) for measure in each]))
    return _one_by_one(metric, truth, predicted)


def _mean(values: Array) -> Counted:
    return lambda counts: counts @ values / counts.sum(axis=1)


def _share(part: Array, whole: Array) -> Array:
    """Return part / whole, NaN where the whole is nothing."""
    shares: Array = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole != 0)
    return shares


def _mean_of_known(values: Array) -> Array:
    """Return the mean over the first dimension of what is not NaN."""
    known = ~np.isnan(values)
    return _share(np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0).astype(np.float64))


def _of_ranking(name: str, positive: Array, score: Array) -> Counted:
    """The area under the ROC curve, or average precision; equal scores form one threshold."""
    order = np.argsort(-score, kind="stable")
    ranked, positive = score[order], positive[order].astype(np.float64)
    firsts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))

    def measure(counts: Array) -> Array:
        counts = counts[:, order]
        right = np.add.reduceat(counts * positive, firsts, axis=1)  # D thresholds
        wrong = np.add.reduceat(counts * (1 - positive), firsts, axis=1)
        all_right, all_wrong = right.sum(axis=1), wrong.sum(axis=1)
        if name == "roc_auc":
            below = all_wrong[:, None] - wrong.cumsum(axis=1) + wrong / 2
            return _share((right * below).sum(axis=1), all_right * all_wrong)
        found = right.cumsum(axis=1)
        precision = np.nan_to_num(_share(found, found + wrong.cumsum(axis=1)))
        kept = np.where(all_wrong > 0, all_right, 0.0)  # as with all of one class: not measured
        return _share((right * precision).sum(axis=1), kept)

    return measure


def _of_confusion(name: str, truth: Array, chosen: Array, classes: int) -> Counted:
    """Means over classes of what was found of each, or of its F1."""

    def measure(counts: Array) -> Array:
        is_true = np.stack([truth == c for c in range(classes)]).astype(np.float64)
        is_chosen = np.stack([chosen == c for c in range(classes)]).astype(np.float64)
        right, all_true = counts @ (is_true * is_chosen).T, counts @ is_true.T  # D classes
        if name == "balanced_accuracy":
            return _mean_of_known(_share(right, all_true).T)
        return _mean_of_known(_share(2 * right, all_true + counts @ is_chosen.T).T)

    return measure


def _one_by_one(metric: Metric, truth: Array, predicted: Array) -> Counted:
    def measure(counts: Array) -> Array:
        rows = np.arange(len(truth))
        drawn = (np.repeat(rows, count.astype(np.int64)) for count in counts)
        return np.array([metric(truth[taken], predicted[taken]) for taken in drawn])

    return measure
