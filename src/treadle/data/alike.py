"""Columns that tell nearly the same: what moves one of them moves the other too.

Where a model has twins it may go by either, and by the other after the next training. Named
together they keep their place.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

ALIKE_FROM = 0.8
_MOST_VALUES = 30
_FEWEST_ROWS = 20
_NOTHING = 1e-9


def groups_of(typed: pl.DataFrame, from_: float = ALIKE_FROM) -> list[list[str]]:
    """Return the columns in groups, in their order: in a group each is strongly tied to each other.

    typed: train rows as `typed_cells` gives them
    Two numbers or dates: the size of Spearman's rank correlation. A number and a category: the
    correlation ratio of the number's ranks. Two categories: Cramér's V. The latter two without
    their bias. Each over the rows that hold both.
    Source: Spearman 1904; Kelley, An Unbiased Correlation Ratio Measure, 1935; Bergsma, A
    bias-correction for Cramér's V and Tschuprow's T, 2013.
    """
    names = typed.columns
    ties = _ties(typed)
    groups: list[list[int]] = []
    for place in range(len(names)):
        near = (group for group in groups if min(ties[place, one] for one in group) >= from_)
        group = next(near, None)
        if group is None:
            groups.append([place])
        else:
            group.append(place)
    return [[names[place] for place in group] for group in groups]


def _ties(typed: pl.DataFrame) -> Array:
    """Return how strongly each two columns are tied, float64 [C, C] in 0 … 1."""
    texts = [place for place, dtype in enumerate(typed.dtypes) if dtype == pl.String]
    others = [place for place in range(typed.width) if place not in texts]
    ties = np.eye(typed.width)
    codes = {place: _codes(typed.to_series(place)) for place in texts}
    if others:
        ranks = np.column_stack([_ranks(typed.to_series(place)) for place in others])
        ties[np.ix_(others, others)] = _spearman(ranks)
        for place in texts:
            ties[place, others] = ties[others, place] = _ratio(codes[place], ranks)
    for one, other in combinations(texts, 2):
        ties[one, other] = ties[other, one] = _cramer(codes[one], codes[other])
    return ties


def _codes(series: pl.Series) -> Array:
    """Return int64 [N]: the frequent values, the others as one, −1 for none."""
    counts = series.drop_nulls().rename("value").value_counts(name="rows")
    kept = counts.sort(["rows", "value"], descending=[True, False])["value"].head(_MOST_VALUES)
    if not kept.len():
        return np.full(series.len(), -1, np.int64)
    coded = series.replace_strict(
        kept.to_list(), list(range(kept.len())), default=kept.len(), return_dtype=pl.Int64
    )
    return coded.set(series.is_null(), -1).to_numpy()


def _ranks(series: pl.Series) -> Array:
    """Return ranks in −1 … 1, float64 [N], ties sharing the mean of theirs; NaN for no number."""
    if series.dtype == pl.Datetime:
        series = series.dt.epoch("us")
    values = series.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    known = np.isfinite(values)
    _, back, counts = np.unique(values[known], return_inverse=True, return_counts=True)
    middles = np.cumsum(counts) - (counts + 1) / 2
    found = np.full(len(values), np.nan)
    found[known] = 2 * middles[back.reshape(-1)] / max(1, int(known.sum()) - 1) - 1
    return found


def _spearman(ranks: Array) -> Array:
    """Return |correlation| of each two columns over the rows that hold both, [F, F]."""
    known = np.isfinite(ranks).astype(np.float64)
    filled = np.where(known > 0, ranks, 0.0)
    rows = known.T @ known
    sums, squares = filled.T @ known, (filled * filled).T @ known
    together = filled.T @ filled - sums * sums.T / np.maximum(rows, 1)
    spread = squares - sums * sums / np.maximum(rows, 1)
    scale = np.sqrt(np.maximum(spread * spread.T, 0.0))
    sound = (rows >= _FEWEST_ROWS) & (scale > _NOTHING)
    found: Array = np.where(sound, np.abs(together) / np.where(sound, scale, 1.0), 0.0)
    return np.minimum(found, 1.0)


def _ratio(codes: Array, ranks: Array) -> Array:
    """Return the correlation ratio of each column of ranks by one category, [F]."""
    known = np.isfinite(ranks) & (codes >= 0)[:, None]
    filled = np.where(known, ranks, 0.0)
    of_value = (codes[:, None] == np.arange(codes.max() + 1)).astype(np.float64)
    counts, sums = of_value.T @ known, of_value.T @ filled
    rows, groups = counts.sum(axis=0), (counts > 0).sum(axis=0)
    overall = filled.sum(axis=0) ** 2 / np.maximum(rows, 1)
    whole = (filled * filled).sum(axis=0) - overall
    between = (sums * sums / np.maximum(counts, 1)).sum(axis=0) - overall
    sound = (rows >= _FEWEST_ROWS) & (rows > groups) & (whole > _NOTHING)
    within = 1 - between / np.where(sound, whole, 1.0)
    free = (rows - 1) / np.maximum(rows - groups, 1)
    found: Array = np.where(sound, np.sqrt(np.clip(1 - within * free, 0.0, 1.0)), 0.0)
    return found


def _cramer(one: Array, other: Array) -> float:
    both = (one >= 0) & (other >= 0)
    rows = int(both.sum())
    if rows < _FEWEST_ROWS:
        return 0.0
    width = int(other.max()) + 1
    flat = np.bincount(one[both] * width + other[both], minlength=(int(one.max()) + 1) * width)
    table = flat.reshape(-1, width)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    if min(table.shape) < 2:
        return 0.0
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / rows
    phi = float(((table - expected) ** 2 / expected).sum()) / rows
    height, width = table.shape
    phi = max(0.0, phi - (height - 1) * (width - 1) / (rows - 1))
    least = min(size - (size - 1) ** 2 / (rows - 1) for size in (height, width)) - 1
    return float(min(1.0, np.sqrt(phi / least))) if least > _NOTHING else 0.0
