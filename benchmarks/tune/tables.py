"""`--tune` beside the usual settings, on tables.

    python benchmarks/tune/tables.py --data FOLDER [--budget SECONDS] [--only NAME] [--out FILE]
    python benchmarks/tune/tables.py --judge FILE…

Each table is fitted twice with the same split: as usual, and with `tune`. What counts is the error
on the test rows: 1 − ROC AUC, the log loss, or the root mean squared error, before calibration.
Said is by how much of it tuning lowers it, in the mean over tables with a bootstrap interval over
them, and how long the whole fit took beside its budget. Neither fit knows of the other; a clock
bounds both, so the usual models of the two may differ a little: `lowered_same` compares what was
chosen with the usual models of the very same run.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn import datasets

import treadle
from treadle.api.options import FitOptions
from treadle.api.table_data import prepare, read_table
from treadle.goal import metric_named
from treadle.serve.predictor import read_facts
from treadle.serve.table_predictor import TablePredictor

METRIC = {"two_classes": "roc_auc", "classes": "log_loss", "number": "root_mean_squared_error"}


def bundled(name: str) -> pl.DataFrame:
    """Return one of scikit-learn's own tables."""
    found = getattr(datasets, f"load_{name}")()
    columns = {f"c{n}": found.data[:, n] for n in range(found.data.shape[1])}
    return pl.DataFrame(columns | {"answer": _answers(found.target)})


def generated(function: str, **options: Any) -> pl.DataFrame:
    """Return a table that scikit-learn makes."""
    inputs, target = getattr(datasets, function)(random_state=3, **options)[:2]
    columns = {f"c{n}": inputs[:, n] for n in range(inputs.shape[1])}
    return pl.DataFrame(columns | {"answer": _answers(target)})


def _answers(target: np.ndarray[Any, Any]) -> Any:
    return target if target.dtype.kind == "f" else np.char.add("k", target.astype(str))


def real(path: Path, rows: int, *, last: bool = False) -> pl.DataFrame:
    """Return rows of a file: drawn, or the first in its order."""
    frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
    return frame.head(rows) if last else frame.sample(rows, seed=5)


