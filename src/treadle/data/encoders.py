"""From table cells to arrays a model takes: fitted on the train part, kept as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.contracts import Frozen, Layout, Task
from treadle.data.cells import typed_cells
from treadle.data.columns import Column, Schema, rare_below

Arrays: TypeAlias = dict[str, NDArray[np.generic]]
Part: TypeAlias = Literal["value", "elapsed_days", "hour", "weekday", "day", "month", "day_of_year"]

UNSEEN, MISSING, FIRST_VALUE = 0, 1, 2
"""Category codes: a value not (or hardly) seen in training, no value, the first known value."""

_MOST_VALUES = 50_000
_LARGEST_FLOAT32 = 3e38
_SECONDS_A_DAY = 86_400


class NumberFeature(Frozen):
    """One column of `numbers`: a number, or one part of a date.

    offset: subtracted in float64, so that large values keep their differences in float32
    """

    name: str
    column: str
    part: Part = "value"
    offset: float = 0.0


class CategoryFeature(Frozen):
    """One column of `categories`; code FIRST_VALUE + i stands for values[i]."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class EncodedRows:
    """A table as arrays, and why rows could not be read.

    arrays:   "numbers" float32 [N, F] with NaN for missing; "categories" [N, C] as `code_type`
    problems: String [N], null for sound rows
    unseen:   category column → (rows whose value training had not, or hardly; the first of these)
    """

    arrays: Arrays
    problems: pl.Series
    unseen: dict[str, tuple[int, str]]


class TableEncoder(Frozen):
    """How tables become arrays; `model_dump_json` and back loses nothing."""

    table: Schema
    numbers: tuple[NumberFeature, ...]
    categories: tuple[CategoryFeature, ...]

    @classmethod
    def fit(cls, train: pl.DataFrame, schema: Schema) -> TableEncoder:
        """Learn offsets, date parts and vocabularies from the train part alone."""
        typed, _ = typed_cells(train, schema)
        numbers: list[NumberFeature] = []
        categories: list[CategoryFeature] = []
        for column in schema.used():
            if column.kind == "category":
                categories.append(_fit_category(typed[column.name], column))
            elif column.kind == "date":
                numbers += _fit_date(typed[column.name], column)
            else:
                numbers.append(_fit_number(typed[column.name], column.name))
        return cls(table=schema, numbers=tuple(numbers), categories=tuple(categories))

    def encode(self, frame: pl.DataFrame) -> Arrays:
        """Return "numbers" float32 [N, F] (NaN: missing) and "categories" [N, C] as `code_type`.

        Raises: DataError naming all columns that are absent or hold something else.
        """
        return self.encode_rows(frame).arrays

    def encode_rows(self, frame: pl.DataFrame) -> EncodedRows:
        """Return the arrays of `encode` and, row by row, which cells could not be read."""
        typed, problems = typed_cells(frame, self.table)
        columns = [_number_array(typed[f.column], f) for f in self.numbers]
        narrow = self.code_type
        codes = [_category_codes(typed[f.column], f).astype(narrow) for f in self.categories]
        arrays: Arrays = {
            "numbers": _stacked(columns, frame.height, np.float32),
            "categories": _stacked(codes, frame.height, narrow),
        }
        unseen = {}
        for feature, coded in zip(self.categories, codes, strict=True):
            if count := int((coded == UNSEEN).sum()):
                first = typed[feature.column][int((coded == UNSEEN).argmax())]
                unseen[feature.column] = (count, str(first)[:40])
        return EncodedRows(arrays=arrays, problems=problems, unseen=unseen)

    def layout(self, task: Task, num_outputs: int = 1) -> Layout:
        """Return the shape of what `encode` gives; `num_outputs` as TargetEncoder has it."""
        return Layout(
            num_numbers=len(self.numbers),
            cardinalities=tuple(len(f.values) + FIRST_VALUE for f in self.categories),
            task=task,
            num_outputs=num_outputs,
        )

    @property
    def code_type(self) -> type[np.generic]:
        """The narrowest of uint8, int16 and int32 that holds the codes of every category."""
        largest = max((len(f.values) + FIRST_VALUE for f in self.categories), default=0) - 1
        for narrow in (np.uint8, np.int16):
            if largest <= np.iinfo(narrow).max:
                return narrow
        return np.int32

    @property
    def number_names(self) -> list[str]:
        """The F names of the columns of `numbers`, for people."""
        return [feature.name for feature in self.numbers]

    @property
    def category_names(self) -> list[str]:
        """The C names of the columns of `categories`."""
        return [feature.column for feature in self.categories]

    @property
    def feature_columns(self) -> list[str]:
        """The table's columns that are learned from."""
        return [column.name for column in self.table.used()]


