"""Time to a target on a table: from the files to the first validation that reaches it."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.speed.data import Spec
from benchmarks.speed.gate import Gate

MOST_ROUNDS = 5000
LIGHTGBM_METRICS = {"roc_auc": "auc", "average_precision": "average_precision"}
CATBOOST_METRICS = {"roc_auc": "AUC", "average_precision": "PRAUC"}


def lightgbm(spec: Spec, gate: Gate) -> None:
    """Boost at rate .05 with 63 leaves, a validation each round, until one reaches the target."""
    import lightgbm as library

    found: dict[str, Any] = {}

    def enough(environment: library.callback.CallbackEnv) -> None:
        found["reached"] = environment.evaluation_result_list[0][2]
        if found["reached"] >= spec["level"]:
            raise library.callback.EarlyStopException(environment.iteration, [])

    def train(steps: int) -> None:
        for _ in range(steps):
            train, validation = (_frame(spec, part) for part in ("train", "validation"))
            categories = [n for n, kind in train.schema.items() if kind == pl.String]
            places = [train.columns.index(name) for name in categories]
            data = library.Dataset(
                _matrix(train, train), _target(spec, "train"), categorical_feature=places
            )
            watched = data.create_valid(_matrix(validation, train), _target(spec, "validation"))
            parameters = {
                "objective": "binary",
                "metric": LIGHTGBM_METRICS[spec["metric"]],
                "learning_rate": 0.05,
                "num_leaves": 63,
                "num_threads": spec["threads"],
                "seed": spec["seed"],
                "verbosity": -1,
            }
            library.train(parameters, data, MOST_ROUNDS, valid_sets=[watched], callbacks=[enough])

    gate.serve(train, lambda: found)


def catboost(spec: Spec, gate: Gate) -> None:
    """Boost with CatBoost's own defaults until a validation reaches the target."""
    import catboost as library
    import pandas as pd

    found: dict[str, Any] = {}
    metric = CATBOOST_METRICS[spec["metric"]]

    class Enough:
        def after_iteration(self, told: Any) -> bool:
            found["reached"] = told.metrics["validation"][metric][-1]
            return bool(found["reached"] < spec["level"])

    def pool(part: str) -> Any:
        frame = _frame(spec, part)
        words = [name for name, kind in frame.schema.items() if kind == pl.String]
        filled = frame.with_columns(pl.col(words).fill_null(""))
        table = pd.DataFrame({name: filled[name].to_numpy() for name in filled.columns})
        return library.Pool(table, _target(spec, part), cat_features=words)

    def train(steps: int) -> None:
        for _ in range(steps):
            model = library.CatBoostClassifier(
                eval_metric=metric,
                thread_count=spec["threads"],
                random_seed=spec["seed"],
                allow_writing_files=False,
                verbose=0,
            )
            model.fit(pool("train"), eval_set=pool("validation"), callbacks=[Enough()])

    gate.serve(train, lambda: found)


def _frame(spec: Spec, part: str) -> pl.DataFrame:
    return pl.read_parquet(spec["files"][part]).drop(spec["target"])


def _target(spec: Spec, part: str) -> NDArray[np.float32]:
    column = pl.read_parquet(spec["files"][part], columns=[spec["target"]])[spec["target"]]
    return column.to_numpy().astype(np.float32)


def _matrix(frame: pl.DataFrame, train: pl.DataFrame) -> NDArray[np.float64]:
    """Return the columns as float64 [N, F]: numbers, and words as codes of `train`."""
    columns = []
    for name, kind in train.schema.items():
        values = frame[name]
        if kind == pl.String:
            known = train[name].drop_nulls().unique().sort().to_list()
            values = values.replace_strict(known, range(len(known)), default=None)
        columns.append(values.cast(pl.Float64).to_numpy())
    return np.stack(columns, axis=1)
