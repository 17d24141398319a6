"""Tables with things of known worth planted in them, and many more rows of the same kind.

Suppliers: A is ordinary; B's answers are shuffled (poisoned); C brings nearly all rows of one
region (useful); D sends rows of A again (worthless). Columns: one that matters, one that hardly
does, a column of noise, and a copy of another. What each is really worth is not assumed but
measured, on rows that the price list never sees: see measure.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Array = NDArray[Any]
SHARES = {"A": 0.55, "B": 0.15, "D": 0.15}
FAR = 0.75  # from this quantile of a column on, rows come from C
FROM_C = 0.9


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table to plant in.

    region: a column of numbers; strong, weak: columns to be priced
    """

    name: str
    target: str
    region: str
    strong: str
    weak: str


TABLES = (
    Table(name="adult", target="income", region="age", strong="marital-status", weak="race"),
    Table(name="flights", target="late", region="hour", strong="carrier", weak="wind_dir"),
    Table(name="fraud", target="isFraud", region="TransactionAmt", strong="C1", weak="addr1"),
    Table(name="hours", target="hours-per-week", region="age", strong="occupation", weak="race"),
    Table(name="law", target="y", region="x0", strong="x1", weak="x9"),
    Table(name="kinds", target="y", region="x0", strong="x1", weak="x9"),
    Table(name="friedman", target="y", region="x4", strong="x3", weak="x8"),
    Table(name="hastie", target="y", region="x0", strong="x1", weak="x2"),
)


def frame_of(table: Table, rows: int, data: Path, seed: int) -> pl.DataFrame:
    """Return so many rows of a table, drawn by a seed."""
    real = {
        "adult": "adult/adult.csv",
        "hours": "adult/adult.csv",
        "flights": "flights/flights.csv",
        "fraud": "ieee-cis/ieee-cis.parquet",
    }
    if table.name not in real:
        return _generated(table.name, rows, seed)
    file = data / real[table.name]
    frame = pl.read_parquet(file) if file.suffix == ".parquet" else pl.read_csv(file)
    if table.name == "fraud":
        frame = frame.select(frame.columns[1:2] + frame.columns[3:36])
        positive = frame["isFraud"] == 1
        frame = pl.concat([frame.filter(positive), frame.filter(~positive)[: 4 * positive.sum()]])
    if table.name == "flights":
        frame = frame.drop("time_hour", "tailnum", "flight")
    return frame.sample(rows, seed=seed, shuffle=True)


def _generated(name: str, rows: int, seed: int) -> pl.DataFrame:
    from sklearn import datasets

    draw = np.random.default_rng(seed)
    answers: Array
    if name == "friedman":
        inputs, answers = datasets.make_friedman1(rows, noise=1.0, random_state=seed)
    elif name == "hastie":
        inputs, answers = datasets.make_hastie_10_2(rows, random_state=seed)
        answers = np.where(answers > 0, "yes", "no")
    else:
        inputs = draw.normal(size=(rows, 10))
        score = inputs[:, 0] + 1.2 * inputs[:, 1] + 0.5 * inputs[:, 2] + inputs[:, 0] * inputs[:, 3]
        score = score + 0.1 * inputs[:, 9] + draw.logistic(size=rows)
        if name == "law":
            answers = np.where(score > 1.0, "yes", "no")
        else:
            answers = np.array(["low", "middle", "high"])[np.digitize(score, [-1.0, 1.2])]
    columns = {f"x{place}": inputs[:, place] for place in range(inputs.shape[1])}
    return pl.DataFrame({**columns, "y": answers})


def planted(table: Table, frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return the rows with suppliers, their faults, a column of noise and a copy of another."""
    draw = np.random.default_rng(seed)
    rows = frame.height
    region = frame[table.region].cast(pl.Float64).fill_null(strategy="mean").to_numpy()
    far = (region >= np.quantile(region, FAR)) & (draw.random(rows) < FROM_C)
    shares = np.array(list(SHARES.values())) / sum(SHARES.values())
    supplier = np.where(far, "C", draw.choice(list(SHARES), rows, p=shares))
    order = np.arange(rows)
    sources, copies = np.flatnonzero(supplier == "A"), np.flatnonzero(supplier == "D")
    order[copies] = draw.choice(sources, len(copies), replace=True)
    frame = frame[order]
    poisoned = np.flatnonzero(supplier == "B")
    answers = np.arange(rows)
    answers[poisoned] = draw.permutation(poisoned)
    copied = frame[table.region].cast(pl.Float64)
    spread = float(copied.to_numpy().std()) or 1.0
    noise = draw.normal(size=rows)
    return frame.with_columns(
        frame[table.target][answers],
        supplier=pl.Series(supplier),
        noise=pl.Series(noise[order]),
        copy=copied + pl.Series(draw.normal(size=rows)[order]) * 0.02 * spread,
    )


def things_of(table: Table) -> list[str]:
    """Return what is priced, as --without takes it."""
    suppliers = [f"supplier={name}" for name in "BCD"]
    return [*suppliers, table.strong, table.weak, "noise", "copy"]
