"""Small sound tables to spoil: what a test changes is then all that is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl


def sound(rows: int = 120, seed: int = 0) -> pl.DataFrame:
    """Two numbers, a colour, and an answer that follows from the first number."""
    random = np.random.default_rng(seed)
    size, other = random.normal(size=rows), random.normal(size=rows)
    answer = np.where(size + 0.5 * random.normal(size=rows) > 0, "yes", "no")
    return pl.DataFrame(
        {
            "size": size.round(3),
            "other": other.round(3),
            "colour": random.choice(["red", "green", "blue"], rows),
            "y": answer,
        }
    )


def with_number(rows: int = 120) -> pl.DataFrame:
    """The same with a number to predict."""
    return sound(rows).with_columns(y=(3 * pl.col("size") + pl.col("other")).round(3))


def changed(frame: pl.DataFrame, column: str, cells: dict[int, str]) -> pl.DataFrame:
    """Write other cells into a column, which becomes text."""
    old = frame[column].cast(pl.String).to_list()
    return frame.with_columns(
        pl.Series(column, [cells.get(row, cell) for row, cell in enumerate(old)])
    )


def lines(frame: pl.DataFrame) -> list[str]:
    return frame.write_csv().splitlines()


def write(place: Path, name: str, content: str | bytes | Iterable[str] | pl.DataFrame) -> Path:
    """Write a file of text, bytes, lines or rows and return it."""
    path = place / name
    if isinstance(content, pl.DataFrame):
        content.write_csv(path)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        text = content if isinstance(content, str) else "\n".join(content) + "\n"
        path.write_text(text, encoding="utf-8", newline="")
    return path
