"""Rows of real data as tensors: scikit-learn's own sets, and those of a folder of data sets.

What takes long to read (photos) is read once and kept in the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from benchmarks.zoo.networks import Shape
from benchmarks.zoo.rows import Maker, Rows, shuffled, table_rows

NEEDS = {
    "adult": "adult",
    "adult-looked": "adult",
    "adult-hours": "adult",
    "flights": "flights",
    "fraud": "ieee-cis",
    "ratings": "ml-100k",
    "cells": "elpv",
    "tiles": "tile",
}
"""Which of these rows need which folder of real data."""


def bundled(count: int, seed: int, _: Path | None, __: Path, *, name: str) -> Rows:
    """Return rows of one of scikit-learn's own tables, inputs of mean 0 and spread 1."""
    from sklearn import datasets

    found = getattr(datasets, f"load_{name}")()
    x_NF = found.data.astype(np.float32)
    target = torch.from_numpy(found.target)
    if name == "diabetes":
        target = (target.float() - target.float().mean()) / target.float().std()
    return shuffled(table_rows(_scaled(x_NF), target), count, seed)


def digits(count: int, seed: int, _: Path | None, __: Path) -> Rows:
    """Return photos of digits, float32 [N, 1, 8, 8]."""
    from sklearn.datasets import load_digits

    found = load_digits()
    photos = torch.from_numpy(found.images.astype(np.float32))[:, None] / 8 - 1
    shape = Shape(inputs=1, outputs=10, side=8)
    rows = Rows(inputs=(photos,), target=torch.from_numpy(found.target), shape=shape)
    return shuffled(rows, count, seed)


def digits_again(count: int, seed: int, data: Path | None, cache: Path) -> Rows:
    """Return digits whose target is the photo itself, [N, 64]."""
    flat = digits(count, seed, data, cache).inputs[0].flatten(1)
    return table_rows(flat, flat)


def adult(count: int, seed: int, data: Path | None, _: Path) -> Rows:
    frame = frame_of(data, "adult/adult.csv")
    names = [name for name in frame.columns if name not in ("income", "fnlwgt")]
    x_NF = _encoded(frame.select(names))
    target = torch.from_numpy((frame["income"] == ">50K").to_numpy().astype(np.int64))
    return shuffled(table_rows(x_NF, target), count, seed)


def adult_hours(count: int, seed: int, data: Path | None, _: Path) -> Rows:
    """Hours worked a week from the rest: a number that little tells of."""
    frame = frame_of(data, "adult/adult.csv")
    x_NF = _encoded(frame.drop("hours-per-week", "fnlwgt", "income"))
    hours = frame["hours-per-week"].to_numpy().astype(np.float32)
    target = torch.from_numpy((hours - hours.mean()) / hours.std())
    return shuffled(table_rows(x_NF, target), count, seed)


def adult_looked(count: int, seed: int, data: Path | None, _: Path) -> Rows:
    """Numbers float32 [N, F] and codes int64 [N, C], for a network with embeddings."""
    frame = frame_of(data, "adult/adult.csv").drop("fnlwgt")
    texts = [name for name, kind in frame.schema.items() if kind == pl.String and name != "income"]
    codes = np.stack([frame[n].cast(pl.Categorical).to_physical().to_numpy() for n in texts], 1)
    numbers = frame.drop(*texts, "income").to_numpy().astype(np.float32)
    target = torch.from_numpy((frame["income"] == ">50K").to_numpy().astype(np.int64))
    words = tuple(int(size) + 1 for size in codes.max(0))
    shape = Shape(inputs=numbers.shape[1], outputs=2, words=words)
    inputs = (_scaled(numbers), torch.from_numpy(codes.astype(np.int64)))
    return shuffled(Rows(inputs=inputs, target=target, shape=shape), count, seed)


def flights(count: int, seed: int, data: Path | None, _: Path) -> Rows:
    frame = frame_of(data, "flights/flights.csv").drop("tailnum", "flight", "time_hour")
    x_NF = _encoded(frame.drop("late", "dest"))
    target = torch.from_numpy(frame["late"].to_numpy().astype(np.int64))
    return shuffled(table_rows(x_NF, target), count, seed)


