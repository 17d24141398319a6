"""Small data with something to learn in it, for fits that take a second."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl


def customers(rows: int = 240, seed: int = 1) -> pl.DataFrame:
    """Mixed columns, some cells missing; who left follows from age, city and income."""
    random = np.random.default_rng(seed)
    age = random.integers(18, 80, rows)
    income = random.lognormal(10, 0.5, rows).round(2)
    city = random.choice(["Berlin", "Oslo", "Paris", "Rome"], rows)
    score = (age - 45) / 10 + (city == "Rome") * 2 - (income > 25_000) * 1.5
    left = score + random.normal(0, 0.7, rows) > 0.8
    frame = pl.DataFrame(
        {
            "customer": [f"C{number:05}" for number in range(rows)],
            "age": age,
            "income": income,
            "city": city,
            "since": [date(2020, 1, 1) + timedelta(days=int(d)) for d in np.arange(rows) * 3],
            "paid": (age * 10.5 + random.normal(0, 20, rows)).round(2),
            "left": np.where(left, "yes", "no"),
        }
    )
    gone = pl.Series(random.random(rows) < 0.1)
    return frame.with_columns(income=pl.when(gone).then(None).otherwise(pl.col("income")))


def european(frame: pl.DataFrame, path: Path) -> Path:
    """Write a table as a German Excel does: semicolons, decimal commas, day-first dates."""
    numbers = [name for name, kind in frame.schema.items() if kind == pl.Float64]
    text = frame.with_columns(
        pl.col("since").dt.strftime("%d.%m.%Y"),
        *(pl.col(name).cast(pl.String).str.replace(".", ",", literal=True) for name in numbers),
    )
    text.write_csv(path, separator=";")
    return path


def photos(folder: Path, each: int = 14) -> Path:
    """Write noisy squares of three colours, a sub-folder for each."""
    from PIL import Image

    random = np.random.default_rng(2)
    for name, colour in {"red": 0, "green": 1, "blue": 2}.items():
        (folder / name).mkdir(parents=True)
        for number in range(each):
            pixels = random.normal(90, 60, (48, 48, 3))
            pixels[..., colour] += 90
            image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            image.save(folder / name / f"{number:02}.png")
    return folder


def purchases(users: int = 120, items: int = 30, seed: int = 3) -> pl.DataFrame:
    """Users who mostly take the next item of a series, in the order of time."""
    random = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        seconds, item = float(random.uniform(0, 1e7)), int(random.integers(items))
        for _ in range(int(random.integers(5, 14))):
            rows.append((f"u{user}", f"i{item}", 1_600_000_000 + round(seconds)))
            follows = random.random() < 0.8
            item = (item + 1) % items if follows else int(random.integers(items))
            seconds += float(random.exponential(200_000))
    return pl.DataFrame(rows, schema=["user", "item", "time"], orient="row").sort("time")
