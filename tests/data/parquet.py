"""Small Parquet files for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet


def write(path: Path, columns: dict[str, Any], *, group_rows: int = 10, **options: Any) -> Path:
    """Write columns to a file, in row groups of so many rows."""
    table = pyarrow.table(columns)
    pyarrow.parquet.write_table(table, path, row_group_size=group_rows, **options)
    return path


def numbered(path: Path, num_rows: int = 47, *, first: int = 0, group_rows: int = 10) -> Path:
    """Write rows that tell their number: a = number, b = −number, y = number mod 7 (int8)."""
    numbers = range(first, first + num_rows)
    columns = {
        "a": pyarrow.array(numbers, pyarrow.float64()),
        "b": pyarrow.array([-number for number in numbers], pyarrow.float32()),
        "y": pyarrow.array([number % 7 for number in numbers], pyarrow.int8()),
    }
    return write(path, columns, group_rows=group_rows)
