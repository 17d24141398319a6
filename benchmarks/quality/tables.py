"""Is `auto` as good as the better of LightGBM and CatBoost? Same splits for all, in one run.

    python benchmarks/quality/tables.py adult.csv --target income --splits 5 --scratch /tmp/tables
    python benchmarks/quality/tables.py log.parquet --target fraud --time moment \
        --ignore identity --cuts 0.6 0.8 1.0 --scratch /tmp/tables

Without --time: seeded stratified splits 70/15/15. With it: for each cut, the earliest part of the
rows, in time order 70/15/15. LightGBM (rate .05, 63 leaves, up to 2,000 rounds) and CatBoost
(defaults) stop early on validation; Treadle gets the same three files and its own defaults. The
test part is scored once for each. Results are kept in --scratch by what made them, so a run that
was cut off goes on, and a second run (with --again) fits only Treadle anew.

Each difference is Treadle minus the better of the two on that split; the bar is a mean of 0.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import train_test_split

MEASURES = {"ROC AUC": roc_auc_score, "average precision": average_precision_score}
REFERENCES = ("lightgbm", "catboost")


class Split(NamedTuple):
    """One split of the rows: frames that hold the target as 0 and 1, and no time column."""

    name: str
    train: pl.DataFrame
    validation: pl.DataFrame
    test: pl.DataFrame


def main() -> None:
    options = _options()
    frame = _read(options)
    rows = []
    for split in _splits(frame, options):
        results = {name: _kept(name, split, options) for name in (*REFERENCES, "treadle")}
        rows.append(results)
        for name, found in results.items():
            figures = "  ".join(f"{measure} {found[measure]:.5f}" for measure in MEASURES)
            print(f"{split.name:12} {name:9} {figures}  {found['seconds']:4.0f} s", flush=True)
    _print_differences(rows)


def fit_lightgbm(split: Split, target: str, threads: int, seed: int, _: Path) -> np.ndarray:
    import lightgbm

    train, validation, test = (_matrix(part, split, target) for part in split[1:])
    categories = [place for place, kind in enumerate(_kinds(split, target)) if kind == "category"]
    parameters = {
        "objective": "binary",
        "metric": "auc",
        "learning_rate": 0.05,
        "num_leaves": 63,
        "num_threads": threads,
        "seed": seed,
        "verbose": -1,
    }
    data = lightgbm.Dataset(train, split.train[target].to_numpy(), categorical_feature=categories)
    watched = lightgbm.Dataset(validation, split.validation[target].to_numpy(), reference=data)
    stop = lightgbm.early_stopping(100, verbose=False)
    booster = lightgbm.train(parameters, data, 2000, valid_sets=[watched], callbacks=[stop])
    return np.asarray(booster.predict(test))


def fit_catboost(split: Split, target: str, threads: int, seed: int, scratch: Path) -> np.ndarray:
    from catboost import CatBoostClassifier, Pool

    kinds = _kinds(split, target)
    names = [name for name in split.train.columns if name != target]
    categories = [name for name, kind in zip(names, kinds, strict=True) if kind == "category"]

    def pool(part: pl.DataFrame) -> Any:
        table = part.select(names).with_columns(pl.col(categories).cast(pl.String).fill_null(""))
        return Pool(table.to_pandas(), part[target].to_numpy(), cat_features=categories)

    model = CatBoostClassifier(
        thread_count=threads, random_seed=seed, verbose=0, train_dir=str(scratch / "catboost")
    )
    model.fit(pool(split.train), eval_set=pool(split.validation), early_stopping_rounds=100)
    return np.asarray(model.predict_proba(pool(split.test))[:, 1])


def fit_treadle(split: Split, target: str, threads: int, seed: int, scratch: Path) -> np.ndarray:
    import treadle

    folder = scratch / f"treadle-{split.name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = {}
    for name in ("train", "validation", "test"):
        files[name] = folder / f"{name}.parquet"
        getattr(split, name).write_parquet(files[name])
    run = treadle.fit(
        str(files["train"]),
        validation=str(files["validation"]),
        test=str(files["test"]),
        target=target,
        positive="1",
        threads=threads,
        seed=seed,
        out=str(folder / "run"),
    )
    found = treadle.load(run.path).predict(split.test.drop(target))
    probability: np.ndarray = found["probability_1"].to_numpy()
    return probability


FITS: dict[str, Callable[[Split, str, int, int, Path], np.ndarray]] = {
    "lightgbm": fit_lightgbm,
    "catboost": fit_catboost,
    "treadle": fit_treadle,
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--target", required=True)
    parser.add_argument("--positive", help="the value that is looked for; the rarer by default")
    parser.add_argument("--time", help="a column: split in time instead of by seed")
    parser.add_argument("--ignore", nargs="*", default=[])
    parser.add_argument("--splits", type=int, default=5, help="seeds, without --time")
    parser.add_argument("--cuts", type=float, nargs="*", default=[0.6, 0.8, 1.0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scratch", type=Path, required=True, help="where results are kept")
    parser.add_argument("--again", action="store_true", help="fit Treadle anew")
    return parser.parse_args()


def _read(options: argparse.Namespace) -> pl.DataFrame:
    path: Path = options.data
    is_parquet = path.suffix == ".parquet"
    frame = pl.read_parquet(path) if is_parquet else pl.read_csv(path, infer_schema_length=None)
    counts = frame[options.target].cast(pl.String).value_counts(sort=True)[options.target]
    positive = options.positive or counts[-1]
    target = (pl.col(options.target).cast(pl.String) == positive).cast(pl.Int8)
    return frame.with_columns(target.alias(options.target)).drop(options.ignore)


def _splits(frame: pl.DataFrame, options: argparse.Namespace) -> Iterator[Split]:
    if options.time:
        ordered = frame.sort(options.time, maintain_order=True).drop(options.time)
        for cut in options.cuts:
            rows = ordered.head(round(len(ordered) * cut))
            first, second = round(len(rows) * 0.7), round(len(rows) * 0.85)
            yield Split(f"cut-{cut}", rows[:first], rows[first:second], rows[second:])
        return
    target = frame[options.target].to_numpy()
    for seed in range(options.splits):
        train, rest = train_test_split(
            np.arange(len(frame)), train_size=0.7, random_state=seed, stratify=target
        )
        validation, test = train_test_split(
            rest, train_size=0.5, random_state=seed, stratify=target[rest]
        )
        yield Split(f"seed-{seed}", frame[train], frame[validation], frame[test])


def _kept(name: str, split: Split, options: argparse.Namespace) -> dict[str, Any]:
    """Return the result that lies in the scratch folder, or make it."""
    made_by = [name, str(options.data.resolve()), options.target, options.positive, split.name]
    made_by += [options.time, options.ignore, options.threads]
    key = hashlib.sha256(json.dumps(made_by).encode()).hexdigest()[:12]
    file = options.scratch / f"{name}-{options.data.stem}-{split.name}-{key}.json"
    if file.exists() and not (options.again and name == "treadle"):
        found: dict[str, Any] = json.loads(file.read_text())
        return found
    options.scratch.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    predicted = FITS[name](split, options.target, options.threads, 0, options.scratch)
    seconds = time.monotonic() - started
    truth = split.test[options.target].to_numpy()
    found = {measure: float(score(truth, predicted)) for measure, score in MEASURES.items()}
    found["seconds"] = seconds
    np.save(file.with_suffix(".npy"), predicted)
    file.write_text(json.dumps(found))
    return found


def _kinds(split: Split, target: str) -> list[str]:
    dtypes = split.train.drop(target).dtypes
    return ["number" if dtype.is_numeric() else "category" for dtype in dtypes]


def _matrix(part: pl.DataFrame, split: Split, target: str) -> np.ndarray:
    """Return the columns as float64 [N, F]: numbers as they are, categories as codes."""
    columns = []
    for name, kind in zip(split.train.drop(target).columns, _kinds(split, target), strict=True):
        values = part[name]
        if kind == "category":
            known = split.train[name].drop_nulls().unique().sort().to_list()
            values = values.replace_strict(known, range(len(known)), default=None)
        columns.append(values.cast(pl.Float64).to_numpy())
    return np.stack(columns, axis=1)


def _print_differences(rows: list[dict[str, dict[str, Any]]]) -> None:
    for measure in MEASURES:
        better = np.array([max(row[name][measure] for name in REFERENCES) for row in rows])
        ours = np.array([row["treadle"][measure] for row in rows])
        means = {n: np.mean([row[n][measure] for row in rows]) for n in (*REFERENCES, "treadle")}
        print("  ".join([f"mean {measure}:", *(f"{n} {mean:.5f}" for n, mean in means.items())]))
        gap = ours - better
        spread = gap.std(ddof=1) / len(gap) ** 0.5 if len(gap) > 1 else float("nan")
        print(
            f"  treadle minus the better: {gap.mean():+.5f} ± {spread:.5f} (standard error), "
            f"splits: {' '.join(f'{value:+.5f}' for value in gap)}"
        )
    slowest = max(row["treadle"]["seconds"] for row in rows)
    print(f"slowest fit of treadle: {slowest:.0f} s")


if __name__ == "__main__":
    main()
