"""Reading tables: every file format, one or many files, and data in memory."""

from __future__ import annotations

import glob
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import polars as pl

from treadle.data.delimited import (
    DelimitedFile,
    line_in_file,
    open_delimited,
    parse_delimited,
)
from treadle.data.frames import to_frame
from treadle.data.recognise import CellFormat, Recognised, recognise
from treadle.data.typed_files import EXCEL, JSON, PARQUET, read_typed, told, told_quoted
from treadle.errors import DataError, did_you_mean

__all__ = ["EXTENSIONS", "ReadResult", "read_memory", "read_tables", "to_frame"]

_DELIMITED = (".csv", ".tsv", ".txt")
_PACKED = tuple(name + packing for name in _DELIMITED for packing in (".gz", ".zst"))
EXTENSIONS = (*_DELIMITED, *_PACKED, *JSON, *PARQUET, *EXCEL)
"""File name endings that `read_tables` knows."""

In = TypeVar("In")
Out = TypeVar("Out")
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class ReadResult:
    """A table as read.

    notes:       plain sentences on what was recognised or assumed
    formats:     column → how its cells were written, for the schema and for reading later files
                 alike
    not_numbers: column → the first rows whose cell says NaN rather than being empty
    ambiguous:   column → the first row whose date could have the day first or the month
    files:       the files in their order, each with its number of rows; none for data in memory
    """

    frame: pl.DataFrame
    notes: list[str] = field(default_factory=list)
    formats: dict[str, CellFormat] = field(default_factory=dict)
    not_numbers: dict[str, list[int]] = field(default_factory=dict)
    ambiguous: dict[str, int] = field(default_factory=dict)
    files: list[tuple[Path, int]] = field(default_factory=list)

    def places(self, rows: Sequence[int]) -> str:
        """Return where rows of the frame stand, the first five: "sales.csv line 7, line 9"."""
        found: list[str] = []
        before = None
        for row in rows[:_SHOWN]:
            name, place = self._place(row)
            found.append(place if name == before else f"{name} {place}".strip())
            before = name
        return ", ".join(found)

    def _place(self, row: int) -> tuple[str, str]:
        for path, count in self.files:
            if row < count:
                is_text = _extension(path) in (*_DELIMITED, *_PACKED)
                line = line_in_file(path, row) if is_text else None
                return str(path), f"line {line}" if line else f"row {row + 1}"
            row -= count
        return "", f"row {row + 1}"


@dataclass(kw_only=True)
class _Part:
    """One file on its way into the table; `typed` formats say themselves what is a number."""

    path: Path
    frame: pl.DataFrame | None = None
    delimited: DelimitedFile | None = None
    typed: bool = True
    notes: list[str] = field(default_factory=list)


def read_tables(
    paths: Sequence[Path | str], *, sheet: str | None = None, as_text: Collection[str] = ()
) -> ReadResult:
    """Read files, folders and patterns (data/*.csv) into one table; the rows keep their order.

    sheet:   the sheet of Excel files; by default the first one that holds a table
    as_text: columns to leave exactly as written, e.g. `Schema.columns_as_text()` at predict time

    Raises: DataError: no such file, empty, broken, unknown ending, files whose columns differ.
    """
    files = _collect(_expand, list(paths))
    parts = _collect(lambda path: [_open(path, sheet)], [file for found in files for file in found])
    opened = [part for found in parts for part in found]
    european = any(part.delimited is not None and part.delimited.european for part in opened)
    kept = {*as_text}
    for part in opened:
        kept |= set(part.delimited.text_columns) if part.delimited else set()
    codes = sorted(kept - set(as_text))

    def parse(part: _Part) -> pl.DataFrame:
        if part.delimited is None:
            assert part.frame is not None
            return part.frame
        return parse_delimited(part.delimited, as_text=kept, all_text=european)

    frames = _collect(parse, opened)
    frame, notes = _join([part.path for part in opened], frames)
    typed = all(part.typed for part in opened)
    found = recognise(frame, numbers=not typed, european=european, as_text=kept)
    said = [note for part in opened for note in part.notes]
    said += [note for part in opened if part.delimited for note in part.delimited.notes]
    if codes:
        names = ", ".join(f"'{name}'" for name in codes[:_SHOWN])
        said.append(f"Cells of {names} begin with 0, so they are read as codes, not as numbers.")
    return _result(
        found,
        said + notes + found.notes,
        [(part.path, frame.height) for part, frame in zip(opened, frames, strict=True)],
    )


def read_memory(data: object, *, as_text: Collection[str] = ()) -> ReadResult:
    """Take in-memory data as a table, recognising dates among its text columns."""
    found = recognise(to_frame(data), numbers=False, as_text=as_text)
    if found.frame.height == 0:
        raise DataError("The table has no rows.", "give a table with rows")
    return _result(found, found.notes, [])