Table = tuple[str, str, Callable[[Path], pl.DataFrame]]
TABLES: list[Table] = [
    ("adult", "income", lambda at: real(at / "adult/adult.csv", 8_000)),
    ("adult, hours", "hours-per-week",
     lambda at: real(at / "adult/adult.csv", 6_000).drop("income", "fnlwgt")),
    ("flights", "late", lambda at: real(at / "flights/flights.csv", 8_000)),
    ("flights, distance", "distance",
     lambda at: real(at / "flights/flights.csv", 5_000).select(
         "month", "hour", "carrier", "origin", "temp", "wind_speed", "late", "distance")),
    ("ieee-cis", "isFraud", lambda at: real(at / "ieee-cis/ieee-cis.parquet", 12_000)),
    ("ratings", "rating",
     lambda at: real(at / "ml-100k/events.csv", 10_000).select("user", "item", "time", "rating")),
    ("tumours", "answer", lambda _: bundled("breast_cancer")),
    ("wines", "answer", lambda _: bundled("wine")),
    ("digits", "answer", lambda _: bundled("digits")),
    ("diabetes", "answer", lambda _: bundled("diabetes")),
    ("friedman 1", "answer",
     lambda _: generated("make_friedman1", n_samples=3_000, n_features=12, noise=1.0)),
    ("clusters", "answer",
     lambda _: generated("make_classification", n_samples=4_000, n_features=25, n_informative=10,
                         n_clusters_per_class=4, flip_y=0.1)),
    ("four clusters", "answer",
     lambda _: generated("make_classification", n_samples=5_000, n_features=15, n_informative=8,
                         n_classes=4)),
    ("sparse", "answer",
     lambda _: generated("make_regression", n_samples=1_500, n_features=60, n_informative=8,
                         noise=60.0)),
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--budget", type=float, default=120)
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--judge", type=Path, nargs="*")
    asked = parser.parse_args()
    if asked.judge:
        lines = [line for file in asked.judge for line in file.read_text().splitlines()]
        judge([json.loads(line) for line in lines])
        return
    for name, target, make in TABLES:
        if asked.only and asked.only not in name:
            continue
        found = {"table": name} | compared(make(asked.data), target, asked.budget, asked.seed)
        print(json.dumps(found), flush=True)
        if asked.out:
            with asked.out.open("a") as file:
                file.write(json.dumps(found) + "\n")


def compared(frame: pl.DataFrame, target: str, budget: float, seed: int) -> dict[str, Any]:
    """Return what both fits of a table reach on its test rows, and the time they took."""
    usual, (plain, _), usual_seconds = fitted(frame, target, seed=seed)
    tuned, (same, error), seconds = fitted(frame, target, seed=seed, tune=f"{budget:g} seconds")
    metric = METRIC[usual["task"]]
    return {
        "metric": metric,
        "usual": plain,
        "same": same,
        "tuned": error,
        "lowered": (plain - error) / plain if plain else 0.0,
        "lowered_same": (same - error) / same if same else 0.0,
        "seconds": round(seconds, 1),
        "usual_seconds": round(usual_seconds, 1),
        "budget": budget,
        "trials": len(tuned["tune"]["trials"]),
        "taken": any("-" in name for name, share in tuned["blend"].items() if share > 0),
    }


def fitted(
    frame: pl.DataFrame, target: str, **options: Any
) -> tuple[dict[str, Any], list[float], float]:
    """Return result.json, the test errors of its usual models and of its answer, and its time."""
    given = {"target": target, "threads": 1, "seed": 0, **options}
    if frame[target].n_unique() > 2:
        numeric = frame[target].dtype.is_numeric()
        given["metric"] = METRIC["number" if numeric else "classes"]
    with tempfile.TemporaryDirectory() as place:
        began = time.monotonic()
        run = treadle.fit(frame, out=Path(place) / "run", **given)
        seconds = time.monotonic() - began
        usual = run.result.get("tune", {}).get("usual_blend") or run.result["blend"]
        blends = [usual, run.result["blend"]]
        return run.result, [_reached(run.path, frame, given, shares) for shares in blends], seconds


def _reached(run: Path, frame: pl.DataFrame, given: dict[str, Any], shares: Any) -> float:
    """Return the test error of some models of a run, mixed by these shares."""
    options = FitOptions.of(given)
    data = prepare(options, read_table(options, frame))
    facts = read_facts(run / "model") | {"blend": dict(shares)}
    inputs = {name: data.parts["test"][name] for name in ("numbers", "categories")}
    members = TablePredictor(run / "model", facts).members
    predicted = sum(share * members[name](inputs) for name, share in shares.items() if share > 0)
    metric = metric_named(METRIC[data.target.task], data.target.task)
    return _error(metric.name, metric(data.truth("test"), predicted))


def _error(metric: str, value: float) -> float:
    return 1 - value if metric == "roc_auc" else value


def judge(found: list[dict[str, Any]]) -> None:
    """Print what tuning lowers, table by table and in the mean, and how budgets were kept."""
    for one in found:
        print(
            f"{one['table']:20} {one['metric']:24} {one['usual']:.4f} → {one['tuned']:.4f} "
            f"{100 * one['lowered']:+6.2f} %  {one['seconds'] / one['budget']:.2f} of the budget, "
            f"{one['trials']} trials{'' if one['taken'] else ', usual settings kept'}"
        )
    for words, key in (("a fit of its own", "lowered"), ("the same run's", "lowered_same")):
        lowered = np.array([one[key] for one in found])
        draws = np.random.default_rng(0).choice(lowered, (10_000, len(lowered))).mean(1)
        low, high = np.quantile(draws, (0.025, 0.975))
        print(
            f"beside the usual models of {words}: error lowered by {100 * lowered.mean():.2f} % in "
            f"the mean of {len(found)} tables [{100 * low:.2f}, {100 * high:.2f}], "
            f"{100 * np.median(lowered):.2f} % in the median; worse in {int((lowered < 0).sum())}"
        )
    print(f"at most {max(one['seconds'] / one['budget'] for one in found):.3f} of the budget")


if __name__ == "__main__":
    main()
