"""Hashes of rows and values that stay the same over versions, processors and column orders."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_GOLDEN = 0x9E3779B97F4A7C15
_MISSING = np.uint64(0x6D697373696E6721)


def hash_text(text: str, seed: int = 0) -> int:
    """Return 64 bits that depend on the text and the seed alone."""
    key = (seed & ((1 << 64) - 1)).to_bytes(8, "little")
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8, key=key).digest(), "little")


def mixed(numbers: Hashes) -> Hashes:
    """Scatter uint64 [N] over all 64 bits, one to one.

    Source: Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators (2014): the
    finalizer of SplitMix64.
    """
    scattered = numbers + np.uint64(_GOLDEN)
    scattered ^= scattered >> np.uint64(30)
    scattered *= np.uint64(0xBF58476D1CE4E5B9)
    scattered ^= scattered >> np.uint64(27)
    scattered *= np.uint64(0x94D049BB133111EB)
    scattered ^= scattered >> np.uint64(31)
    return scattered


def hash_values(values: pl.Series) -> Hashes:
    """Return uint64 [N]: equal values give equal hashes, 3 and 3.0 alike, missing ones too."""
    if values.dtype in (pl.Date, pl.Datetime):
        values = values.cast(pl.Datetime("us")).dt.epoch("us")
    if values.dtype.is_numeric() or values.dtype in (pl.Boolean, pl.Duration, pl.Time):
        return _hash_numbers(values)
    if values.dtype == pl.Null:
        return np.full(values.len(), mixed(np.array([_MISSING]))[0])
    return _hash_texts(values)


def _hash_numbers(values: pl.Series) -> Hashes:
    if values.dtype in (pl.Duration, pl.Time):
        values = values.cast(pl.Int64)
    floats = values.cast(pl.Float64).to_numpy()  # a missing number is NaN
    bits = (floats + 0.0).view(np.uint64)  # + 0.0 turns -0.0 into 0.0
    return mixed(np.where(np.isnan(floats), _MISSING, bits))


def _hash_texts(values: pl.Series) -> Hashes:
    """Hash each different text once, in Python, and spread the result over the rows."""
    if values.dtype not in (pl.String, pl.Categorical, pl.Enum):
        values = pl.Series(
            [None if v is None else str(v) for v in values.to_list()], dtype=pl.String
        )
    text = values.cast(pl.String).rename("text")
    known = text.drop_nulls().unique()
    table = pl.DataFrame(
        {"text": known, "hash": pl.Series([hash_text(t) for t in known], dtype=pl.UInt64)}
    )
    joined = text.to_frame().join(table, on="text", how="left", maintain_order="left")
    return mixed(joined["hash"].fill_null(int(_MISSING)).to_numpy())


def hash_rows(frame: pl.DataFrame, seed: int = 0) -> Hashes:
    """Return uint64 [N] of what rows hold, whatever the order of rows and columns."""
    total = np.zeros(frame.height, np.uint64)
    for column in frame.iter_columns():
        total += mixed(hash_values(column) ^ np.uint64(hash_text(column.name, seed)))
    return mixed(total)