def _result(found: Recognised, notes: list[str], files: list[tuple[Path, int]]) -> ReadResult:
    return ReadResult(
        frame=found.frame,
        notes=notes,
        formats=found.formats,
        not_numbers=found.not_numbers,
        ambiguous=found.ambiguous,
        files=files,
    )


def _collect(read: Callable[[In], Out], inputs: Sequence[In]) -> list[Out]:
    """Apply `read` to all inputs; raise the user's mistakes of all of them together."""
    results: list[Out] = []
    problems: list[tuple[str, str]] = []
    for item in inputs:
        try:
            results.append(read(item))
        except DataError as error:
            problems.append((error.message, error.hint))
    if problems:
        raise DataError.of(problems)
    return results


def _expand(given: Path | str) -> list[Path]:
    """Return the files that a path names: itself, a folder's tables, or a pattern's matches."""
    path = Path(given).expanduser()
    if path.is_dir():
        inside = sorted(p for p in path.rglob("*") if p.is_file() and _is_visible(p, path))
        tables = [p for p in inside if _extension(p)]
        if not tables:
            raise DataError(
                f"The folder {path} holds no table; it holds {told([p.name for p in inside])}.",
                f"supported: {' '.join(EXTENSIONS)}",
            )
        top = [p for p in tables if p.parent == path]
        return top or tables
    if path.exists():
        return [path]
    if glob.has_magic(str(path)):
        matches = sorted(Path(p) for p in glob.glob(str(path), recursive=True))  # noqa: PTH207
        if not matches:
            raise DataError(f"No file matches {path}.", "check the pattern")
        return matches
    raise _no_such_file(path)


def _is_visible(path: Path, folder: Path) -> bool:
    return not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)


def _no_such_file(path: Path) -> DataError:
    parent = path.parent
    while not parent.exists():
        parent = parent.parent
    if parent != path.parent:
        return DataError(f"There is no folder {path.parent}.", f"{parent} exists")
    neighbours = sorted(p.name for p in parent.iterdir() if not p.name.startswith("."))
    tables = [name for name in neighbours if _extension(Path(name))]
    suggestion = did_you_mean(path.name, neighbours)
    return DataError(
        f"There is no file {path}.",
        f"{suggestion}{parent.resolve()} holds {told(tables or neighbours)}",
    )


def _extension(path: Path) -> str:
    """Return the known ending of a file name, or nothing."""
    name = path.name.lower()
    return next((e for e in sorted(EXTENSIONS, key=len, reverse=True) if name.endswith(e)), "")


def _open(path: Path, sheet: str | None) -> _Part:
    extension = _extension(path)
    if not extension:
        raise DataError(
            f"{path} has the ending '{path.suffix}', which is not known.",
            f"supported: {' '.join(EXTENSIONS)}",
        )
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty (0 bytes).", "check how it was written")
    if extension in (*PARQUET, *JSON, *EXCEL):
        frame, notes = read_typed(path, extension, sheet)
        return _Part(path=path, frame=frame, typed=extension not in EXCEL, notes=notes)
    return _Part(path=path, delimited=open_delimited(path), typed=False)


def _join(paths: list[Path], frames: list[pl.DataFrame]) -> tuple[pl.DataFrame, list[str]]:
    """Put tables under each other. Raises: DataError naming what each file lacks."""
    names = frames[0].columns
    everything = list(dict.fromkeys(name for frame in frames for name in frame.columns))
    problems = []
    for path, frame in zip(paths, frames, strict=True):
        lacking = [name for name in everything if name not in frame.columns]
        if lacking:
            problems.append((f"{path} lacks {told_quoted(lacking)}.", ""))
    if problems:
        problems.append(("The files' columns must agree.", "give files of one kind"))
        raise DataError.of(problems)
    notes: list[str] = []
    types = [frame.schema for frame in frames]
    kinds = {name: {_family(known[name]) for known in types} - {""} for name in names}
    mixed = [name for name, kind in kinds.items() if len(kind) > 1]
    frames = [frame.select(names).with_columns(pl.col(mixed).cast(pl.String)) for frame in frames]
    if mixed:
        names_told = told_quoted(mixed)
        notes.append(f"The files differ in what {names_told} holds; it is read as text.")
    return pl.concat(frames, how="vertical_relaxed", rechunk=True), notes


def _family(dtype: pl.DataType) -> str:
    """Return what kinds of types can be put under each other; nothing for all-empty columns."""
    if dtype == pl.Null:
        return ""
    if dtype.is_numeric():
        return "number"
    return "date" if dtype in (pl.Date, pl.Datetime) else str(dtype)