def fraud(count: int, seed: int, data: Path | None, _: Path) -> Rows:
    """Card payments, few of them fraud: amounts are taken by their logarithm."""
    frame = frame_of(data, "ieee-cis/ieee-cis.parquet")
    names = [name for name in frame.columns if frame[name].dtype.is_numeric()]
    left_out = ("isFraud", "TransactionID", "TransactionDT")
    x_NF = frame.select([name for name in names if name not in left_out]).to_numpy()
    with np.errstate(invalid="ignore"):
        x_NF = np.sign(x_NF) * np.log1p(np.abs(x_NF))
    target = torch.from_numpy(frame["isFraud"].to_numpy().astype(np.int64))
    return shuffled(table_rows(_scaled(x_NF), target), count, seed)


def ratings(count: int, seed: int, data: Path | None, _: Path) -> Rows:
    """Who gave which film how many stars: the 30,000 first ratings."""
    frame = frame_of(data, "ml-100k/events.csv").sort("time").head(30_000)
    codes = [frame[name].rank("dense").to_numpy().astype(np.int64) - 1 for name in ("user", "item")]
    stars = torch.from_numpy(frame["rating"].to_numpy().astype(np.float32))[:, None] - 3.5
    shape = Shape(outputs=1, words=tuple(int(code.max()) + 1 for code in codes))
    inputs = tuple(torch.from_numpy(code) for code in codes)
    return shuffled(Rows(inputs=inputs, target=stars, shape=shape), count, seed)


def photos(
    count: int, seed: int, data: Path | None, cache: Path, *, name: str, side: int = 24
) -> Rows:
    """Return photos made small and grey, float32 [N, 1, side, side], scaled one by one."""
    assert data is not None
    values, target = _small_photos(data / NEEDS[name], cache / f"{name}-{side}.npz", side)
    shape = Shape(inputs=1, outputs=int(target.max()) + 1, side=side)
    rows = Rows(
        inputs=(torch.from_numpy(values)[:, None],), target=torch.from_numpy(target), shape=shape
    )
    return shuffled(rows, count, seed)


@lru_cache
def _small_photos(
    folder: Path, cached: Path, side: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    if not cached.exists():
        from PIL import Image

        top = folder / "images" if (folder / "images").is_dir() else folder
        classes = sorted(path.name for path in top.iterdir() if path.is_dir())
        paths = [
            (code, path) for code, name in enumerate(classes) for path in (top / name).iterdir()
        ]
        values = np.stack([_small(Image.open(path), side) for _, path in sorted(paths)])
        cached.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cached, values=values, target=np.array([code for code, _ in sorted(paths)]))
    found = np.load(cached)
    return found["values"], found["target"].astype(np.int64)


def _small(photo: object, side: int) -> NDArray[np.float32]:
    grey = np.asarray(photo.convert("L").resize((side, side)), dtype=np.float32)  # type: ignore[attr-defined]
    return ((grey - grey.mean()) / (grey.std() + 1e-3)).astype(np.float32)


@lru_cache
def frame_of(data: Path | None, name: str) -> pl.DataFrame:
    """Return a data set: 40,000 rows spread over all of it."""
    assert data is not None
    path = data / name
    frame = (
        pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, null_values="NA")
    )
    return frame if name.startswith("ml-") else frame.sample(min(40_000, len(frame)), seed=1)


def _encoded(frame: pl.DataFrame) -> torch.Tensor:
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    dummies = frame.select(texts).to_dummies().to_numpy().astype(np.float32)
    numbers = _scaled(frame.drop(texts).to_numpy())
    return torch.cat([numbers, torch.from_numpy(dummies[:, dummies.mean(0) > 0.01])], dim=1)


def _scaled(x_NF: NDArray[np.floating]) -> torch.Tensor:
    """Return mean 0, spread 1, at most ± 5; what is missing becomes 0."""
    with np.errstate(invalid="ignore"):
        scaled = (x_NF - np.nanmean(x_NF, 0)) / (np.nanstd(x_NF, 0) + 1e-6)
    return torch.from_numpy(np.nan_to_num(scaled.clip(-5, 5)).astype(np.float32))


def _named(names: Sequence[str]) -> dict[str, Maker]:
    return {name: partial(bundled, name=name) for name in names}


REAL: dict[str, Maker] = {
    **_named(("iris", "wine", "breast_cancer", "diabetes")),
    "digits": digits,
    "digits-again": digits_again,
    "adult": adult,
    "adult-hours": adult_hours,
    "adult-looked": adult_looked,
    "flights": flights,
    "fraud": fraud,
    "ratings": ratings,
    "cells": partial(photos, name="cells"),
    "tiles": partial(photos, name="tiles"),
}