def _fit_number(values: pl.Series, name: str) -> NumberFeature:
    """Choose an offset where float32, with its 24 bits, would blur neighbouring values."""
    floats = values.to_numpy()  # a missing number is NaN
    finite = floats[np.isfinite(floats)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    far = max(abs(low), abs(high))
    blurred = far >= 2.0**24 or far > 1000.0 * (high - low)
    offset = float(round(low)) if blurred and abs(low) < _LARGEST_FLOAT32 else 0.0
    return NumberFeature(name=name, column=name, offset=offset)


def _fit_date(moments: pl.Series, column: Column) -> list[NumberFeature]:
    """Choose the parts of a date that vary and whose whole cycle the train part has seen."""
    filled = moments.drop_nulls()
    seconds = filled.dt.epoch("us") / 1e6
    start = float(seconds.min() or 0.0) if filled.len() else 0.0  # type: ignore[arg-type]
    span_days = ((float(seconds.max()) - start) / _SECONDS_A_DAY) if filled.len() else 0.0  # type: ignore[arg-type]
    has_clock = filled.len() > 0 and bool((filled.dt.truncate("1d") != filled).any())
    wanted: dict[Part, bool] = {
        "elapsed_days": column.elapsed,
        "hour": has_clock,
        "weekday": span_days >= 7,
        "day": span_days >= 60 and column.clock != "seconds",
        "month": span_days >= 365,
        "day_of_year": span_days >= 365,
    }
    told = {
        "elapsed_days": "days passed",
        "day": "day of the month",
        "day_of_year": "day of the year",
    }
    return [
        NumberFeature(
            name=f"{column.name} ({told.get(part, part)})",
            column=column.name,
            part=part,
            offset=start if part == "elapsed_days" else 0.0,
        )
        for part, is_wanted in wanted.items()
        if is_wanted
    ]


def _fit_category(text: pl.Series, column: Column) -> CategoryFeature:
    """Take the values that come often enough, the most frequent first, ties by name."""
    counts = text.drop_nulls().rename("value").value_counts(name="rows")
    kept = counts.filter(pl.col("rows") >= rare_below(text.len()))
    kept = kept.sort(["rows", "value"], descending=[True, False]).head(_MOST_VALUES)
    return CategoryFeature(column=column.name, values=tuple(kept["value"].to_list()))


def _date_part(moments: pl.Series, feature: NumberFeature) -> pl.Series:
    if feature.part == "elapsed_days":
        return (moments.dt.epoch("us") / 1e6 - feature.offset) / _SECONDS_A_DAY
    if feature.part == "hour":
        return moments.dt.hour() + moments.dt.minute() / 60
    parts = {"weekday": "weekday", "day": "day", "month": "month", "day_of_year": "ordinal_day"}
    part: pl.Series = getattr(moments.dt, parts[feature.part])()
    return part


def _number_array(values: pl.Series, feature: NumberFeature) -> NDArray[np.float32]:
    """Return one column of `numbers`, float32 [N]."""
    if feature.part != "value":
        values = _date_part(values, feature)
    floats = values.cast(pl.Float64).to_numpy()  # a missing number is NaN
    if feature.part == "value":
        floats = np.where(np.isfinite(floats), floats, np.nan) - feature.offset
    fitting: NDArray[np.float64] = np.clip(floats, -_LARGEST_FLOAT32, _LARGEST_FLOAT32)
    return fitting.astype(np.float32)


def _category_codes(text: pl.Series, feature: CategoryFeature) -> NDArray[np.int64]:
    """Return one column of `categories`, int64 [N]."""
    codes = list(range(FIRST_VALUE, FIRST_VALUE + len(feature.values)))
    if not codes:
        coded = pl.Series(feature.column, [UNSEEN] * text.len(), pl.Int64)
    else:
        coded = text.replace_strict(
            list(feature.values), codes, default=UNSEEN, return_dtype=pl.Int64
        )
    return coded.set(text.is_null(), MISSING).to_numpy()


def _stacked(
    columns: Sequence[NDArray[np.generic]], num_rows: int, dtype: type[np.generic]
) -> NDArray[np.generic]:
    stacked: NDArray[np.generic] = np.empty((num_rows, len(columns)), dtype)
    for i, column in enumerate(columns):
        stacked[:, i] = column
    return stacked
