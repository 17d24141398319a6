"""Rows of delimited text: where they begin, which are blank, which have too many or few cells."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_BLOCK_BYTES = 1 << 25
_MOST_ROWS = 1000


def _blocks(
    text: bytes, quoted: bool
) -> Iterator[tuple[int, NDArray[np.uint8], NDArray[np.bool_]]]:
    """Yield (offset, bytes [n], outside quotes [n]) of blocks that end where a record ends."""
    start = 0
    while start < len(text):
        block = np.frombuffer(text, np.uint8, min(_BLOCK_BYTES, len(text) - start), start)
        if quoted:
            outside = np.bitwise_xor.accumulate(block == ord('"')) == 0
        else:
            outside = np.ones(block.size, np.bool_)
        if start + block.size < len(text):
            ends = np.flatnonzero((block == ord("\n")) & outside)
            size = int(ends[-1]) + 1 if ends.size else block.size
            block, outside = block[:size], outside[:size]
        yield start, block, outside
        start += block.size


def rows_filled(text: bytes, *, quoted: bool) -> NDArray[np.bool_] | None:
    """Return for each row below the header whether its line holds anything, a separator at least.

    Returns None when a quotation mark is left open.
    """
    text = text if text.endswith(b"\n") else text + b"\n"
    found = []
    for _, block, outside in _blocks(text, quoted):
        if not outside[-1]:
            return None
        ends = np.flatnonzero((block == ord("\n")) & outside)
        starts = np.concatenate([[0], ends[:-1] + 1])
        found.append(~_blank(block, starts, ends))
    return np.concatenate(found)[1:] if found else np.zeros(0, np.bool_)


def line_of_row(text: bytes, row: int, *, quoted: bool) -> int | None:
    """Return the line on which a row begins, blank lines passed over; row 0 is the header."""
    text = text if text.endswith(b"\n") else text + b"\n"
    before = 0
    for offset, block, outside in _blocks(text, quoted):
        if not outside[-1]:
            return None
        ends = np.flatnonzero((block == ord("\n")) & outside)
        starts = np.concatenate([[0], ends[:-1] + 1])
        filled = starts[~_blank(block, starts, ends)]
        if row < before + len(filled):
            return text.count(b"\n", 0, offset + int(filled[row - before])) + 1
        before += len(filled)
    return None


def _blank(
    block: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.bool_]:
    sizes = ends - starts
    blank: NDArray[np.bool_] = (sizes == 0) | ((sizes == 1) & (block[starts] == ord("\r")))
    return blank


def ragged_rows(
    text: bytes, *, separator: str, width: int, quoted: bool
) -> list[tuple[int, int]] | None:
    """Return (line, number of cells) of the rows that have not `width` cells, the first 1,000.

    quoted: separators and line ends between quotation marks do not count

    Returns None when a quotation mark is left open.
    """
    text = text if text.endswith(b"\n") else text + b"\n"
    broken: list[tuple[int, int]] = []
    for offset, block, outside in _blocks(text, quoted):
        if not outside[-1]:
            return None
        ends = np.flatnonzero((block == ord("\n")) & outside)
        starts = np.concatenate([[0], ends[:-1] + 1])
        separators = (block == ord(separator)) & outside
        cells = np.diff(np.cumsum(separators, dtype=np.int32)[ends], prepend=0) + 1
        for i in np.flatnonzero((cells != width) & ~_blank(block, starts, ends)):
            line = text.count(b"\n", 0, offset + int(starts[i])) + 1
            broken.append((line, int(cells[i])))
            if len(broken) == _MOST_ROWS:
                return broken
    return broken
