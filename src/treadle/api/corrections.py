"""`--corrections FILE`: cells put right in a list of their own; the data itself stays as it is.

A correction names a row by its number and by a mark of all it holds but the answer, so that it
never lands on another row where the data was changed since; a photo by its path.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.api.label_list import row_marks
from treadle.contracts import Json
from treadle.data.columns import text_of
from treadle.data.spreadsheet import unmark_formulas
from treadle.data.target import TargetEncoder
from treadle.errors import DataError, OptionError, did_you_mean

_SHOWN = 5
_NEEDS = ("row", "mark"), ("photo",)


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """What a list of corrections says, and what came of it.

    cells:    place in the frame → corrected text
    applied:  how many; unmatched: what could not be found, in words
    """

    cells: dict[int, str]
    applied: int
    unmatched: list[str]
    path: str

    def words(self) -> list[str]:
        """Return what is said of it."""
        some = "1 correction" if self.applied == 1 else f"{self.applied:,} corrections"
        notes = [f"{some} from {self.path} {'was' if self.applied == 1 else 'were'} applied."]
        if self.unmatched:
            count = len(self.unmatched)
            told = ", ".join(self.unmatched[:_SHOWN]) + (", …" if count > _SHOWN else "")
            notes.append(
                f"{count:,} of its corrections fit{'s' if count == 1 else ''} nothing here and "
                f"{'was' if count == 1 else 'were'} not applied ({told}): the data was changed "
                "since."
            )
        return notes

    def facts(self) -> Json:
        """Return the numbers, for findings.json."""
        return {"file": self.path, "applied": self.applied, "unmatched": len(self.unmatched)}


def read_corrections(path: str) -> pl.DataFrame:
    """Return the rows of a list of corrections that hold one, every cell as text.

    Raises: DataError: a list that is not there, or without the columns it needs.
    """
    from treadle.data.read import read_tables

    example = "It is the label_errors.csv of treadle check --deep --out, 'corrected' filled in."
    if not Path(path).expanduser().is_file():
        raise DataError(f"--corrections {path}: there is no such file.", example)
    read = read_tables([path])
    found, _ = unmark_formulas(_as_written(path, read.frame))
    lacking = [name for name in ("corrected",) if name not in found.columns]
    if not any(all(name in found.columns for name in needed) for needed in _NEEDS):
        lacking += ["row and mark (or photo)"]
    if lacking:
        raise DataError(f"--corrections {path} has no column {' and no '.join(lacking)}.", example)
    text = found.with_columns(pl.all().cast(pl.String).str.strip_chars())
    return text.filter(pl.col("corrected").is_not_null() & (pl.col("corrected") != ""))


def _as_written(path: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the cells of a CSV as they are spelled: 0012 stays 0012."""
    if Path(path).suffix.lower() not in (".csv", ".tsv", ".txt"):
        return frame
    content = Path(path).expanduser().read_bytes()
    first = content.split(b"\n", 1)[0].decode("utf-8-sig", errors="replace")
    separator = max(",;\t", key=first.count)
    return pl.read_csv(content, separator=separator, infer_schema=False, encoding="utf8-lossy")


def overlay_of(path: str, frame: pl.DataFrame, places: NDArray[np.int64], target: str) -> Overlay:
    """Find the rows that corrections are for.

    frame: rows with an answer; places: where each stood in what was read, int64 [N]. A row that
    moved is found by its mark, where that is the only one.
    """
    asked = read_corrections(path)
    others = _other_columns(asked, target)
    if others:
        told = ", ".join(f"'{name}'" for name in others[:_SHOWN])
        raise DataError(
            f"--corrections {path} corrects {told}, but only answers ('{target}') can be corrected "
            "so.",
            f"Correct other columns in the data itself; leave 'column' empty or {target}.",
        )
    if "row" not in asked.columns or "mark" not in asked.columns:
        raise DataError(f"--corrections {path} names photos, and this is a table.", "")
    marks = row_marks(frame, target)
    where = {int(place) + 1: at for at, place in enumerate(places)}
    of_mark: dict[str, list[int]] = {}
    for place, mark in enumerate(marks):
        of_mark.setdefault(mark, []).append(place)
    answers = text_of(frame[target]).to_list()
    cells: dict[int, str] = {}
    unmatched = []
    for row in asked.iter_rows(named=True):
        at = _place(row, where, of_mark, marks)
        given = row.get("given")
        if at is None or (given and not _same(answers[at], given)):
            unmatched.append(f"row {row['row']}")
        else:
            cells[at] = str(row["corrected"])
    return Overlay(cells=cells, applied=len(cells), unmatched=unmatched, path=path)


