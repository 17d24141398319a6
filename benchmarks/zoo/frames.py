"""Tables of the zoo as frames: real ones, made ones, and one of shops with categories in it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.zoo.made import MADE, WORLD
from benchmarks.zoo.real import frame_of

FrameMaker = Callable[[int, int, Path | None], pl.DataFrame]
"""(how many rows, seed, folder of real data) → rows, the column to predict called TARGET."""

TARGET = "answer"
TABLE_NEEDS = {"census": "adult", "hours": "adult", "late": "flights", "fraud": "ieee-cis"}


def census(count: int, seed: int, data: Path | None) -> pl.DataFrame:
    return _drawn(frame_of(data, "adult/adult.csv").rename({"income": TARGET}), count, seed)


def hours(count: int, seed: int, data: Path | None) -> pl.DataFrame:
    """Hours worked a week: a number."""
    frame = frame_of(data, "adult/adult.csv").rename({"hours-per-week": TARGET})
    return _drawn(frame.drop("fnlwgt"), count, seed)


def late(count: int, seed: int, data: Path | None) -> pl.DataFrame:
    frame = frame_of(data, "flights/flights.csv").rename({"late": TARGET})
    return _drawn(frame.drop("time_hour", "tailnum", "flight"), count, seed)


def fraud(count: int, seed: int, data: Path | None) -> pl.DataFrame:
    frame = frame_of(data, "ieee-cis/ieee-cis.parquet").rename({"isFraud": TARGET})
    some = [TARGET, "TransactionAmt", "ProductCD", "card2", "card3", "card5", "addr1"]
    some += ["R_emaildomain", *(f"C{number}" for number in (1, 2, 5, 9, 13, 14))]
    return _drawn(frame.select(some), count, seed)


def of_rows(count: int, seed: int, _: Path | None, *, name: str) -> pl.DataFrame:
    """Return made rows of numbers as a frame."""
    rows = MADE[name](count, seed, None, Path())
    columns = {f"x{place}": rows.inputs[0][:, place].numpy() for place in range(rows.shape.inputs)}
    target = rows.target.numpy()
    if rows.has_classes:
        return pl.DataFrame({**columns, TARGET: [f"class {code}" for code in target]})
    return pl.DataFrame({**columns, TARGET: target[:, 0]})


def shops(
    count: int, seed: int, _: Path | None, *, noise: float = 1.0, task: str = "number"
) -> pl.DataFrame:
    """What a shop sells in a day, by its town, its kind, the weekday and the weather."""
    world, draw = np.random.default_rng(WORLD), np.random.default_rng(seed)
    towns, kinds, days = (world.normal(size=size) for size in (40, 8, 7))
    town, kind, day = (draw.integers(size, size=count) for size in (40, 8, 7))
    warm, price = draw.normal(size=count), draw.lognormal(size=count)
    sold = towns[town] + kinds[kind] + days[day] + np.where(kind < 3, warm, -warm)
    sold = sold - 0.5 * np.log(price) + noise * draw.normal(size=count)
    columns = {
        "town": [f"town {code}" for code in town],
        "shop": [f"kind {code}" for code in kind],
        "weekday": [f"day {code}" for code in day],
        "warm": warm.round(2),
        "price": price.round(2),
    }
    if task == "number":
        return pl.DataFrame({**columns, TARGET: sold.round(3)})
    return pl.DataFrame({**columns, TARGET: np.where(sold > 0.5, "good", "poor")})


def _drawn(frame: pl.DataFrame, count: int, seed: int) -> pl.DataFrame:
    return frame.sample(count, seed=seed, shuffle=True)


FRAMES: dict[str, FrameMaker] = {
    "census": census,
    "hours": hours,
    "late": late,
    "fraud": fraud,
    "shops": shops,
    "shops-noisy": partial(shops, noise=2.5),
    "shops-classes": partial(shops, task="classes"),
    **{
        name: partial(of_rows, name=name)
        for name in (
            *("product", "spirals", "rings", "blobs", "blobs-apart", "chances", "chances-hard"),
            *("chances-rare", "friedman", "friedman-noisy", "waves", "straight"),
        )
    },
}
