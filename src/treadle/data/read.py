"""Reading tables: every file format, one or many files, and data in memory."""

from __future__ import annotations

import glob
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import polars as pl

from treadle.data.delimited import DelimitedFile, first_line, open_delimited, parse_delimited
from treadle.data.frames import to_frame
from treadle.data.recognise import CellFormat, recognise
from treadle.errors import DataError, MissingExtraError, did_you_mean

__all__ = ["EXTENSIONS", "ReadResult", "read_memory", "read_tables", "to_frame"]

_DELIMITED = (".csv", ".tsv", ".txt")
_PACKED = tuple(name + packing for name in _DELIMITED for packing in (".gz", ".zst"))
_JSON = (".jsonl", ".ndjson", ".json")
_PARQUET = (".parquet", ".pq")
_EXCEL = (".xlsx", ".xlsm", ".xls", ".xlsb")
EXTENSIONS = (*_DELIMITED, *_PACKED, *_JSON, *_PARQUET, *_EXCEL)
"""File name endings that `read_tables` knows."""

In = TypeVar("In")
Out = TypeVar("Out")
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class ReadResult:
    """A table as read.

    notes:   plain sentences on what was recognised or assumed
    formats: column → how its cells were written, for the schema and for reading later files alike
    """

    frame: pl.DataFrame
    notes: list[str] = field(default_factory=list)
    formats: dict[str, CellFormat] = field(default_factory=dict)


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
    told = [note for part in opened for note in part.notes]
    told += [note for part in opened if part.delimited for note in part.delimited.notes]
    if codes:
        names = ", ".join(f"'{name}'" for name in codes[:_SHOWN])
        told.append(f"Cells of {names} begin with 0, so they are read as codes, not as numbers.")
    return ReadResult(frame=found.frame, notes=told + notes + found.notes, formats=found.formats)


def read_memory(data: object, *, as_text: Collection[str] = ()) -> ReadResult:
    """Take in-memory data as a table, recognising dates among its text columns."""
    found = recognise(to_frame(data), numbers=False, as_text=as_text)
    if found.frame.height == 0:
        raise DataError("The table has no rows.", "give a table with rows")
    return ReadResult(frame=found.frame, notes=found.notes, formats=found.formats)


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
                f"The folder {path} holds no table; it holds {_told([p.name for p in inside])}.",
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


def _told(names: list[str]) -> str:
    if not names:
        return "nothing"
    return ", ".join(names[:_SHOWN]) + (
        f" and {len(names) - _SHOWN} more" if names[_SHOWN:] else ""
    )


def _told_quoted(names: list[str]) -> str:
    return _told([f"'{name}'" for name in names])


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
        f"{suggestion}{parent.resolve()} holds {_told(tables or neighbours)}",
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
    if extension in _PARQUET:
        return _Part(path=path, frame=_with_rows(path, _read_parquet(path)))
    if extension in _JSON:
        return _Part(path=path, frame=_with_rows(path, _read_json(path)))
    if extension in _EXCEL:
        frame, notes = _read_excel(path, sheet)
        return _Part(path=path, frame=_with_rows(path, frame), typed=False, notes=notes)
    return _Part(path=path, delimited=open_delimited(path), typed=False)


def _with_rows(path: Path, frame: pl.DataFrame) -> pl.DataFrame:
    if frame.height == 0 or frame.width == 0:
        raise DataError(f"{path} has no rows.", "give a file with rows")
    return frame


def _read_parquet(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, hive_partitioning=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            f"{path} is not a whole Parquet file: {first_line(error)}", "write it again"
        ) from error


def _read_json(path: Path) -> pl.DataFrame:
    """Read JSON lines, or one JSON list of objects; objects inside objects become a.b columns."""
    try:
        with path.open("rb") as file:
            is_list = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["
        reader = pl.read_json if is_list else pl.read_ndjson
        frame = reader(path, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            f"{path} is not JSON lines (one object a line){_broken_lines(path)}.",
            "repair these lines, or write the file again",
        ) from error
    structs = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Struct)]
    for name in structs:
        frame = frame.unnest(name, separator=".")
    return frame


def _broken_lines(path: Path) -> str:
    broken = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            whole = not line.strip() or isinstance(json.loads(line), dict)
        except ValueError:
            whole = False
        if not whole:
            broken.append(str(number))
        if len(broken) == _SHOWN:
            break
    return f": line {', '.join(broken)}" if broken else ""


def _read_excel(path: Path, sheet: str | None) -> tuple[pl.DataFrame, list[str]]:
    try:
        import fastexcel
    except ImportError as error:
        raise MissingExtraError("fastexcel", "excel", f"Reading {path.name}") from error
    try:
        names = fastexcel.read_excel(path).sheet_names
    except fastexcel.FastExcelError as error:
        raise DataError(f"{path} is not a readable Excel file.", "save it again") from error
    if sheet is not None and sheet not in names:
        raise DataError(
            f"{path} has no sheet '{sheet}'; it has {_told_quoted(names)}.",
            f"{did_you_mean(sheet, names)}choose one with --sheet",
        )
    for name in [sheet] if sheet is not None else names:
        frame = _read_sheet(path, name)
        if frame.height:
            several = len(names) > 1 and sheet is None
            others = _told_quoted([other for other in names if other != name])
            said = f"{path.name}: the sheet '{name}' is read; --sheet chooses another ({others})."
            return frame, [said] if several else []
    raise DataError(
        f"{path} has no sheet with rows (sheets: {_told_quoted(names)}).",
        "a sheet needs a line of column names and rows below it",
    )


def _read_sheet(path: Path, sheet: str) -> pl.DataFrame:
    frame = pl.read_excel(path, sheet_name=sheet, infer_schema_length=None, raise_if_empty=False)
    names = frame.columns
    unnamed = [name for name in names if name.startswith("__UNNAMED__")]
    empty = [name for name in unnamed if frame[name].null_count() == frame.height]
    frame = frame.drop(empty)
    if frame.width and len(unnamed) - len(empty) > frame.width / 2:
        raise DataError(
            f"The first line of sheet '{sheet}' in {path} holds no column names.",
            "remove title lines above the table",
        )
    return frame.rename({name: name.strip() for name in frame.columns})


def _join(paths: list[Path], frames: list[pl.DataFrame]) -> tuple[pl.DataFrame, list[str]]:
    """Put tables under each other. Raises: DataError naming what each file lacks."""
    names = frames[0].columns
    everything = list(dict.fromkeys(name for frame in frames for name in frame.columns))
    problems = []
    for path, frame in zip(paths, frames, strict=True):
        lacking = [name for name in everything if name not in frame.columns]
        if lacking:
            problems.append((f"{path} lacks {_told_quoted(lacking)}.", ""))
    if problems:
        problems.append(("The files' columns must agree.", "give files of one kind"))
        raise DataError.of(problems)
    notes: list[str] = []
    kinds = {name: {_family(frame.schema[name]) for frame in frames} - {""} for name in names}
    mixed = [name for name, kind in kinds.items() if len(kind) > 1]
    frames = [frame.select(names).with_columns(pl.col(mixed).cast(pl.String)) for frame in frames]
    if mixed:
        told = _told_quoted(mixed)
        notes.append(f"The files differ in what {told} holds; it is read as text.")
    return pl.concat(frames, how="vertical_relaxed", rechunk=True), notes


def _family(dtype: pl.DataType) -> str:
    """Return what kinds of types can be put under each other; nothing for all-empty columns."""
    if dtype == pl.Null:
        return ""
    if dtype.is_numeric():
        return "number"
    return "date" if dtype in (pl.Date, pl.Datetime) else str(dtype)