def photo_overlay(path: str, names: list[str], labels: list[str]) -> Overlay:
    """Find the photos that corrections are for, by their paths."""
    asked = read_corrections(path)
    if "photo" not in asked.columns:
        raise DataError(f"--corrections {path} names rows, and this data is photos.", "")
    where = {name: at for at, name in enumerate(names)}
    cells: dict[int, str] = {}
    unmatched = []
    for row in asked.iter_rows(named=True):
        at = where.get(str(row["photo"]))
        given = row.get("given")
        if at is None or (given and labels[at] != given):
            unmatched.append(str(row["photo"]))
        else:
            cells[at] = str(row["corrected"])
    return Overlay(cells=cells, applied=len(cells), unmatched=unmatched, path=path)


def corrected_answers(
    overlay: Overlay, answers: pl.Series, target: TargetEncoder
) -> tuple[pl.Series, int]:
    """Return the answers with the corrections in them, and how many cells that changed.

    Raises: OptionError for a corrected answer that is no number, or no known class.
    """
    problems = []
    classes = list(target.classes)
    for at, text in overlay.cells.items():
        if target.task == "number":
            wrong = _number(text) is None
            hint = "Write a number."
        else:
            known = text_of(pl.Series([text]).cast(answers.dtype, strict=False))[0]
            wrong = known not in classes and text not in classes
            hint = f"{did_you_mean(text, classes)}The answers are {', '.join(classes[:20])}."
        if wrong:
            problems.append(
                (f"--corrections: '{text}' (row {at + 1}) is no '{target.column}'.", hint)
            )
    if problems:
        raise OptionError.of(problems[:_SHOWN])
    changed = answers.to_frame("answer").with_row_index("at")
    texts = pl.DataFrame(
        {
            "at": pl.Series(list(overlay.cells), dtype=pl.UInt32),
            "text": pl.Series(list(overlay.cells.values()), dtype=pl.String),
        }
    )
    typed = _typed(texts["text"], answers.dtype)
    joined = changed.join(texts.with_columns(new=typed), on="at", how="left", maintain_order="left")
    merged = joined.select(
        pl.when(pl.col("text").is_not_null()).then(pl.col("new")).otherwise(pl.col("answer"))
    ).to_series()
    before, after = text_of(answers), text_of(merged)
    return merged.rename(answers.name), int((before != after).fill_null(True).sum())


def _typed(texts: pl.Series, dtype: pl.DataType) -> pl.Series:
    if dtype == pl.Boolean:
        return texts.str.to_lowercase().is_in(["true", "1", "yes"])
    if dtype.is_integer():
        return texts.cast(pl.Float64, strict=False).cast(dtype, strict=False)
    return texts.cast(dtype, strict=False)


def _other_columns(asked: pl.DataFrame, target: str) -> list[str]:
    if "column" not in asked.columns:
        return []
    named = asked["column"].drop_nulls().unique(maintain_order=True).to_list()
    return [name for name in named if name not in ("", target)]


def _place(
    row: dict[str, str | None],
    where: dict[int, int],
    of_mark: dict[str, list[int]],
    marks: list[str],
) -> int | None:
    """Return where a corrected row stands now, or None."""
    number = _number(row.get("row") or "")
    at = where.get(int(number)) if number is not None else None
    mark = row.get("mark") or ""
    if at is not None and marks[at] == mark:
        return at
    moved = of_mark.get(mark, [])
    return moved[0] if len(moved) == 1 else None


def _same(answer: str | None, given: str) -> bool:
    if answer == given:
        return True
    one, other = _number(answer or ""), _number(given)
    return one is not None and one == other


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None
