"""Predictions for every row by a quick learner that did not learn from it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.contracts import Task

if TYPE_CHECKING:
    import lightgbm

Floats: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.int64]

_MANY_CELLS = 2_000_000
"""Below so many, threads wait for each other longer than they work: beside one other process two
took 144 seconds for 3,000 rows, one took 8."""

_MOST_ROUNDS = 300
_MOST_TREES = 600
_MANY_ROWS = 20_000
_ROUNDS_OF_MANY = 200
_PATIENCE = 15
_FOREST_ROWS = 12_000
_FOREST_TREES = 100
_MOST_TRAINED_ROWS = 120_000


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Rows as a quick learner takes them.

    columns:    float32 [N, D], NaN for missing; categories as whole numbers
    categories: which of the D columns are categories
    truth:      class codes int64 [N], or values float64 [N]
    classes:    how many there are; 0 for numbers
    group:      int64 [N]: rows with the same number stay in one fold; or None
    """

    columns: NDArray[np.float32]
    categories: tuple[int, ...]
    truth: NDArray[Any]
    classes: int
    group: Places | None = None

    @property
    def is_number(self) -> bool:
        return self.classes == 0

    def __len__(self) -> int:
        return len(self.truth)

    @classmethod
    def of_arrays(
        cls,
        arrays: dict[str, NDArray[Any]],
        truth: NDArray[Any],
        task: Task,
        classes: int,
        group: Places | None = None,
    ) -> Examples:
        """Return the examples of an encoded table: "numbers" [N, F] and "categories" [N, C]."""
        numbers, codes = arrays["numbers"], arrays["categories"]
        width = numbers.shape[1]
        return cls(
            columns=np.hstack([numbers, codes]).astype(np.float32),
            categories=tuple(range(width, width + codes.shape[1])),
            truth=truth.astype(np.float64) if task == "number" else truth.astype(np.int64),
            classes=0 if task == "number" else max(classes, 2),
            group=group,
        )


def folds_of(examples: Examples, count: int, seed: int) -> Places:
    """Return the fold int64 [N] of each row: shares of classes kept, groups whole."""
    random = np.random.default_rng(seed)
    if examples.group is not None:
        _, code = np.unique(examples.group, return_inverse=True)
        of_group = random.permutation(int(code.max()) + 1) % count
        found: Places = of_group[code].astype(np.int64)
        return found
    order = random.permutation(len(examples))
    kind = examples.truth if not examples.is_number else np.zeros(len(examples))
    order = order[np.argsort(kind[order], kind="stable")]
    folds = np.empty(len(examples), np.int64)
    folds[order] = np.arange(len(order)) % count
    return folds


def out_of_fold(
    examples: Examples,
    folds: Places,
    *,
    seed: int = 0,
    threads: int = 1,
    learn: NDArray[np.bool_] | None = None,
) -> Floats:
    """Return probabilities float64 [N, K], or values [N], each by a learner without that fold.

    learn: which rows may be learned from (all)
    """
    threads = threads if examples.columns.size >= _MANY_CELLS else 1
    answers = examples.truth
    allowed = np.ones(len(examples), bool) if learn is None else learn
    shape = (len(examples),) if examples.is_number else (len(examples), examples.classes)
    found = np.zeros(shape)
    rounds = 0
    for fold in range(int(folds.max()) + 1):
        held = folds == fold
        train = _thinned(np.flatnonzero(~held & allowed), seed + fold)
        if not rounds:
            rounds = _enough_rounds(examples, answers, train, seed, threads)
        found[held] = _predict(examples, answers, train, held, rounds, seed + fold, threads)
    return found


def _thinned(rows: Places, seed: int) -> Places:
    """Return at most 120,000 rows to learn from."""
    if len(rows) <= _MOST_TRAINED_ROWS:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, _MOST_TRAINED_ROWS, replace=False))


def _predict(
    examples: Examples,
    answers: NDArray[Any],
    train: Places,
    held: NDArray[np.bool_],
    rounds: int,
    seed: int,
    threads: int,
) -> Floats:
    """Return what the learners say of the held out rows: trees, with a forest where it is cheap."""
    booster = _boosted(examples, answers, train, rounds, seed, threads)
    said = _shaped(booster.predict(examples.columns[held], num_threads=threads), examples)
    if len(train) > _FOREST_ROWS:
        return said
    return 0.5 * said + 0.5 * _forest(examples, answers, train, held, seed, threads)


