"""What a simple model on the same columns says: what a better one must beat to earn anything.

Classes by logistic regression, numbers by ridge regression. Numbers are scaled, their outermost
hundredth pulled in; a gap is the average and an input of its own; so is every frequent category.

Shape legend: N rows of a part, F columns of numbers, C columns of categories, I inputs.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Arrays: TypeAlias = Mapping[str, Array]
"""Of a part: "numbers" float [N, F], "categories" integers [N, C], "target" [N], maybe "weight"."""

MOST_ROWS = 20_000
MOST_INPUTS = 400
MOST_WORDS = 20
"""Of each column, so many of the most frequent categories become inputs."""
LEAST_SHARE = 0.005
OUTER = 0.01
MOST_STEPS = 200
RIDGE = 1.0


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """How columns become inputs, learned from train rows.

    low, high, center, spread: float64 [F]; gaps: the columns of numbers that have some
    words: of each column of categories, the codes that become inputs
    """

    low: Array
    high: Array
    center: Array
    spread: Array
    gaps: list[int]
    words: list[Array]

    @classmethod
    def fit(cls, rows: Arrays) -> Inputs:
        numbers = rows["numbers"].astype(np.float64)
        known = np.where(np.isfinite(numbers), numbers, np.nan)
        known[:, ~np.isfinite(known).any(axis=0)] = 0.0
        low, high = np.nanquantile(known, [OUTER, 1 - OUTER], axis=0)
        flat = low == high
        low, high = (
            np.where(flat, end(known, axis=0), bound)
            for end, bound in ((np.nanmin, low), (np.nanmax, high))
        )
        inside = np.clip(known, low, high)
        spread = np.nanstd(inside, axis=0)
        gaps = np.flatnonzero(~np.isfinite(numbers).all(axis=0)).tolist()
        categories = rows["categories"]
        room = max(0, MOST_INPUTS - numbers.shape[1] - len(gaps)) // max(1, categories.shape[1])
        return cls(
            low=low,
            high=high,
            center=np.nanmean(inside, axis=0),
            spread=np.where(spread > 0, spread, 1.0),
            gaps=gaps,
            words=[_frequent(column, min(room, MOST_WORDS)) for column in categories.T],
        )

    def __call__(self, rows: Arrays) -> Array:
        """Return the inputs float64 [N, I]."""
        numbers = rows["numbers"].astype(np.float64)
        known = np.isfinite(numbers)
        inside = np.clip(np.where(known, numbers, self.center), self.low, self.high)
        parts = [(inside - self.center) / self.spread, ~known[:, self.gaps]]
        parts += [
            column[:, None] == words
            for column, words in zip(rows["categories"].T, self.words, strict=True)
        ]
        return np.concatenate(parts, axis=1, dtype=np.float64)


def simple_predictions(
    parts: Mapping[str, Arrays], *, num_classes: int, seed: int = 0
) -> dict[str, Array] | None:
    """Return what a simple model, learned from "train", says of the other parts.

    num_classes: 0 for a number

    Return probabilities [N, classes] or values [N] by part; None where train has one class alone.
    """
    train = _some(parts["train"], seed)
    if num_classes and len(np.unique(train["target"])) < 2:
        return None
    inputs = Inputs.fit(train)
    said = _learned(inputs(train), train, num_classes)
    return {name: said(inputs(rows)) for name, rows in parts.items() if name != "train"}


def _learned(x: Array, train: Arrays, num_classes: int) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge

    truth, weights = train["target"], train.get("weight")
    if not num_classes:
        ridge = Ridge(alpha=RIDGE).fit(x, truth.astype(np.float64), sample_weight=weights)
        lowest, highest = float(truth.min()), float(truth.max())
        return lambda rows: np.clip(ridge.predict(rows), lowest, highest)
    model = LogisticRegression(max_iter=MOST_STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not converged to the last digit is good enough here
        model.fit(x, truth.astype(np.int64), sample_weight=weights)
    places = model.classes_

    def said(rows: Array) -> Array:
        found = np.zeros((len(rows), num_classes))
        found[:, places] = model.predict_proba(rows)
        return found

    return said


def _some(rows: Arrays, seed: int) -> Arrays:
    count = len(rows["target"])
    if count <= MOST_ROWS:
        return rows
    kept = np.sort(np.random.default_rng(seed).permutation(count)[:MOST_ROWS])
    return {name: array[kept] for name, array in rows.items()}


def _frequent(column: Array, most: int) -> Array:
    """Return the most frequent codes of a column, but for those that hardly any row has."""
    codes, counts = np.unique(column, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:most]
    return np.sort(codes[order][counts[order] >= max(2, LEAST_SHARE * len(column))])
