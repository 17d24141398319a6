"""The tables that "with twice the data" is tried on: name → rows and target.

Real ones lie below two folders, `--data` (as shared/data has it) and `--more` (parquet files of R's
teaching data); what is not there is left out. FIRST_HALF and the others are each judged by what
was chosen on the other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

MOST_ROWS = 12_000

REAL: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "adult": ("data/adult/adult.csv", "income", ()),
    "adult-hours": ("data/adult/adult.csv", "hours-per-week", ()),
    "flights": ("data/flights/flights.csv", "late", ()),
    "fraud": ("data/ieee-cis/ieee-cis.parquet", "isFraud", ("TransactionID",)),
    "ratings": ("data/ml-100k/events.csv", "rating", ()),
    "groceries": (
        "data/journey/transactions.parquet",
        "sales_value",
        ("basket_id", "transaction_timestamp"),
    ),
    "diamonds": ("more/ggplot2-diamonds.parquet", "price", ()),
    "lending": ("more/modeldata-lending_club.parquet", "Class", ()),
    "wa-churn": ("more/modeldata-wa_churn.parquet", "churn", ()),
    "mlc-churn": ("more/modeldata-mlc_churn.parquet", "churn", ()),
    "computers": ("more/Ecdat-Computers.parquet", "price", ()),
    "hpc": ("more/modeldata-hpc_data.parquet", "class", ()),
    "credit": ("more/modeldata-credit_data.parquet", "Status", ()),
    "stackoverflow": ("more/modeldata-stackoverflow.parquet", "Salary", ()),
    "ames": ("more/modeldata-ames.parquet", "Sale_Price", ()),
    "food": ("more/Ecdat-BudgetFood.parquet", "wfood", ()),
    "hotels": ("more/modeldata-hotel_rates.parquet", "avg_price_per_room", ()),
    "wages": ("more/carData-SLID.parquet", "wages", ()),
    "default": ("more/ISLR-Default.parquet", "default", ()),
    "visits": ("more/AER-NMES1988.parquet", "visits", ()),
}


def _made(name: str, classes: bool, **settings: object) -> pl.DataFrame:
    from sklearn import datasets

    x, y = getattr(datasets, f"make_{name}")(n_samples=MOST_ROWS, **settings)
    answers = [f"kind {int(t)}" for t in y] if classes else y
    return pl.DataFrame(x, schema=[f"x{i}" for i in range(x.shape[1])]).with_columns(
        pl.Series("y", answers)
    )


def _digits() -> pl.DataFrame:
    from sklearn.datasets import load_digits

    found = load_digits()
    names = [str(name) for name in found.feature_names]
    return pl.DataFrame(found.data, schema=names).with_columns(
        pl.Series("y", [f"kind {t}" for t in found.target])
    )


MADE: dict[str, Callable[[], pl.DataFrame]] = {
    "digits": _digits,
    "friedman1": partial(_made, "friedman1", False, noise=2.0, random_state=0),
    "friedman2": partial(_made, "friedman2", False, noise=50.0, random_state=0),
    "hastie": partial(_made, "hastie_10_2", True, random_state=0),
    "five-kinds": partial(
        _made,
        "classification",
        True,
        n_features=20,
        n_informative=8,
        n_classes=5,
        n_clusters_per_class=2,
        class_sep=1.0,
        random_state=0,
    ),
    "noisy": partial(
        _made,
        "classification",
        True,
        n_features=30,
        n_informative=10,
        weights=[0.9],
        flip_y=0.05,
        random_state=1,
    ),
}

NAMES = (*REAL, *MADE)
FIRST_HALF = frozenset(sorted(NAMES)[::2])


def table(name: str, folders: dict[str, Path], seed: int) -> tuple[pl.DataFrame, str] | None:
    """Return 12,000 rows at most of a table, in an order of that seed, and its target."""
    if name in MADE:
        frame, target = MADE[name](), "y"
    else:
        place, target, without = REAL[name]
        file = folders[place.split("/")[0]] / place.split("/", 1)[1]
        if not file.exists():
            return None
        frame = pl.read_parquet(file) if file.suffix == ".parquet" else pl.read_csv(file)
        frame = frame.drop(*without, "rownames", strict=False)
    frame = frame.filter(pl.col(target).is_not_null())
    order = np.random.default_rng(seed).permutation(frame.height)[:MOST_ROWS]
    return frame[order], target
