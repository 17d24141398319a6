"""Columns that give the answer away: each alone is asked to tell the target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.data.columns import Column, Schema, text_of
from treadle.data.hashing import hash_values
from treadle.data.target import TargetEncoder

_SAMPLE_ROWS = 20_000
_MOST_BINS = 100
_ROWS_A_BIN = 10
_SUSPICIOUS = 0.98
_FEWEST_ROWS = 50


@dataclass(frozen=True, kw_only=True)
class Leak:
    """A column that alone nearly tells the target.

    measure, score: "roc_auc" for classes (the worst class against the rest), "r2" for numbers
    is_copy:        each of its values goes with one answer and each answer with one value
    """

    column: str
    measure: str
    score: float
    is_copy: bool


def find_leaks(train: pl.DataFrame, schema: Schema, target: TargetEncoder) -> list[Leak]:
    """Return the columns, left out ones too unless asked for, that alone nearly tell the target.

    A column's values (numbers: up to 100 bins) get the mean answer of one half of the rows; how
    well these tell the other half, and the other way round, is the score; or, where that is more,
    how well the order of its numbers tells the answer. 20,000 rows at most.
    """
    rows = train.gather_every(max(-(-train.height // _SAMPLE_ROWS), 1))
    if rows.height < _FEWEST_ROWS:
        return _copies(rows, schema, target)
    answers = _answers(rows[schema.target], target)
    suspects = []
    for column in schema.used():
        codes = _codes(rows[column.name], column)
        score = max(
            _cross_score(codes, answers, target),
            _rank_score(rows[column.name], answers, target),
        )
        if score >= _SUSPICIOUS:
            is_copy = _is_copy(rows[column.name], rows[schema.target])
            measure = "r2" if target.task == "number" else "roc_auc"
            suspects.append(Leak(column=column.name, measure=measure, score=score, is_copy=is_copy))
    return sorted(suspects, key=lambda leak: -leak.score)


def _copies(rows: pl.DataFrame, schema: Schema, target: TargetEncoder) -> list[Leak]:
    """Return the columns of a table too small for scores that say what the target says."""
    measure = "r2" if target.task == "number" else "roc_auc"
    return [
        Leak(column=column.name, measure=measure, score=1.0, is_copy=True)
        for column in schema.used()
        if rows.height and _says_the_same(rows[column.name], rows[schema.target], target)
    ]


def _says_the_same(values: pl.Series, answers: pl.Series, target: TargetEncoder) -> bool:
    if target.task != "number":
        return values.null_count() == 0 and _is_copy(values, answers)
    return values.dtype.is_numeric() and bool((values == answers).fill_null(False).all())


def _answers(answers: pl.Series, target: TargetEncoder) -> NDArray[np.float64]:
    """Return float64 [N, K]: 0/1 for each class that has 5 rows (two classes: K = 1), or values."""
    encoded = target.encode(answers)
    if target.task != "classes":
        return encoded.astype(np.float64)[:, None]
    one_hot: NDArray[np.bool_] = np.equal(encoded[:, None], np.arange(len(target.classes)))
    return one_hot[:, one_hot.sum(axis=0) >= 5].astype(np.float64)


def _codes(values: pl.Series, column: Column) -> NDArray[np.int64]:
    """Return a small whole number int64 [N] for each value, numbers and dates in bins."""
    if column.kind == "category" or values.dtype == pl.String:
        _, codes = np.unique(hash_values(text_of(values)), return_inverse=True)
        return codes.astype(np.int64)
    numbers = values.to_physical().cast(pl.Float64).fill_null(float("nan")).to_numpy()
    finite = numbers[np.isfinite(numbers)]
    if len(finite) == 0:
        return np.zeros(len(numbers), np.int64)
    bins = min(_MOST_BINS, max(len(finite) // _ROWS_A_BIN, 2))
    edges = np.unique(np.quantile(finite, np.linspace(0, 1, bins + 1)[1:-1]))
    codes = np.searchsorted(edges, numbers, side="right").astype(np.int64)
    codes[~np.isfinite(numbers)] = len(edges) + 1
    return codes


def _rank_score(values: pl.Series, answers: NDArray[np.float64], target: TargetEncoder) -> float:
    """Return how well the order of numbers alone tells two classes or a number; else 0."""
    if not values.dtype.is_numeric() or values.null_count() or target.task == "classes":
        return 0.0
    ranks = values.cast(pl.Float64).rank().to_numpy()
    if target.task == "two_classes":
        area = _roc_auc(answers[:, 0], ranks)
        return max(area, 1.0 - area)
    others = pl.Series(answers[:, 0]).rank().to_numpy()
    if np.ptp(ranks) == 0 or np.ptp(others) == 0:
        return 0.0
    return float(np.corrcoef(ranks, others)[0, 1] ** 2)


def _cross_score(
    codes: NDArray[np.int64], answers: NDArray[np.float64], target: TargetEncoder
) -> float:
    """Return the worse of two halves' scores, for the class it tells worst."""
    half = np.arange(len(codes)) % 2 == 0
    scores = []
    for fit in (half, ~half):
        guesses = _guesses(codes, answers, fit)
        for k in range(answers.shape[1]):
            truth = answers[~fit, k]
            measure = _r2 if target.task == "number" else _roc_auc
            scores.append(measure(truth, guesses[~fit, k]))
    return min(scores) if scores else 0.0


def _guesses(
    codes: NDArray[np.int64], answers: NDArray[np.float64], fit: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the mean answers float64 [N, K] of each row's value among the rows to fit."""
    size = int(codes.max()) + 1
    counts = np.bincount(codes[fit], minlength=size)
    means = np.empty((size, answers.shape[1]))
    for k in range(answers.shape[1]):
        sums = np.bincount(codes[fit], weights=answers[fit, k], minlength=size)
        prior = answers[fit, k].mean()
        means[:, k] = np.where(counts > 0, sums / np.maximum(counts, 1), prior)
    return means[codes]


def _roc_auc(truth: NDArray[np.float64], scores: NDArray[np.float64]) -> float:
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


def _r2(truth: NDArray[np.float64], guesses: NDArray[np.float64]) -> float:
    spread = float(((truth - truth.mean()) ** 2).sum())
    return 1.0 - float(((truth - guesses) ** 2).sum()) / spread if spread else 0.0


def _is_copy(values: pl.Series, answers: pl.Series) -> bool:
    """Return whether values and answers stand one to one."""
    pairs = pl.DataFrame({"value": hash_values(values), "answer": hash_values(answers)})
    kinds = pairs.n_unique()
    return kinds == pairs["value"].n_unique() == pairs["answer"].n_unique()
