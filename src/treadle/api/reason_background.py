"""What a model keeps so that it can give reasons: rows to compare with, and what is usual."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.data.alike import groups_of
from treadle.data.cells import typed_cells
from treadle.folder import RunFolder
from treadle.serve.background import FACTS, ROWS, Background, columns_of, places_of

if TYPE_CHECKING:
    from treadle.api.table_data import TableData

Array: TypeAlias = NDArray[Any]

ROWS_A_SLICE, NUM_SLICES = 16, 4
MOST_ROWS_LOOKED_AT = 10_000
ROWS_FOR_TIES = 2_000
DRAWS = 100
_YEARS = (1500, 2200)


def keep_background(place: RunFolder, data: TableData) -> Background:
    """Write what reasons need below model/, and return what is said there."""
    import torch
    from safetensors.torch import save_file

    train = data.split.train
    looked_at = np.sort(np.random.default_rng(0).permutation(len(train))[:MOST_ROWS_LOOKED_AT])
    typed, _ = typed_cells(data.frame[train[looked_at]], data.schema)
    facts = background_facts(typed.select(columns_of(data.encoder)))
    arrays = {name: data.parts["train"][name][looked_at] for name in ("numbers", "categories")}
    mixes = usual_mixes(arrays, places_of(facts.groups, data.encoder))
    save_file({name: torch.from_numpy(array) for name, array in mixes.items()}, place.path / ROWS)
    keep_facts(place, facts)
    return facts


def keep_facts(place: RunFolder, facts: Background) -> None:
    """Write what is said of the rows beside them."""
    place.write_json(FACTS, facts.model_dump(mode="json"))


def background_facts(typed: pl.DataFrame) -> Background:
    """Return which columns go together and what is usual. typed: train rows as their columns are"""
    numbers = [series for series in typed.iter_columns() if series.dtype == pl.Float64]
    return Background(
        groups=tuple(tuple(group) for group in groups_of(_some(typed))),
        usual={series.name: _usual(series) for series in typed.iter_columns()},
        years=tuple(series.name for series in numbers if _are_years(series)),
    )


def usual_mixes(
    arrays: dict[str, Array], groups: dict[str, Array], num_slices: int = NUM_SLICES
) -> dict[str, Array]:
    """Return K rows in which each group of columns takes its values as evenly as K can.

    groups: name of an array → the group of each of its columns, int64
    A group's K values lie at the middles of K equal parts of the train rows, in an order of its
    own: a Latin hypercube. So few rows stand for all, and those of two trainings are nearly equal.
    Each 16 of the rows, one slice after another, are nearly such a hypercube themselves: whoever
    can afford no more takes the first slice. Of fewer rows than that there is one slice.
    Source: McKay, Beckman and Conover, A Comparison of Three Methods for Selecting Values of Input
    Variables, 1979; Qian, Sliced Latin Hypercube Designs, 2012.
    """
    count = len(arrays["numbers"])
    num_slices = num_slices if count >= num_slices * ROWS_A_SLICE else 1
    num_groups = 1 + max(int(of.max()) for of in groups.values() if len(of))
    levels = _sliced_levels(num_groups, min(ROWS_A_SLICE, count), num_slices)
    middles = ((np.arange(levels.shape[1]) + 0.5) / levels.shape[1] * count).astype(np.int64)
    found = {name: np.empty((len(middles), a.shape[1]), a.dtype) for name, a in arrays.items()}
    for group in range(num_groups):
        columns = {name: np.flatnonzero(of == group) for name, of in groups.items()}
        keys = [arrays[name][:, place] for name, places in columns.items() for place in places]
        rows = np.lexsort(keys[::-1])[middles][levels[group]]
        for name, places in columns.items():
            found[name][:, places] = arrays[name][rows][:, places]
    return found


def _sliced_levels(num_groups: int, num_rows: int, num_slices: int) -> Array:
    """Return which of its values each group takes in each row, int64 [G, rows × slices].

    Where a slice stands in one of its `num_rows` parts is drawn, but for the first: it stands near
    the middle.
    """
    draw = np.random.default_rng(1)
    near = [num_slices // 2 - 1, num_slices // 2] if num_slices > 1 else [0]
    within = np.empty((num_groups, num_rows, num_slices), np.int64)
    for part in within.reshape(-1, num_slices):
        first = draw.choice(near)
        part[0] = first
        part[1:] = draw.permutation(np.delete(np.arange(num_slices), first))
    slices = []
    for number in range(num_slices):
        orders = _spread_orders(num_groups, num_rows, number)
        place = np.take_along_axis(within[:, :, number], orders, axis=1)
        slices.append(orders * num_slices + place)
    return np.concatenate(slices, axis=1)


def _spread_orders(num_groups: int, num_rows: int, seed: int) -> Array:
    """Return an order of K values for each group, int64 [G, K]: of many draws the least alike."""
    draw = np.random.default_rng(seed)

    def alike(orders: Array) -> float:
        if num_rows < 2 or num_groups < 2:
            return 0.0
        return float((np.corrcoef(orders) ** 2).sum())

    draws = [
        np.array([draw.permutation(num_rows) for _ in range(num_groups)]) for _ in range(DRAWS)
    ]
    return min(draws, key=alike)


def _some(typed: pl.DataFrame) -> pl.DataFrame:
    """Return rows from all over the table, as many as ties between columns need."""
    return typed.gather_every(max(1, typed.height // ROWS_FOR_TIES))


def _usual(series: pl.Series) -> float | str | None:
    filled = series.drop_nulls()
    if series.dtype == pl.Float64:
        filled = filled.filter(filled.is_finite())
    if 2 * filled.len() < series.len() or not filled.len():
        return None
    if series.dtype == pl.String:
        counts = filled.rename("value").value_counts(name="rows")
        return str(counts.sort(["rows", "value"], descending=[True, False])["value"][0])
    middle = filled.sort()[filled.len() // 2]
    return float(middle) if series.dtype == pl.Float64 else middle.isoformat()


def _are_years(series: pl.Series) -> bool:
    filled = series.drop_nulls()
    low, high = _YEARS
    whole = bool((filled == filled.round()).all()) and filled.len() > 0
    return whole and bool(filled.is_between(low, high).all())
