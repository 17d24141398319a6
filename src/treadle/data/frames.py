"""Data already in memory, from any of the usual libraries, as a polars frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from treadle.errors import DataError

_ACCEPTED = "a pandas, polars or Arrow table, or a dict of columns of one length"


def to_frame(data: object) -> pl.DataFrame:
    """Return in-memory data as a polars frame; column names become text.

    data: polars DataFrame, LazyFrame or Series; pandas DataFrame; anything that speaks Arrow's
          stream protocol; a dict of name → array or list of one length

    Raises: DataError for anything else, columns of unequal length, two columns of one name.
    """
    if isinstance(data, pl.DataFrame):
        return data
    if isinstance(data, pl.LazyFrame):
        return data.collect()
    if isinstance(data, pl.Series):
        return data.to_frame()
    if type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "columns"):
        return _from_columns([(str(name), data.iloc[:, i]) for i, name in enumerate(data.columns)])  # type: ignore[attr-defined]
    if isinstance(data, Mapping):
        return _from_columns([(str(name), values) for name, values in data.items()])
    if hasattr(data, "__arrow_c_stream__"):
        return pl.DataFrame(data)
    raise DataError(f"Data of type {type(data).__name__} is not a table.", f"give {_ACCEPTED}")


def _from_columns(columns: list[tuple[str, Any]]) -> pl.DataFrame:
    problems: list[tuple[str, str]] = []
    series: dict[str, pl.Series] = {}
    for name, values in columns:
        if name in series:
            problems.append((f"Two columns are called '{name}'.", "give each its own name"))
            continue
        try:
            series[name] = _to_series(name, values)
        except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
            problems.append((f"Column '{name}' cannot be read: {error}", f"give {_ACCEPTED}"))
    lengths = {name: column.len() for name, column in series.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"'{name}' {length:,}" for name, length in list(lengths.items())[:5])
        problems.append((f"The columns differ in length: {told}.", "give columns of one length"))
    if problems:
        raise DataError.of(problems)
    return pl.DataFrame(list(series.values()))


def _to_series(name: str, values: Any) -> pl.Series:
    if isinstance(values, pl.Series):
        return values.alias(name)
    if type(values).__module__.partition(".")[0] == "pandas":
        values = _from_pandas(values)
    elif not isinstance(values, list | tuple):
        values = np.asarray(values)
    if isinstance(values, np.ndarray):
        if values.ndim != 1:
            raise ValueError(f"it has {values.ndim} dimensions, one is expected")
        if values.dtype.kind not in "biufM":
            values = values.tolist()
    if isinstance(values, np.ndarray):
        return pl.Series(name, values, nan_to_null=True)
    return _from_objects(name, list(values))


def _from_pandas(column: Any) -> Any:
    """Return a pandas column as a numpy array, or as a list whose missing cells are None."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biufM":
        return column.to_numpy()
    objects = column.astype(object)
    return objects.where(column.notna(), None).tolist()


def _from_objects(name: str, values: list[Any]) -> pl.Series:
    cells = [None if isinstance(v, float) and v != v else v for v in values]
    try:
        return pl.Series(name, cells, strict=True)
    except (TypeError, pl.exceptions.PolarsError):
        if all(cell is None or isinstance(cell, bool | int | float) for cell in cells):
            return pl.Series(name, cells, pl.Float64, strict=False)
        texts = [None if cell is None else str(cell) for cell in cells]
        return pl.Series(name, texts, pl.String)
