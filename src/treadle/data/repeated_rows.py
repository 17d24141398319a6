"""Rows that another row repeats: exported twice, or alike because columns are few and coarse."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.data.columns import Schema
from treadle.data.finding import Finding, begun_large, of_all, rows_word
from treadle.data.hashing import hash_rows

_NATURALLY_ALIKE = 0.2
_CROWD = 4
_SEEN_BEFORE = 0.01


def repeated_rows(parts: dict[str, pl.DataFrame], schema: Schema) -> Iterator[Finding]:
    """Yield what is to be said of rows alike in all that is learned from, within and across parts.

    parts: the rows of "train", "validation" and "test"
    """
    names = [column.name for column in schema.used()]
    hashes = {part: hash_rows(frame.select(names)) for part, frame in parts.items()}
    rows_of_each = np.unique(hashes["train"], return_counts=True)[1]
    inside = len(hashes["train"]) - len(rows_of_each)
    seen = {
        "validation": np.isin(hashes["validation"], hashes["train"]),
        "test": np.isin(hashes["test"], np.concatenate([hashes["train"], hashes["validation"]])),
    }
    if _are_coarse(rows_of_each) and all(
        rows.mean() >= _NATURALLY_ALIKE for rows in seen.values() if len(rows)
    ):
        yield _mostly_alike(inside, len(hashes["train"]), seen)
        return
    if inside:
        yield Finding(
            severity="note",
            title="Repeated rows",
            sentence=f"{rows_word(inside)} of training {'holds' if inside == 1 else 'hold'} what "
            "another row holds, in every column learned from.",
            evidence={"rows": inside, "of": len(hashes["train"])},
            action="remove them if they were exported twice",
        )
    for part, rows in seen.items():
        yield from _seen_before(part, rows)


def _are_coarse(rows_of_each: NDArray[np.int64]) -> bool:
    """Return whether rows look alike in crowds, as cases do where columns are few, not in pairs."""
    total, repeated = int(rows_of_each.sum()), int(rows_of_each[rows_of_each > 1].sum())
    crowded = int(rows_of_each[rows_of_each >= _CROWD].sum())
    often = total - len(rows_of_each) >= _NATURALLY_ALIKE * total
    return often and crowded >= repeated / 2


def _mostly_alike(inside: int, total: int, seen: dict[str, NDArray[np.bool_]]) -> Finding:
    """Tell of a table of so few columns, or so coarse ones, that different cases look alike."""
    also = {part: int(rows.sum()) for part, rows in seen.items()}
    known = [
        f"{of_all(also[part], len(rows))} of {part}" for part, rows in seen.items() if len(rows)
    ]
    return Finding(
        severity="note",
        title="Many rows are alike",
        sentence=begun_large(
            f"{of_all(inside, total)} of training hold what another row holds, in every column "
            f"learned from; so do {' and '.join(known)}. Where columns are few or coarse, "
            "different cases often look the same, and that does no harm."
        ),
        evidence={"rows": inside, "of": total, "seen": also},
        action="only if single cases were exported several times, remove the repeats",
    )


def _seen_before(part: str, seen: NDArray[np.bool_]) -> Iterator[Finding]:
    """Tell of rows that an earlier part holds too."""
    count, total = int(seen.sum()), len(seen)
    if not count:
        return
    known = "training" if part == "validation" else "training or validation"
    yield Finding(
        severity="warning" if count >= _SEEN_BEFORE * total else "note",
        title=f"Rows of {part} were seen before",
        sentence=begun_large(
            f"{of_all(count, total)} of {part} {'is' if count == 1 else 'are'} in {known}, too, "
            f"alike in every column learned from, so the {part} figures may look better than new "
            "data will."
        ),
        evidence={"rows": count, "of": total, "share": count / total},
        action="remove repeated rows, or part the data with --group",
    )
