"""Rows of delimited text: where they begin, which are blank, which have too many or few cells."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_BLOCK_BYTES = 1 << 25
_MOST_ROWS = 1000


def _blocks(text: bytes, quoted: bool) -> Iterator[_Block]:
    """Yield blocks that end where a record ends, unless a quotation mark is left open in it.

    quoted: separators and line ends between quotation marks do not count
    """
    text = text if text.endswith(b"\n") else text + b"\n"
    offset = 0
    while offset < len(text):
        block = np.frombuffer(text, np.uint8, min(_BLOCK_BYTES, len(text) - offset), offset)
        if quoted:
            outside = np.bitwise_xor.accumulate(block == ord('"')) == 0
        else:
            outside = np.ones(block.size, np.bool_)
        ends = np.flatnonzero((block == ord("\n")) & outside)
        if ends.size and offset + block.size < len(text):
            block, outside = block[: ends[-1] + 1], outside[: ends[-1] + 1]
        yield _Block(offset, block, outside, ends)
        offset += block.size


class _Block:
    """Bytes of whole records, or of the one whose quotation mark is left open.

    outside: bool [n], whether each byte is outside quotation marks
    starts, ends: where each line begins, and its line feed is; int64 [lines]
    """

    def __init__(
        self,
        offset: int,
        content: NDArray[np.uint8],
        outside: NDArray[np.bool_],
        ends: NDArray[np.int64],
    ) -> None:
        self.offset, self.content, self.outside, self.ends = offset, content, outside, ends
        self.starts = np.concatenate([[0], ends[:-1] + 1])

    @property
    def is_open(self) -> bool:
        return not self.outside[-1]

    def is_blank(self) -> NDArray[np.bool_]:
        """Return of each line whether it holds nothing, no separator either."""
        sizes = self.ends - self.starts
        first = self.content[self.starts]
        blank: NDArray[np.bool_] = (sizes == 0) | ((sizes == 1) & (first == ord("\r")))
        return blank


def rows_filled(text: bytes, *, quoted: bool) -> NDArray[np.bool_] | None:
    """Return for each row below the header whether its line holds anything, a separator at least.

    Returns None when a quotation mark is left open.
    """
    found = []
    for block in _blocks(text, quoted):
        if block.is_open:
            return None
        found.append(~block.is_blank())
    return np.concatenate(found)[1:] if found else np.zeros(0, np.bool_)


def line_of_row(text: bytes, row: int, *, quoted: bool) -> int | None:
    """Return the line on which a row begins, blank lines passed over; row 0 is the header."""
    before = 0
    for block in _blocks(text, quoted):
        if block.is_open:
            return None
        filled = block.starts[~block.is_blank()]
        if row < before + len(filled):
            return _line_at(text, block.offset + int(filled[row - before]))
        before += len(filled)
    return None


def ragged_rows(
    text: bytes, *, separator: str, width: int, quoted: bool
) -> list[tuple[int, int]] | None:
    """Return (line, number of cells) of the rows that have not `width` cells, the first 1,000.

    quoted: separators and line ends between quotation marks do not count

    Returns None when a quotation mark is left open.
    """
    broken: list[tuple[int, int]] = []
    for block in _blocks(text, quoted):
        if block.is_open:
            return None
        separators = (block.content == ord(separator)) & block.outside
        cells = np.diff(np.cumsum(separators, dtype=np.int32)[block.ends], prepend=0) + 1
        for row in np.flatnonzero((cells != width) & ~block.is_blank()):
            line = _line_at(text, block.offset + int(block.starts[row]))
            broken.append((line, int(cells[row])))
            if len(broken) == _MOST_ROWS:
                return broken
    return broken


def _line_at(text: bytes, place: int) -> int:
    return text.count(b"\n", 0, place) + 1
