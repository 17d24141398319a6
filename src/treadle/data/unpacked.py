"""What a packed file would unpack to, measured before anything unpacks it whole.

A workbook of a kilobyte can say that it fills a million rows of sixteen thousand columns, or hold
gigabytes of nothing: readers then end the process, and with it whatever else runs there.
"""

from __future__ import annotations

import gzip
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from treadle.errors import DataError
from treadle.tensors import memory_bytes

MOST_PARTS = 10_000
LAST_ROW, LAST_COLUMN = 1_048_576, 16_384
BYTES_A_CELL = 32
MOST_PACKING = 1_100
"""How many bytes one byte of the usual packing can stand for."""

_PIECE = 1 << 20
_LONGEST_PLACE = 64
_PLACE = re.compile(rb'\br\s*=\s*["\']([A-Za-z]*)([0-9]+)["\']')


def check_workbook(path: Path) -> None:
    """Look through a workbook (.xlsx, .xlsm, .xlsb) piece by piece; what is no zip is let pass.

    Raises: DataError when it holds more than memory could, or says that it does.
    """
    most = memory_bytes() // 2
    last_row = last_column = total = 0
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
            if len(parts) > MOST_PARTS:
                raise _refused(path, f"it holds {len(parts):,} parts, more than {MOST_PARTS:,}")
            for part in parts:
                tail = b""
                for piece in _pieces(file, part):
                    total += len(piece)
                    if total > most:
                        raise _refused(path, f"it unpacks to more than {most:,} bytes")
                    row, column = _last_place(tail + piece)
                    last_row, last_column = max(last_row, row), max(last_column, column)
                    tail = piece[-_LONGEST_PLACE:]
    except (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, EOFError):
        return  # its reader says what is wrong with it
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} is not a readable Excel file: its parts do not lie where it says.",
            "save it again",
        ) from error
    if last_row > LAST_ROW or last_column > LAST_COLUMN:
        raise _refused(path, "it names a cell that no sheet has")
    if last_row * last_column * BYTES_A_CELL > most:
        cells = f"{last_row:,} rows of {last_column:,} columns"
        raise _refused(path, f"its cells reach over {cells}, more than memory can hold")


def check_gzip(path: Path, packed: bytes) -> None:
    """Raise DataError when a gzip file unpacks to more than memory could hold."""
    most = memory_bytes() // 2
    if len(packed) * MOST_PACKING <= most:
        return
    total = 0
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
        while piece := file.read(_PIECE):
            total += len(piece)
            if total > most:
                raise _refused(path, f"it unpacks to more than {most:,} bytes")


def _pieces(file: BinaryIO, part: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield what a part of a zip really unpacks to, whatever size its entry says."""
    file.seek(part.header_offset)
    name_size, extra_size = struct.unpack("<26x2H", file.read(30))
    file.seek(name_size + extra_size, 1)
    left = part.compress_size
    unpacker = zlib.decompressobj(-15) if part.compress_type == zipfile.ZIP_DEFLATED else None
    while left > 0 and (packed := file.read(min(_PIECE, left))):
        left -= len(packed)
        if unpacker is None:
            yield packed
            continue
        while packed:
            yield unpacker.decompress(packed, _PIECE)
            packed = unpacker.unconsumed_tail


def _last_place(piece: bytes) -> tuple[int, int]:
    """Return the last row and the last column that a piece of a sheet names."""
    places = set(_PLACE.findall(piece))
    rows = {row for _, row in places}
    columns = {column for column, _ in places}
    return max((int(row[:10]) for row in rows), default=0), max(map(_number, columns), default=0)


def _number(letters: bytes) -> int:
    """Return the number of a column, from 1: A, B … Z, AA …"""
    number = 0
    for letter in letters[:4].upper():
        number = number * 26 + letter - 64
    return number


def _refused(path: Path, reason: str) -> DataError:
    return DataError(
        f"{path} is not opened: {reason}.",
        "Remove what stands far outside the table (empty rows and columns too), or save it as CSV.",
    )
