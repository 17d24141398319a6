"""What parts the cells of delimited text, told from its first rows."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from pathlib import Path

from treadle.errors import DataError

SEPARATORS = (",", ";", "\t", "|")
SEPARATOR_WORDS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_OTHER_SEPARATORS = {
    r"~": ("'~'", 1),
    r"\^": ("'^'", 1),
    r"¦": ("'¦'", 1),
    r"[\x01\x1e\x1f]": ("a control character", 1),
    r":": ("':'", 2),
    r" {2,}": ("several spaces", 1),
    r"(?<! ) (?! )": ("spaces", 2),
}
"""Signs that part cells elsewhere, as patterns: their name, and how often a line must hold them."""

_SNIFFED_BYTES = 1 << 18
_SNIFFED_ROWS = 500


def first_rows(text: bytes, separator: str) -> list[list[str]]:
    """Return the cells of the first 500 rows that are not blank, as far as they can be read."""
    head = text[:_SNIFFED_BYTES]
    if len(text) > len(head):
        head = head[: head.rfind(b"\n") + 1] or head
    reader = csv.reader(io.StringIO(head.decode(errors="replace"), newline=""), delimiter=separator)
    rows: list[list[str]] = []
    try:
        for row in reader:
            if len(rows) > _SNIFFED_ROWS:
                break
            if row:
                rows.append(row)
    except csv.Error:
        pass
    return rows


def find_separator(text: bytes, path: Path) -> str:
    """Return the separator whose number of cells agrees best over the first rows.

    Raises: DataError when two explain every row, or only one that is not supported does.
    """
    scores = {separator: _agreement(text, separator) for separator in SEPARATORS}
    best = max(SEPARATORS, key=lambda separator: scores[separator])
    usual = "\t" if ".tsv" in path.name.lower() else ""
    if scores.get(usual, (0.0, 0))[0] == 1.0:
        return usual
    if scores[best] == (0.0, 0):
        _refuse_other_separators(text, path)
    fitting = [s for s in SEPARATORS if scores[s][0] == 1.0]
    if len(fitting) > 1:
        words = " or ".join(f"{SEPARATOR_WORDS[s]} ({scores[s][1]} columns)" for s in fitting)
        raise DataError(
            f"{path}: what parts the cells cannot be told: {words} would fit every row.",
            "put cells that hold such a sign in quotation marks, or save it again with tabs as "
            f"{path.stem}.tsv",
        )
    return best


def _agreement(text: bytes, separator: str) -> tuple[float, int]:
    """Return (share of the first rows that have as many cells as the header, that number)."""
    widths = [len(row) for row in first_rows(text, separator)]
    if not widths or widths[0] < 2:
        return (0.0, 0)
    return (Counter(widths)[widths[0]] / len(widths), widths[0])


def _refuse_other_separators(text: bytes, path: Path) -> None:
    """Refuse a file of one column whose every line holds a sign equally often."""
    lines = [row[0] for row in first_rows(text, SEPARATORS[0]) if len(row) == 1]
    for sign, (word, fewest) in _OTHER_SEPARATORS.items():
        counts = {len(re.findall(sign, line.strip())) for line in lines}
        if len(lines) > 1 and len(counts) == 1 and min(counts) >= fewest:
            raise DataError(
                f"{path}: what parts the cells cannot be told: no line holds commas, semicolons, "
                f"tabs or vertical bars, but each holds {word}.",
                "save it again with commas or tabs between the cells",
            )
