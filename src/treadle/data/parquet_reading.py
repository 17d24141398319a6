"""Row groups of a Parquet table read into arrays that are there already, a column at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from treadle.data.parquet_columns import Encode, Plan, Slot, encoded, missing
from treadle.data.parquet_files import Group, ParquetTable
from treadle.errors import DataError

Mask = NDArray[np.bool_]
_STREAM_BYTES = 1 << 16
_ENCODED_ROWS = 16_384
_PROBED_ROWS = 100
_MOST_OPEN = 8


class Reader:
    """Open files of a table; one thread uses it at a time.

    A column of one row group is all that is held besides what the caller gives room for: on two
    cores this is as fast as reading all columns at once, and needs a fraction of the memory.
    """

    def __init__(self, table: ParquetTable) -> None:
        self.table = table
        self._open: dict[int, Any] = {}

    def close(self) -> None:
        """Close the files."""
        for file in self._open.values():
            file.close()
        self._open.clear()

    def column(self, group: Group, name: str) -> Iterator[NDArray[Any]]:
        """Yield a column of a row group in the pieces it comes in. Raises: DataError."""
        read = self._guarded(
            group, lambda file: file.read_row_group(group.number, [name], use_threads=False)
        )
        column = read.column(0)
        if column.null_count:
            raise DataError(*missing(name, column.null_count))
        for chunk in column.chunks:
            yield chunk.to_numpy(zero_copy_only=False)

    def batches(self, group: Group, names: Sequence[str], num_rows: int) -> Iterator[Any]:
        """Yield a row group as Arrow record batches of at most `num_rows`. Raises: DataError."""
        batches = self._guarded(
            group,
            lambda file: file.iter_batches(
                num_rows, row_groups=[group.number], columns=list(names), use_threads=False
            ),
        )
        while True:
            batch = self._guarded(group, lambda _: next(batches, None))
            if batch is None:
                return
            yield batch

    def _guarded(self, group: Group, read: Any) -> Any:
        """Return what `read` makes of a group's file. Raises: DataError when it is broken."""
        import pyarrow

        try:
            return read(self._file(group.file))
        except (pyarrow.ArrowException, OSError) as error:
            told = str(error).strip().splitlines()[0][:200]
            raise DataError(
                f"'{self.table.paths[group.file]}' could not be read at its row group "
                f"{group.number + 1}: {told}",
                "Is the file whole, and as it was when training began? Write it anew.",
            ) from error

    def _file(self, number: int) -> Any:
        import pyarrow.parquet

        self.table.refuse_changed(number)
        if number not in self._open:
            if len(self._open) >= _MOST_OPEN:
                self._open.pop(next(iter(self._open))).close()
            self._open[number] = pyarrow.parquet.ParquetFile(
                self.table.paths[number],
                metadata=self.table.footers[number],
                buffer_size=_STREAM_BYTES,
                pre_buffer=False,
            )
        return self._open[number]


def plan_encoded(table: ParquetTable, encode: Encode) -> Plan:
    """Say which tensors a function of frames makes, by asking it for a few rows.

    Raises: DataError when it gives no tensors by name, or not one row for each row.
    """
    import polars as pl

    reader = Reader(table)
    batch = next(reader.batches(table.groups[0], list(table.columns), _PROBED_ROWS))
    arrays = encoded(encode, pl.DataFrame(pl.from_arrow(batch)))
    reader.close()
    slots = tuple(
        Slot(name=name, dtype=array.dtype, shape=array.shape[1:]) for name, array in arrays.items()
    )
    return Plan(slots=slots, form="dict", read=tuple(table.columns), encode=encode)


def read_group(
    reader: Reader,
    plan: Plan,
    group: Group,
    arrays: dict[str, NDArray[Any]],
    start: int,
    kept: Mask | None,
) -> int:
    """Put the kept rows of a row group into `arrays` from row `start` on; return the row after.

    Raises: DataError: the file is broken, or a cell is empty.
    """
    if plan.encode is not None:
        return _read_encoded(reader, plan, group, arrays, start, kept)
    end = start
    for slot in plan.slots:
        for number, name in enumerate(slot.columns):
            room = _column_of(arrays[slot.name], slot, number)
            end = _read_column(reader, group, name, room, start, kept)
    return end


def _column_of(array: NDArray[Any], slot: Slot, number: int) -> NDArray[Any]:
    return array[:, number] if slot.shape else array


def _read_column(
    reader: Reader, group: Group, name: str, room: NDArray[Any], start: int, kept: Mask | None
) -> int:
    row = 0
    for piece in reader.column(group, name):
        cells = piece if kept is None else piece[kept[row : row + len(piece)]]
        room[start : start + len(cells)] = cells
        row, start = row + len(piece), start + len(cells)
    return start


def _read_encoded(
    reader: Reader,
    plan: Plan,
    group: Group,
    arrays: dict[str, NDArray[Any]],
    start: int,
    kept: Mask | None,
) -> int:
    import polars as pl

    assert plan.encode is not None
    row = 0
    for batch in reader.batches(group, plan.read, _ENCODED_ROWS):
        frame = pl.DataFrame(pl.from_arrow(batch))
        here = slice(row, row := row + frame.height)
        if kept is not None:
            frame = frame.filter(kept[here])
        if not frame.height:
            continue
        made = encoded(plan.encode, frame)
        _check_alike(plan, made)
        for slot in plan.slots:
            arrays[slot.name][start : start + frame.height] = made[slot.name]
        start += frame.height
    return start


def _check_alike(plan: Plan, made: dict[str, NDArray[Any]]) -> None:
    """Refuse tensors unlike those of the first rows. Raises: DataError."""
    first = {slot.name: (slot.dtype, slot.shape) for slot in plan.slots}
    later = {name: (array.dtype, array.shape[1:]) for name, array in made.items()}
    if first != later:
        raise DataError(
            f"encode made {later} of some rows and {first} of the first ones.",
            "It must make the same tensors of any rows.",
        )
