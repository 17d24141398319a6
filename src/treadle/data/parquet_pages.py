"""The pages of a Parquet file looked through before its reader does, which may end the process.

Only what says how much there is gets looked at: where pages lie, and how many values they hold.

Source: Apache Parquet, parquet.thrift, and the compact protocol of Apache Thrift.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Any, TypeAlias

from treadle.errors import DataError

Fields: TypeAlias = dict[int, Any]
_MAGIC = b"PAR1"
_DEEPEST = 24
_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3
_COUNT_FIELD = {_DATA: 5, _DICTIONARY: 7, _DATA_V2: 8}


def check_pages(path: Path) -> None:
    """Raise DataError when a Parquet file's pages do not hold what its end says they do."""
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            _check(content)
    except (IndexError, KeyError, TypeError, ValueError, struct.error) as error:
        words = str(error) if type(error) is ValueError else "its end is torn"
        raise DataError(
            f"{path} is not a whole Parquet file: {words}.", "write it again"
        ) from error


def _check(content: mmap.mmap) -> None:
    if content[-4:] != _MAGIC:
        raise ValueError("its last four bytes are not PAR1")
    (size,) = struct.unpack("<I", content[-8:-4])
    start = len(content) - 8 - size
    if start < len(_MAGIC):
        raise ValueError("its end is longer than the file")
    footer = _Compact(content, start).fields()
    rows = 0
    for group in footer.get(4, []):
        rows += group[3]
        for chunk in group[1]:
            if 3 in chunk and 1 not in chunk and 8 not in chunk:
                _check_chunk(content, chunk[3], group[3])
    if rows != footer[3]:
        raise ValueError(f"its parts hold {rows:,} rows, not {footer[3]:,}")


def _check_chunk(content: mmap.mmap, chunk: Fields, rows: int) -> None:
    """Walk the pages of one column's part."""
    values, left = chunk[5], chunk[5]
    place = chunk[11] if 0 < chunk.get(11, 0) < chunk[9] else chunk[9]
    end = place + chunk[7]
    if not 0 <= rows <= values or not 0 < place <= end <= len(content):
        raise ValueError("a column lies outside the file")
    while left > 0:
        reader = _Compact(content, place)
        page = reader.fields()
        place = reader.place + page[3]
        count = page[_COUNT_FIELD[page[1]]][1] if page[1] in _COUNT_FIELD else 0
        if not reader.place <= place <= end or page[2] < 0:
            raise ValueError("a page lies outside its column")
        if not 0 <= count <= (page[2] if page[1] == _DICTIONARY else left):
            raise ValueError(f"a page says it holds {count:,} values, where {left:,} are left")
        left -= count if page[1] in (_DATA, _DATA_V2) else 0


class _Compact:
    """Reads structures of Thrift's compact protocol: field number → value."""

    def __init__(self, content: mmap.mmap, place: int) -> None:
        self.content, self.place = content, place

    def fields(self, depth: int = 0) -> Fields:
        """Return the fields of the structure that begins here."""
        if depth > _DEEPEST:
            raise ValueError("its structures are too deep")
        found: Fields = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            found[number] = self._value(head & 15, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (1, 2):
            return kind == 1
        if kind == 3:
            return self._byte()
        if kind in (4, 5, 6):
            return self._zigzag()
        if kind in (7, 8, 13):
            return self._skip({7: 8, 13: 16}.get(kind) or self._varint())
        if kind in (9, 10):
            return self._list(depth)
        if kind == 12:
            return self.fields(depth + 1)
        raise ValueError(f"it holds a field of the unknown kind {kind}")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        size = head >> 4 if head >> 4 < 15 else self._varint()
        if size > len(self.content) - self.place:
            raise ValueError("a list is longer than the file")
        kind = head & 15
        return [self._byte() if kind in (1, 2) else self._value(kind, depth) for _ in range(size)]

    def _skip(self, size: int) -> None:
        self.place += size
        if self.place > len(self.content):
            raise ValueError("a text is longer than the file")

    def _byte(self) -> int:
        byte = self.content[self.place]
        self.place += 1
        return byte

    def _varint(self) -> int:
        number = shift = 0
        while True:
            byte = self._byte()
            number |= (byte & 127) << shift
            if byte < 128:
                return number
            shift += 7
            if shift > 63:
                raise ValueError("a number is too long")

    def _zigzag(self) -> int:
        number = self._varint()
        return (number >> 1) ^ -(number & 1)
