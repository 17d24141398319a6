"""The tasks that costs, money and calibration are measured on, and what a model says of their rows.

Each task is a table of two classes with at least 1,000 positives and costs of mistakes. LightGBM
learns from the train part; "early" stops where validation says so, "long" goes on for 400 rounds
and is too sure of itself. What either says is kept in --scratch, so a second run costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Array = NDArray[Any]
PARTS = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a model says of a task's validation and test rows: probabilities [N], truth [N].

    amounts: what a missed positive costs, row by row, where that is a column; else None
    """

    name: str
    model: str
    validation: Array
    validation_truth: Array
    test: Array
    test_truth: Array
    validation_amounts: Array | None
    test_amounts: Array | None
    costs: str


def generated(
    kind: str, rows: int, share: float, noise: float, seed: int, features: int = 12
) -> tuple[Array, Array]:
    """Return a table of scikit-learn's generators: features [N, F] and truth [N]."""
    from sklearn import datasets

    draw = np.random.default_rng(seed)
    if kind == "classification":
        return datasets.make_classification(
            n_samples=rows,
            n_features=features,
            n_informative=6,
            n_clusters_per_class=3,
            weights=[1 - share],
            flip_y=noise,
            class_sep=0.8,
            random_state=seed,
        )
    if kind == "hastie":
        inputs, answers = datasets.make_hastie_10_2(rows, random_state=seed)
        flipped = draw.random(rows) < noise
        return inputs, ((answers > 0) ^ flipped).astype(np.int64)
    if kind == "moons":
        inputs, truth = datasets.make_moons(rows, noise=noise, random_state=seed)
    elif kind == "circles":
        inputs, truth = datasets.make_circles(rows, noise=noise, factor=0.6, random_state=seed)
    else:  # a logistic law with a rare positive
        inputs = draw.normal(size=(rows, features))
        score = inputs[:, :4].sum(axis=1) + inputs[:, 0] * inputs[:, 1]
        level = np.quantile(score, 1 - share)
        truth = (draw.random(rows) < 1 / (1 + np.exp((level - score) / noise))).astype(np.int64)
    return inputs, truth


GENERATED: dict[str, tuple[tuple[Any, ...], str]] = {
    "rare 2 %": (("classification", 80_000, 0.02, 0.01, 1), "missed=500 false_alarm=5"),
    "rare 5 %, noisy": (("classification", 50_000, 0.05, 0.05, 2), "missed=100 false_alarm=5"),
    "one in ten": (("classification", 30_000, 0.10, 0.02, 3), "missed=50 false_alarm=10"),
    "a third": (("classification", 20_000, 0.33, 0.10, 4), "missed=10 false_alarm=4"),
    "even": (("classification", 12_000, 0.50, 0.05, 5), "missed=3 false_alarm=1"),
    "hastie": (("hastie", 20_000, 0.5, 0.10, 6), "missed=20 false_alarm=5 caught=1"),
    "moons": (("moons", 12_000, 0.5, 0.35, 7), "missed=5 false_alarm=1"),
    "circles": (("circles", 12_000, 0.5, 0.25, 8), "missed=1 false_alarm=4"),
    "law, 4 %": (("law", 60_000, 0.04, 0.7, 9), "missed=200 false_alarm=8 caught=2"),
    "law, 20 %": (("law", 20_000, 0.20, 1.5, 10), "missed=30 false_alarm=10"),
}
REAL = {
    "adult": ("adult/adult.csv", "income", ">50K", "missed=500 false_alarm=100", None),
    "flights": ("flights/flights.csv", "late", "1", "missed=60 false_alarm=20", "time_hour"),
    "fraud": (
        "ieee-cis/ieee-cis.parquet",
        "isFraud",
        "1",
        "missed=TransactionAmt false_alarm=5",
        "TransactionDT",
    ),
}
ROWS_OF_A_FILE = 120_000


