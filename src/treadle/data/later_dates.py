"""Dates that lie after the moment a row is about: nobody could know them then."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from treadle.data.cells import typed_cells
from treadle.data.columns import Schema
from treadle.data.leak import Leak

_LATER = 0.8
_FEWEST_FILLED = 20


def find_later_dates(rows: pl.DataFrame, schema: Schema, time: str, measure: str) -> Iterator[Leak]:
    """Yield the date columns whose moments mostly lie after the row's own time."""
    typed, _ = typed_cells(rows, schema)
    if time not in typed.columns or typed.schema[time] != pl.Datetime("us"):
        return
    for column in schema.used():
        if column.kind != "date" or column.name == time:
            continue
        later = (typed[column.name] > typed[time]).drop_nulls()
        if later.len() < _FEWEST_FILLED or float(later.mean() or 0.0) < _LATER:  # type: ignore[arg-type]
            continue
        share = float(later.mean() or 0.0)  # type: ignore[arg-type]
        yield Leak(
            kind="after_event",
            columns=(column.name,),
            measure=measure,
            score=share,
            said=f"'{column.name}' lies after the row's own time '{time}' in {100 * share:.3g} of "
            "100 rows: unless it was planned ahead, nobody could know it then",
            action=f"if it is not known at '{time}': --ignore {column.name}",
            more={"later": share},
        )
