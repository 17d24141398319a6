"""How well one column tells the answer, from halves of the rows that tell each other."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.contracts import Task
from treadle.data.columns import Column, text_of
from treadle.data.target import TargetEncoder

Codes: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]

_MOST_BINS = 100
_ROWS_A_BIN = 10
_FEWEST_ROWS_A_CLASS = 5
_MOST_CLASSES = 30


def answers_of(answers: pl.Series, target: TargetEncoder) -> Floats:
    """Return float64 [N, K]: 0/1 for each class, or values (K = 1, as for two classes).

    Of classes the 30 most frequent that have 5 rows: what tells these tells the rest.
    """
    encoded = target.encode(answers)
    if target.task != "classes":
        return encoded.astype(np.float64)[:, None]
    codes = encoded.astype(np.int64)
    rows = np.bincount(codes, minlength=len(target.classes))
    frequent = np.argsort(-rows, kind="stable")[:_MOST_CLASSES]
    asked = np.sort(frequent[rows[frequent] >= _FEWEST_ROWS_A_CLASS])
    one_hot: Floats = (codes[:, None] == asked).astype(np.float64)
    return one_hot


def codes_of(values: pl.Series, column: Column) -> Codes:
    """Return a small whole number int64 [N] for each value, numbers and dates in bins."""
    if column.kind == "category" or values.dtype == pl.String:
        return text_codes(values)
    return binned(values.to_physical().cast(pl.Float64).fill_null(float("nan")).to_numpy())


def text_codes(values: pl.Series) -> Codes:
    """Return the same whole number for the same text, int64 [N]."""
    text = text_of(values).cast(pl.String)
    codes: Codes = text.rank("dense").fill_null(0).cast(pl.Int64).to_numpy()
    return codes - int(codes.min(initial=1))


def binned(numbers: Floats, rows_a_bin: int = _ROWS_A_BIN, most_bins: int = _MOST_BINS) -> Codes:
    """Return the bin of each number, int64 [N]; those that are none have one of their own."""
    finite = numbers[np.isfinite(numbers)]
    if len(finite) == 0:
        return np.zeros(len(numbers), np.int64)
    bins = min(most_bins, max(len(finite) // rows_a_bin, 2))
    edges = np.unique(np.quantile(finite, np.linspace(0, 1, bins + 1)[1:-1]))
    codes = np.searchsorted(edges, numbers, side="right").astype(np.int64)
    codes[~np.isfinite(numbers)] = len(edges) + 1
    return codes


def cross_score(codes: Codes, answers: Floats, task: Task) -> float:
    """Return how well one half's mean answers tell the other's: the worse half, the worst class."""
    return min((float(half.min()) for half in _half_scores(codes, answers, task)), default=0.0)


def usual_score(codes: Codes, answers: Floats, task: Task) -> float:
    """Return the same for the worse half, but for all classes together, by their rows."""
    weights = answers.sum(axis=0) if task == "classes" else np.ones(answers.shape[1])
    halves = _half_scores(codes, answers, task)
    return min((float(np.average(half, weights=weights)) for half in halves), default=0.0)


def _half_scores(codes: Codes, answers: Floats, task: Task) -> list[Floats]:
    """Return for each half, told by the other, a score for each class, float64 [K]."""
    if answers.shape[1] == 0:
        return []
    half = np.arange(len(codes)) % 2 == 0
    found = []
    for fit in (half, ~half):
        guesses = _guesses(codes, answers, fit)
        each = [score(answers[~fit, k], guesses[~fit, k], task) for k in range(answers.shape[1])]
        found.append(np.array(each))
    return found


def _guesses(codes: Codes, answers: Floats, fit: NDArray[np.bool_]) -> Floats:
    """Return the mean answers float64 [N, K] of each row's value among the rows to fit."""
    size = int(codes.max()) + 1
    counts = np.bincount(codes[fit], minlength=size)
    means = np.empty((size, answers.shape[1]))
    for k in range(answers.shape[1]):
        sums = np.bincount(codes[fit], weights=answers[fit, k], minlength=size)
        prior = answers[fit, k].mean()
        means[:, k] = np.where(counts > 0, sums / np.maximum(counts, 1), prior)
    return means[codes]


def rank_score(values: pl.Series, answers: Floats, task: Task) -> float:
    """Return how well the order of numbers alone tells two classes or a number; else 0."""
    if not values.dtype.is_numeric() or values.null_count() or task == "classes":
        return 0.0
    ranks = values.cast(pl.Float64).rank().to_numpy()
    if task == "two_classes":
        area = roc_auc(answers[:, 0], ranks)
        return max(area, 1.0 - area)
    others = pl.Series(answers[:, 0]).rank().to_numpy()
    return squared_correlation(ranks, others)


def beside_score(values: pl.Series, answers: Floats, task: Task) -> float:
    """Return how well the two rows next in a column's order tell a row's answer, the worst class.

    Unlike bins this costs nothing at the borders between classes, where rows are few.
    """
    if not values.dtype.is_numeric() or values.null_count() or answers.shape[1] == 0:
        return 0.0
    numbers = values.cast(pl.Float64).to_numpy()
    ties = np.random.default_rng(0).random(len(numbers))  # lest the file's order tell
    ordered = answers[np.lexsort((ties, numbers))]
    if len(ordered) < 3:
        return 0.0
    beside, truth = (ordered[:-2] + ordered[2:]) / 2, ordered[1:-1]
    return min(score(truth[:, k], beside[:, k], task) for k in range(answers.shape[1]))


def squared_correlation(one: Floats, other: Floats) -> float:
    """Return Pearson's r squared; 0 where one does not vary."""
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1] ** 2)


def score(truth: Floats, guesses: Floats, task: Task) -> float:
    """Return the area under the ROC curve for a class (0/1), r² for numbers."""
    return _r2(truth, guesses) if task == "number" else roc_auc(truth, guesses)


def roc_auc(truth: Floats, scores: Floats) -> float:
    """Return the area under the ROC curve, from mid-ranks; .5 where a class is absent."""
    positives = float(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives:
        return 0.5
    _, codes, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2)[codes]
    above = float(ranks[truth > 0].sum()) - positives * (positives + 1) / 2
    return above / (positives * negatives)


def least_area(area: float, positives: int, negatives: int) -> float:
    """Return the end of a 95 % interval below an area under the ROC curve.

    Source: Hanley and McNeil, The Meaning and Use of the Area under a ROC Curve (1982).
    """
    if not positives or not negatives:
        return 0.0
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    spread = (
        area * (1 - area) + (positives - 1) * (one - area**2) + (negatives - 1) * (two - area**2)
    ) / (positives * negatives)
    return area - 1.96 * float(np.sqrt(max(spread, 0.0)))


def _r2(truth: Floats, guesses: Floats) -> float:
    spread = float(((truth - truth.mean()) ** 2).sum())
    return 1.0 - float(((truth - guesses) ** 2).sum()) / spread if spread else 0.0