def told(name: str, model: str, data: Path, scratch: Path) -> Told:
    """Return what a model says of a task, from --scratch where it was asked before."""
    scratch.mkdir(parents=True, exist_ok=True)
    place = scratch / f"{name.replace(' ', '_').replace('%', 'percent')}-{model}.npz"
    if not place.exists():
        inputs, truth, parts, amounts, _ = _task(name, data)
        said = _said(inputs, truth, parts, model)
        kept: dict[str, Array] = dict(zip(("validation", "test"), said, strict=True))
        for part in ("validation", "test"):
            kept[f"{part}_truth"] = truth[parts[part]]
            if amounts is not None:
                kept[f"{part}_amounts"] = amounts[parts[part]]
        np.savez(place, **kept)  # type: ignore[arg-type]
    with np.load(place, allow_pickle=False) as kept_arrays:
        arrays = {key: kept_arrays[key] for key in kept_arrays.files}
    costs = GENERATED[name][1] if name in GENERATED else REAL[name][3]
    for part in ("validation", "test"):
        arrays.setdefault(f"{part}_amounts", None)  # type: ignore[arg-type]
    return Told(name=name, model=model, costs=costs, **arrays)


def usual_shares(name: str, data: Path) -> Array:
    """Return the share of each class in a task's train part, [2]."""
    _, truth, parts, _, _ = _task(name, data)
    share = float(truth[parts["train"]].mean())
    return np.array([1 - share, share])


def _task(name: str, data: Path) -> tuple[Any, Array, dict[str, Array], Array | None, str]:
    """Return features, truth [N], the rows of each part, amounts [N] or None, and the costs."""
    if name in GENERATED:
        made, costs = GENERATED[name]
        inputs, truth = generated(*made)
        return inputs, truth, _parts(np.random.default_rng(0).permutation(len(truth))), None, costs
    file, target, positive, costs, time = REAL[name]
    frame = _frame(data / file, time)
    truth = (frame[target].cast(pl.String) == positive).to_numpy().astype(np.int64)
    column = costs.split()[0].partition("=")[2]
    amounts = frame[column].cast(pl.Float64).to_numpy() if column in frame.columns else None
    order = np.arange(len(truth))
    if time is None:
        order = np.random.default_rng(0).permutation(len(truth))
    return _inputs(frame.drop(target)), truth, _parts(order), amounts, costs


def _frame(file: Path, time: str | None) -> pl.DataFrame:
    frame = pl.read_parquet(file) if file.suffix == ".parquet" else pl.read_csv(file)
    if time is not None:
        frame = frame.sort(time)
    if frame.height > ROWS_OF_A_FILE:
        kept = np.sort(np.random.default_rng(0).permutation(frame.height)[:ROWS_OF_A_FILE])
        frame = frame[kept]
    return frame.drop(time) if time is not None else frame


def _inputs(frame: pl.DataFrame) -> Array:
    """Return numbers as they are and texts as codes, float32 [N, F]."""
    columns = [
        frame[name].cast(pl.Categorical).to_physical().cast(pl.Float32)
        if frame.schema[name] == pl.String
        else frame[name].cast(pl.Float32)
        for name in frame.columns
        if not name.endswith("ID")
    ]
    return pl.DataFrame(columns).to_numpy()


def _parts(order: Array) -> dict[str, Array]:
    cuts = (np.array([0.0, 0.6, 0.8, 1.0]) * len(order)).astype(int)
    return {name: order[cuts[i] : cuts[i + 1]] for i, name in enumerate(PARTS)}


def _said(inputs: Array, truth: Array, parts: dict[str, Array], model: str) -> tuple[Array, Array]:
    import lightgbm

    kept: list[Callable[..., Any]] = [lightgbm.early_stopping(50, verbose=False)]
    learner = lightgbm.LGBMClassifier(
        n_estimators=400,
        learning_rate=0.1 if model == "long" else 0.05,
        num_leaves=63 if model == "long" else 31,
        n_jobs=1,
        random_state=0,
        verbose=-1,
    )
    learner.fit(
        inputs[parts["train"]],
        truth[parts["train"]],
        eval_set=[(inputs[parts["validation"]], truth[parts["validation"]])],
        eval_metric="binary_logloss",
        callbacks=[] if model == "long" else kept,
    )
    first, second = (
        learner.predict_proba(inputs[parts[part]])[:, 1] for part in ("validation", "test")
    )
    return first, second
