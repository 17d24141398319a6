"""For which rows of a table the conditions hold that `--without` names."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.api.pricing.asked import Condition
from treadle.data.columns import text_of
from treadle.data.cuts import time_seconds
from treadle.errors import DataError, OptionError, did_you_mean

Mask: TypeAlias = NDArray[np.bool_]


def rows_held(frame: pl.DataFrame, conditions: tuple[Condition, ...]) -> Mask:
    """Tell for which rows all conditions hold. Raises: OptionError."""
    held = np.ones(frame.height, bool)
    for condition in conditions:
        held &= _holds(frame[condition.column], condition)
    return held


def _holds(cells: pl.Series, condition: Condition) -> Mask:
    if not condition.value:
        empty = (text_of(cells).fill_null("") == "").to_numpy()
        return ~empty if condition.operator == "!=" else empty
    if condition.operator in ("=", "!="):
        same = _equal(cells, condition).fill_null(False).to_numpy()
        return ~same if condition.operator == "!=" else same
    values, bound = _ordered(cells, condition)
    with np.errstate(invalid="ignore"):
        found: Mask = {
            "<": values < bound,
            "<=": values <= bound,
            ">": values > bound,
            ">=": values >= bound,
        }[condition.operator]
    return found


def _equal(cells: pl.Series, condition: Condition) -> pl.Series:
    if cells.dtype.is_numeric():
        number = _number(condition.value)
        if number is None:
            raise _misread(condition, "numbers")
        return cells.cast(pl.Float64) == number
    if cells.dtype in (pl.Date, pl.Datetime):
        seconds, bound = _ordered(cells, condition)
        return pl.Series(seconds == bound)
    return text_of(cells) == condition.value


def _ordered(cells: pl.Series, condition: Condition) -> tuple[NDArray[np.float64], float]:
    """Return cells and the value that they are held against as numbers, dates as seconds."""
    if cells.dtype.is_numeric():
        number = _number(condition.value)
        if number is None:
            raise _misread(condition, "numbers")
        return cells.cast(pl.Float64).fill_null(float("nan")).to_numpy(), number
    try:
        seconds = time_seconds(cells)
    except DataError as error:
        raise OptionError(
            f"--without '{condition}': '{condition.column}' holds text, which is not below or "
            "above another.",
            f'Write "{condition.column}={condition.value}" or "{condition.column}!=…".',
        ) from error
    try:
        moment = datetime.fromisoformat(condition.value)
    except ValueError as error:
        raise _misread(condition, "dates, such as 2024-01-31") from error
    epoch = datetime(1970, 1, 1, tzinfo=moment.tzinfo)
    return seconds, (moment - epoch).total_seconds()


def _misread(condition: Condition, what: str) -> OptionError:
    return OptionError(
        f"--without '{condition}': '{condition.column}' holds {what}, and "
        f"'{condition.value}' is none.",
        "Write the value as the data does.",
    )


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", "") if text.count(",") and "." in text else text)
    except ValueError:
        return None


def nearest_value(conditions: tuple[Condition, ...], frame: pl.DataFrame) -> str:
    """Return the nearest value there is."""
    for condition in conditions:
        cells = text_of(frame[condition.column]).drop_nulls()
        values = cells.value_counts(sort=True)[frame[condition.column].name].head(200).to_list()
        if condition.operator == "=" and condition.value not in values:
            shown = ", ".join(f"'{value}'" for value in values[:5])
            return (
                f"{did_you_mean(condition.value, values)}'{condition.column}' holds {shown}"
                f"{', …' if len(values) > 5 else '.'}"
            )
    return "Look at the values that the columns hold."
