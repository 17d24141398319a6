"""A table for the trees: float numbers and category codes, from a file or made from a seed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.speed.data import Spec

UNSEEN, MISSING = 0, 1  # the codes that Treadle keeps for both


class TreeTable(NamedTuple):
    """numbers float32 [N, F], missing as NaN; categories int64 [N, C]; target bool [N]."""

    numbers: NDArray[np.float32]
    categories: NDArray[np.int64]
    cardinalities: tuple[int, ...]
    target: NDArray[np.bool_]

    def matrix(self) -> NDArray[np.float32]:
        """Return numbers and codes side by side, float32 [N, F + C], as LightGBM takes them."""
        return np.concatenate([self.numbers, self.categories.astype(np.float32)], axis=1)


def table(spec: Spec) -> TreeTable:
    """Return the table that spec names: `path`, `target`, `ignored`; or a made one without."""
    if not spec.get("path"):
        return _made(spec)
    frame = pl.read_parquet(spec["path"]).drop(spec["ignored"]).head(spec["rows"])
    target = frame[spec["target"]].to_numpy().astype(bool)
    frame = frame.drop(spec["target"])
    words = [name for name, kind in frame.schema.items() if kind == pl.String]
    codes = [_codes(frame[name]) for name in words]
    numbers = frame.drop(words).cast(pl.Float32).fill_null(np.nan).to_numpy()
    cardinalities = tuple(int(column.max()) + 1 for column in codes)
    return TreeTable(np.ascontiguousarray(numbers), np.stack(codes, 1), cardinalities, target)


def _codes(words: pl.Series) -> NDArray[np.int64]:
    names = words.drop_nulls().unique().sort()
    places = dict(zip(names, range(MISSING + 1, len(names) + MISSING + 1), strict=True))
    found = words.replace_strict(places, default=MISSING, return_dtype=pl.Int64)
    return found.fill_null(MISSING).to_numpy()


def _made(spec: Spec) -> TreeTable:
    draw = np.random.default_rng(spec["seed"])
    rows, columns, cardinalities = spec["rows"], 80, (8, 60, 400)
    numbers = draw.standard_normal((rows, columns), dtype=np.float32)
    categories = np.stack([draw.integers(2, size, rows) for size in cardinalities], 1)
    score = numbers[:, 0] * numbers[:, 1] + numbers[:, 2] + (categories[:, 1] % 7 == 0)
    numbers[draw.random(numbers.shape) < 0.2] = np.nan
    target = score + draw.standard_normal(rows) > 3.5
    return TreeTable(numbers, categories, cardinalities, target)
