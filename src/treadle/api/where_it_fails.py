"""Where a model answers worst, with examples: looked for among validation rows, told in a report.

Test rows are not looked at for this: who mends what they show has chosen by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.contracts import Json
from treadle.data.cells import typed_cells
from treadle.study.slices import Slice, worst_slices

if TYPE_CHECKING:
    from treadle.api.answers import Answers
    from treadle.api.table_data import TableData

Array: TypeAlias = NDArray[Any]

MOST_ROWS = 30_000
FEWEST_ROWS = 80
SHOWN_EXAMPLES = 3
SHOWN_COLUMNS = 6
LONGEST_CELL = 60
NORMAL_95 = 1.96


def where_a_table_fails(data: TableData, answers: Answers, goes_by: Sequence[str]) -> Json:
    """Return findings.json's "fails" for a table; nothing of fewer than 80 validation rows.

    goes_by: columns by how much the model needs them, the first most: which an example shows
    """
    truth, said = data.truth("validation"), answers.said_validation
    rows = data.rows("validation")
    some = _some(len(truth))
    cells, _ = typed_cells(rows[some], data.schema)
    is_number = data.target.task == "number"
    off = np.abs(said - truth)[some] if is_number else (said != truth)[some].astype(np.float64)
    found = worst_parts(cells.select(~pl.selectors.datetime()), off)
    if found is None:
        return {}
    sure = off if is_number else off * (1 - _chance_of(answers.validation[some], truth[some]))
    names = list(cells.columns)
    order = [name for name in goes_by if name in names]
    numbers = data.places[data.split.validation[some]] + 1

    def example(place: int, columns: Sequence[str]) -> Json:
        row = rows.row(int(some[place]), named=True)
        shown = list(dict.fromkeys([*columns, *order, *names]))[:SHOWN_COLUMNS]
        return {
            "row": int(numbers[place]),
            "true": _answer(data, truth[some[place]]),
            "said": _answer(data, said[some[place]]),
            "cells": {name: _cell(row[name]) for name in shown},
        }

    return told(found, off, sure, example, is_number=is_number) | {"target": data.target.column}


def worst_parts(cells: pl.DataFrame, off: Array) -> list[Slice] | None:
    """Return the parts where answers are worst; None where there are too few rows to look at."""
    if len(off) < FEWEST_ROWS or float(off.std()) == 0.0:
        return None
    return worst_slices(cells, off)


def told(
    found: Sequence[Slice],
    off: Array,
    sure: Array,
    example: Any,
    *,
    is_number: bool,
    shown: int = SHOWN_EXAMPLES,
) -> Json:
    """Return the parts as findings.json has them, with the worst examples of each.

    off:     how far off each row's answer is; sure: the same, with how sure the answer was
    example: (place, columns) → one example's record; shown: how many of each part
    """
    low, high = _interval(off)
    return {
        "rows": len(off),
        "unit": "distance" if is_number else "share",
        "mean": float(off.mean()),
        "low": low,
        "high": high,
        "parts": [_part(part, off, sure, example, shown) for part in found],
        "examples": [example(place, ()) for place in _worst(np.arange(len(off)), off, sure, shown)],
    }


def _part(part: Slice, off: Array, sure: Array, example: Any, shown: int) -> Json:
    low, high = _interval(off[part.rows])
    worst = _worst(part.rows, off, sure, shown)
    return {
        "where": part.where,
        "columns": list(part.columns),
        "rows": len(part.rows),
        "mean": part.mean,
        "low": low,
        "high": high,
        "rest": part.rest,
        "examples": [example(place, part.columns) for place in worst],
    }


def _worst(rows: Array, off: Array, sure: Array, shown: int) -> list[int]:
    """Return the rows whose answers are furthest off, those said with most certainty first."""
    wrong = rows[off[rows] > 0]
    return [int(row) for row in wrong[np.argsort(-sure[wrong], kind="stable")][:shown]]


def _interval(off: Array) -> tuple[float, float]:
    """Return the 95 % interval of a mean; of shares Wilson's, which stays within 0 and 1.

    Source: Wilson, Probable inference, the law of succession, and statistical inference, 1927.
    """
    count, mean = len(off), float(off.mean())
    if not np.isin(off, (0.0, 1.0)).all():
        half = NORMAL_95 * float(off.std(ddof=1)) / count**0.5
        return max(mean - half, 0.0), mean + half
    z = NORMAL_95**2 / count
    middle = (mean + z / 2) / (1 + z)
    half = NORMAL_95 * (mean * (1 - mean) / count + z / (4 * count)) ** 0.5 / (1 + z)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _some(count: int) -> Array:
    """Return the rows to look at, in their order: all of them, or 30,000 drawn at random."""
    if count <= MOST_ROWS:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).permutation(count)[:MOST_ROWS])


def _chance_of(chances: Array, truth: Array) -> Array:
    found: Array = chances[np.arange(len(truth)), truth]
    return found


def _answer(data: TableData, value: Any) -> Any:
    return float(value) if data.target.task == "number" else str(data.target.classes[int(value)])


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return str(value)[:LONGEST_CELL]
