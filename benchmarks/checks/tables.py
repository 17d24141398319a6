"""Tables to try the checks on: what comes with scikit-learn, made ones, and folders of real data.

TABLES: name → (how to get it, target, options of `treadle check`). A table whose folder was not
given is passed over. `CHOSEN_ON` are those that thresholds were chosen on; all others judge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

MOST_ROWS = 20_000


@dataclass(frozen=True)
class Table:
    """One table: its rows, what to predict, and options."""

    name: str
    frame: pl.DataFrame
    target: str
    options: dict[str, Any] = field(default_factory=dict)


def bundled(name: str) -> pl.DataFrame:
    """Return one of scikit-learn's own tables; its target is 'y'."""
    from sklearn import datasets

    found = getattr(datasets, f"load_{name}")()
    names = [str(n) for n in found.feature_names]
    answers = found.target if name == "diabetes" else [f"kind {t}" for t in found.target]
    return pl.DataFrame(found.data, schema=names).with_columns(pl.Series("y", answers))


def made_classes(rows: int = 3000, seed: int = 0) -> pl.DataFrame:
    """Return two classes with something to learn and something that is noise."""
    from sklearn.datasets import make_classification

    x, y = make_classification(rows, 12, n_informative=6, weights=[0.8], random_state=seed)
    return pl.DataFrame(x, schema=[f"f{i}" for i in range(12)]).with_columns(y=pl.Series(y))


def made_numbers(rows: int = 3000, seed: int = 0) -> pl.DataFrame:
    """Return Friedman's numbers."""
    from sklearn.datasets import make_friedman1

    x, y = make_friedman1(rows, noise=2.0, random_state=seed)
    return pl.DataFrame(x, schema=[f"f{i}" for i in range(10)]).with_columns(y=pl.Series(y))


def of_file(path: Path, most_rows: int = MOST_ROWS, without: tuple[str, ...] = ()) -> pl.DataFrame:
    """Return a file's rows; of a longer one neighbours from its middle, so that time goes on."""
    frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
    frame = frame.drop(without, strict=False).drop("rownames", strict=False)
    if frame.height <= most_rows:
        return frame
    return frame.gather_every(max(frame.height // most_rows, 1)).head(most_rows)


FOLDERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "adult": ("adult/adult.csv", "income", {}),
    "adult-hours": ("adult/adult.csv", "hours-per-week", {}),
    "flights": ("flights/flights.csv", "late", {"time": "time_hour"}),
    "fraud": ("ieee-cis/ieee-cis.parquet", "isFraud", {"time": "TransactionDT"}),
    "ratings": ("ml-100k/events.csv", "rating", {}),
}
"""Files below the folder of `--data`."""

MORE: dict[str, tuple[str, tuple[str, ...]]] = {
    "modeldata-ames": ("Sale_Price", ()),
    "modeldata-attrition": ("Attrition", ()),
    "modeldata-credit_data": ("Status", ()),
    "modeldata-mlc_churn": ("churn", ()),
    "modeldata-cells": ("class", ()),
    "modeldata-car_prices": ("Price", ()),
    "modeldata-concrete": ("compressive_strength", ()),
    "modeldata-stackoverflow": ("Remote", ()),
    "modeldata-lending_club": ("Class", ()),
    "modeldata-Sacramento": ("price", ()),
    "modeldata-hpc_data": ("class", ()),
    "modeldata-wa_churn": ("churn", ()),
    "modeldata-penguins": ("species", ()),
    "modeldata-hotel_rates": ("avg_price_per_room", ()),
    "ISLR-Default": ("default", ()),
    "ISLR-Caravan": ("Purchase", ()),
    "ISLR-OJ": ("Purchase", ()),
    "ISLR-College": ("Private", ()),
    "ISLR-Wage": ("wage", ("logwage",)),
    "ISLR-Carseats": ("Sales", ()),
    "ISLR-Auto": ("mpg", ()),
    "ggplot2-diamonds": ("price", ()),
    "MASS-Boston": ("medv", ()),
    "AER-HMDA": ("deny", ()),
    "AER-CPS1985": ("wage", ()),
    "AER-Affairs": ("affairs", ()),
    "AER-NMES1988": ("visits", ()),
    "Ecdat-Housing": ("price", ()),
    "Ecdat-Computers": ("price", ()),
    "Ecdat-BudgetFood": ("wfood", ()),
    "carData-TitanicSurvival": ("survived", ()),
    "carData-SLID": ("wages", ()),
    "mosaicData-Whickham": ("outcome", ()),
    "dslabs-brca": ("y", ()),
}
"""Parquet files of R's teaching data, below the folder of `--more`: target, columns left out."""

CHOSEN_ON = {"breast_cancer", "adult", "made-classes", "made-numbers", "fraud", "diabetes"} | {
    name for place, name in enumerate(sorted(MORE)) if place % 3 == 0
}


def tables(data: Path | None, more: Path | None) -> Iterator[Table]:
    """Yield every table there is."""
    own: dict[str, Callable[[], pl.DataFrame]] = {
        name: partial(bundled, name) for name in ("iris", "wine", "breast_cancer", "digits")
    }
    own |= {"diabetes": partial(bundled, "diabetes")}
    own |= {"made-classes": made_classes, "made-numbers": made_numbers}
    for name, get in own.items():
        yield Table(name, get(), "y")
    for name, (path, target, options) in FOLDERS.items():
        if data is not None and (data / path).exists():
            yield Table(name, of_file(data / path), target, options)
    for name, (target, without) in MORE.items():
        path = (more or Path("none")) / f"{name}.parquet"
        if path.exists():
            frame = of_file(path, without=without)
            yield Table(name, frame.filter(pl.col(target).is_not_null()), target)


def answers(table: Table) -> np.ndarray[Any, Any]:
    """Return the answers as numbers float64 [N]: codes of the classes, the rarest last."""
    values = table.frame[table.target]
    if values.dtype.is_float() or values.n_unique() > 20:
        return values.cast(pl.Float64).to_numpy()
    order = values.cast(pl.String).value_counts(sort=True)[table.target].to_list()
    codes = values.cast(pl.String).replace_strict(order, range(len(order)))
    return codes.cast(pl.Float64).to_numpy()