def _shaped(said: Any, examples: Examples) -> Floats:
    """Return LightGBM's answers as [N, K], or [N] for numbers."""
    found: Floats = np.asarray(said, np.float64)
    if examples.is_number or found.ndim == 2:
        return found
    return np.column_stack([1 - found, found])


def _settings(examples: Examples, num_rows: int, seed: int, threads: int) -> dict[str, Any]:
    objective = "regression" if examples.is_number else "binary"
    if examples.classes > 2:
        objective = "multiclass"
    settings: dict[str, Any] = {
        "objective": objective,
        "learning_rate": 0.08 if num_rows < _MANY_ROWS else 0.1,
        "num_leaves": 31 if num_rows >= 5_000 else 15,
        "min_data_in_leaf": max(5, min(40, num_rows // 50)),
        "feature_fraction": 0.6 if examples.columns.shape[1] < 40 else 0.3,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 1.0,
        "max_bin": 127,
        "seed": seed,
        "num_threads": threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    return settings | ({"num_class": examples.classes} if examples.classes > 2 else {})


def _dataset(examples: Examples, answers: NDArray[Any], rows: Places) -> lightgbm.Dataset:
    import lightgbm

    columns = examples.columns[rows]
    return lightgbm.Dataset(
        columns, answers[rows], categorical_feature=list(examples.categories), free_raw_data=True
    )


def _enough_rounds(
    examples: Examples, answers: NDArray[Any], train: Places, seed: int, threads: int
) -> int:
    """Return how many rounds help, seen on a fifth of the rows to learn from."""
    import lightgbm

    random = np.random.default_rng(seed)
    apart = random.random(len(train)) < 0.2
    if len(np.unique(answers[train[~apart]])) < max(examples.classes, 2):
        return 30
    settings = _settings(examples, len(train), seed, threads)
    learned = _dataset(examples, answers, train[~apart])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        booster = lightgbm.train(
            settings,
            learned,
            _most_rounds(examples, len(train)),
            valid_sets=[
                lightgbm.Dataset(
                    examples.columns[train[apart]], answers[train[apart]], reference=learned
                )
            ],
            callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False)],
        )
    return max(booster.best_iteration, 10)


def _most_rounds(examples: Examples, num_rows: int) -> int:
    """Return where boosting ends at the latest: a minute is all there is for all folds."""
    most = _MOST_ROUNDS if num_rows < _MANY_ROWS else _ROUNDS_OF_MANY
    return min(most, max(_MOST_TREES // max(examples.classes - 1, 1), 30))


def _boosted(
    examples: Examples,
    answers: NDArray[Any],
    train: Places,
    rounds: int,
    seed: int,
    threads: int,
) -> lightgbm.Booster:
    import lightgbm

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lightgbm.train(
            _settings(examples, len(train), seed, threads),
            _dataset(examples, answers, train),
            rounds,
        )


def _forest(
    examples: Examples,
    answers: NDArray[Any],
    train: Places,
    held: NDArray[np.bool_],
    seed: int,
    threads: int,
) -> Floats:
    """Return what a forest of random trees says: many small votes, hardly moved by wrong ones."""
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    leaf = max(1, min(5, len(train) // 500))
    columns = _filled(examples.columns)
    common = {"n_estimators": _FOREST_TREES, "random_state": seed, "n_jobs": threads}
    if examples.is_number:
        forest = ExtraTreesRegressor(min_samples_leaf=leaf, **common)
        forest.fit(columns[train], answers[train])
        values: Floats = forest.predict(columns[held])
        return values
    forest = ExtraTreesClassifier(min_samples_leaf=leaf, max_features=0.5, **common)
    forest.fit(columns[train], answers[train])
    found = np.zeros((int(held.sum()), examples.classes))
    found[:, forest.classes_.astype(int)] = forest.predict_proba(columns[held])
    return found


def _filled(columns: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return columns with what is missing put below everything else."""
    low = np.nan_to_num(columns, nan=np.inf, posinf=np.inf, neginf=np.inf).min(axis=0)
    low = np.where(np.isfinite(low), low, 0.0) - 1.0
    return np.where(np.isfinite(columns), columns, low).astype(np.float32)
