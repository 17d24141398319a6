"""Which columns of a Parquet table become which tensors of a batch, and in which types."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.data.parquet_files import ParquetTable, no_such_column
from treadle.errors import DataError, OptionError

if TYPE_CHECKING:
    import polars as pl

Names: TypeAlias = "str | Sequence[str]"
Encode: TypeAlias = "Callable[[pl.DataFrame], Mapping[str, Any]]"
TARGET = "target"
_WHOLE_IN_FLOAT32 = 2**24
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Slot:
    """One tensor of a batch, as it is kept in memory.

    columns: where it comes from; none where `encode` makes it
    shape:   of one row: () for a column named alone, (F,) for a list of F
    """

    name: str
    columns: tuple[str, ...] = ()
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def is_widened(self) -> bool:
        """Whether its whole numbers, kept narrow, are given as int64, which torch looks up by."""
        return self.dtype.kind in "iu" and self.dtype != np.int64


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All tensors of a batch, and the columns to read for them.

    form:   how a batch is given: as a dict by name, as a tuple, or as the one tensor there is
    encode: makes the tensors of a frame; without it columns are taken as they are
    """

    slots: tuple[Slot, ...]
    form: str
    read: tuple[str, ...]
    encode: Encode | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def row_bytes(self) -> int:
        return sum(slot.row_bytes for slot in self.slots)


def plan_columns(
    table: ParquetTable,
    *,
    columns: Names | Mapping[str, Names] | None = None,
    target: Names | None = None,
) -> Plan:
    """Say which tensors a table's columns become.

    columns: None: x holds all but the target, float32 [B, F]; a list: x holds these; a mapping:
             batches are dicts with a tensor for each entry
    target:  a column: [B]; a list of columns: [B, K]. Whole numbers are given as int64

    A list of columns gives [B, F], a column alone [B]. In a mapping, whole numbers stay whole: they
    are kept as narrow as the file has them and given as int64; all else becomes float32.

    Raises: OptionError for columns that are not there; DataError for such as hold no numbers or
    have empty cells, all together.
    """
    form = "tuple" if target is not None else "bare"
    answers = _names(target) if target is not None else ()
    wanted: dict[str, Names]
    if isinstance(columns, Mapping):
        form, wanted = "dict", dict(columns)
    elif columns is not None:
        wanted = {"x": list(_names(columns))}
    else:
        wanted = {"x": [name for name in table.columns if name not in answers]}
    if target is not None:
        wanted[TARGET] = target
    _check_names(table, [name for names in wanted.values() for name in _names(names)], wanted)
    slots = tuple(
        _slot(table, name, names, keep_whole=form == "dict" or name == TARGET)
        for name, names in wanted.items()
    )
    read = tuple(dict.fromkeys(column for slot in slots for column in slot.columns))
    _check_cells(table, read)
    return Plan(slots=slots, form=form, read=read, notes=_notes(table, slots))


def encoded(encode: Encode, frame: pl.DataFrame) -> dict[str, NDArray[Any]]:
    """Return the arrays [N, …] that a function makes of a frame of N rows. Raises: DataError."""
    made: Any = encode(frame)
    expected = "encode takes a polars frame and returns a dict of arrays, a row for each row."
    if not isinstance(made, Mapping) or not made:
        raise DataError(f"encode returned a {type(made).__name__}.", expected)
    arrays = {str(name): np.asarray(value) for name, value in made.items()}
    problems = [
        (f"encode made {array.shape} {array.dtype} as '{name}' of {frame.height} rows.", expected)
        for name, array in arrays.items()
        if array.shape[:1] != (frame.height,) or array.dtype.kind not in "biuf"
    ]
    if problems:
        raise DataError.of(problems)
    return {
        name: array.astype(np.float32) if array.dtype == np.float64 else array
        for name, array in arrays.items()
    }


def _names(names: Names) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _check_names(table: ParquetTable, names: Sequence[str], wanted: Mapping[str, Names]) -> None:
    known = list(table.columns)
    problems = [no_such_column(name, known) for name in dict.fromkeys(names) if name not in known]
    problems += [
        (f"no column is left for '{name}'.", "Name some with columns=…")
        for name, chosen in wanted.items()
        if not _names(chosen)
    ]
    if problems:
        raise OptionError.of(problems)


def _slot(table: ParquetTable, name: str, names: Names, *, keep_whole: bool) -> Slot:
    columns = _names(names)
    kinds = [_numpy_type(table.columns[column]) for column in columns]
    known = [kind for kind in kinds if kind is not None]
    is_whole = len(known) == len(kinds) and all(kind.kind in "iu" for kind in known)
    dtype = np.result_type(*known) if keep_whole and is_whole else np.dtype(np.float32)
    shape = () if isinstance(names, str) else (len(columns),)
    # uint64 with signed numbers has no common whole type: numpy says float64
    return Slot(
        name=name,
        columns=columns,
        dtype=dtype if dtype.kind in "iu" else np.dtype(np.float32),
        shape=shape,
    )


def _numpy_type(kind: Any) -> np.dtype[Any] | None:
    """Return numpy's type for a column of numbers or of yes and no, None for anything else."""
    import pyarrow

    types = pyarrow.types
    if not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
        return None
    found: np.dtype[Any] = np.dtype(kind.to_pandas_dtype())
    return found


def _check_cells(table: ParquetTable, read: Sequence[str]) -> None:
    other = [name for name in read if _numpy_type(table.columns[name]) is None]
    problems = [
        (f"the column '{name}' holds {table.columns[name]}, not numbers.", _LEAVE_OUT)
        for name in other
    ]
    numbers = [name for name in read if name not in other]
    problems += [missing(name, count) for name, count in table.missing_values(numbers).items()]
    if problems:
        raise DataError.of(problems)


def missing(name: str, count: int) -> tuple[str, str]:
    """Return what to say of a column with empty cells."""
    cells = "1 cell is" if count == 1 else f"{count:,} cells are"
    return f"the column '{name}': {cells} empty.", _FILL


def _notes(table: ParquetTable, slots: Sequence[Slot]) -> list[str]:
    """Return a warning of whole numbers that float32 cannot tell from their neighbours."""
    blurred = [
        column
        for slot in slots
        if slot.dtype == np.float32
        for column in slot.columns
        if (kind := _numpy_type(table.columns[column])) is not None
        and kind.kind in "iu"
        and table.largest_value(column) > _WHOLE_IN_FLOAT32
    ]
    if not blurred:
        return []
    told = ", ".join(f"'{column}'" for column in blurred[:_SHOWN])
    more = f" and {len(blurred) - _SHOWN} more" if len(blurred) > _SHOWN else ""
    return [
        f"warning: {told}{more} holds whole numbers above 16.8 million, which float32 blurs with "
        "their neighbours. If they are identifiers, leave them out with columns=[…]."
    ]


_LEAVE_OUT = "Leave it out with columns=[…], or turn it into numbers with encode=…"
_FILL = "Fill or drop such rows when writing the file, leave it out, or give encode=…"
