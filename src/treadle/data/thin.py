"""Parts of a table too thin to learn from or to judge: values that hardly any row has."""

from __future__ import annotations

import polars as pl

from treadle.data.cells import typed_cells
from treadle.data.columns import Schema
from treadle.data.finding import Finding

_FEW_ROWS = 20
_MOST_VALUES = 40
_FEWEST_ROWS = 400
_SHOWN = 4


def thin_parts(train: pl.DataFrame, schema: Schema) -> list[Finding]:
    """Return a finding on values of categories that fewer than 20 rows of training have.

    Columns of more than 40 values are passed over: rare ones are their nature.
    """
    if train.height < _FEWEST_ROWS:
        return []
    typed, _ = typed_cells(train, schema)
    thin: list[tuple[int, str, str]] = []
    for column in schema.used():
        if column.kind != "category" or typed[column.name].n_unique() > _MOST_VALUES:
            continue
        counts = typed[column.name].drop_nulls().rename("value").value_counts(name="rows")
        few = counts.filter(pl.col("rows") < _FEW_ROWS)
        thin += [(rows, column.name, value) for value, rows in few.iter_rows()]
    if not thin:
        return []
    thin.sort()
    told = ", ".join(f"'{name}' {value} ({rows})" for rows, name, value in thin[:_SHOWN])
    more = f" and {len(thin) - _SHOWN} more" if len(thin) > _SHOWN else ""
    return [
        Finding(
            severity="note",
            title="Values with few rows",
            sentence=f"Fewer than {_FEW_ROWS} rows of training have {told}{more}: what is answered "
            "for them is hardly better than a guess, and no figure here tells how good it is.",
            evidence={"values": len(thin), "rows": sum(rows for rows, _, _ in thin)},
            action="collect more of them if they matter, or put them together with like ones",
        )
    ]
