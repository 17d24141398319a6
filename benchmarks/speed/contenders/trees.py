"""Boosted trees as their libraries fit them: LightGBM and CatBoost. A step is a whole fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.speed.contenders import tree_data
from benchmarks.speed.data import Spec
from benchmarks.speed.gate import Gate


def lightgbm(spec: Spec, gate: Gate) -> None:
    """Fit with the same parameters as Treadle's trees, its own objective inside."""
    import lightgbm as library

    table = tree_data.table(spec)
    matrix, target = table.matrix(), table.target.astype(np.float32)
    categories = list(range(table.numbers.shape[1], matrix.shape[1]))
    parameters = spec["parameters"] | {
        "objective": "binary",
        "num_threads": spec["threads"],
        "seed": spec["seed"],
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    found: dict[str, object] = {}

    def train(steps: int) -> None:
        for _ in range(steps):
            data = library.Dataset(matrix, target, categorical_feature=categories)
            found["booster"] = library.train(parameters, data, spec["rounds"])

    def facts() -> dict[str, object]:
        booster = found["booster"]
        assert isinstance(booster, library.Booster)
        probabilities = np.asarray(booster.predict(matrix))
        return {"loss": log_loss(probabilities, table.target), "lightgbm": library.__version__}

    gate.serve(train, facts)


def catboost(spec: Spec, gate: Gate) -> None:
    """Fit as many rounds of as many leaves, grown leaf by leaf; the rest as it is by default."""
    import catboost as library
    import pandas as pd

    table = tree_data.table(spec)
    frame = pd.DataFrame(table.numbers)
    names = [f"category {place}" for place in range(table.categories.shape[1])]
    frame[names] = table.categories
    parameters = spec["parameters"]
    model = library.CatBoostClassifier(
        iterations=spec["rounds"],
        learning_rate=parameters["learning_rate"],
        grow_policy="Lossguide",
        max_leaves=parameters["num_leaves"],
        thread_count=spec["threads"],
        random_seed=spec["seed"],
        allow_writing_files=False,
        verbose=0,
    )

    def train(steps: int) -> None:
        for _ in range(steps):
            model.fit(frame, table.target, cat_features=names)

    def facts() -> dict[str, object]:
        probabilities = model.predict_proba(frame)[:, 1]
        return {"loss": log_loss(probabilities, table.target), "catboost": library.__version__}

    gate.serve(train, facts)


def log_loss(probabilities: NDArray[np.floating], target: NDArray[np.bool_]) -> float:
    right = np.where(target, probabilities, 1 - probabilities)
    return float(-np.log(np.clip(right, 1e-12, 1)).mean())
