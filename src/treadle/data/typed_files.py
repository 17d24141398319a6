"""Tables whose files say what their cells are: Parquet, JSON and workbooks."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import polars as pl

from treadle.data.delimited import first_line, named_columns
from treadle.data.parquet_pages import check_pages
from treadle.data.unpacked import check_workbook
from treadle.errors import DataError, MissingExtraError, did_you_mean

JSON = (".jsonl", ".ndjson", ".json")
PARQUET = (".parquet", ".pq")
EXCEL = (".xlsx", ".xlsm", ".xls", ".xlsb")
_UNNAMED = "__UNNAMED__"
_SHOWN = 5


def told(names: list[str]) -> str:
    """Return the first five names and how many more there are."""
    if not names:
        return "nothing"
    return ", ".join(names[:_SHOWN]) + (
        f" and {len(names) - _SHOWN} more" if names[_SHOWN:] else ""
    )


def told_quoted(names: list[str]) -> str:
    """Return the same in quotation marks."""
    return told([f"'{name}'" for name in names])


def read_typed(path: Path, extension: str, sheet: str | None) -> tuple[pl.DataFrame, list[str]]:
    """Return a file's rows, and notes on what was chosen.

    Raises: DataError: no rows, broken, a name twice. MissingExtraError: no reader of workbooks.
    """
    if extension in EXCEL:
        frame, notes = _read_excel(path, sheet)
    else:
        frame, notes = (_read_parquet if extension in PARQUET else _read_json)(path), []
    if frame.height == 0 or frame.width == 0:
        raise DataError(f"{path} has no rows.", "give a file with rows")
    header = ["" if name.startswith(_UNNAMED) else name.strip() for name in frame.columns]
    repeated = [name for name, count in Counter(filter(None, header)).items() if count > 1]
    if repeated:
        raise DataError(
            f"{path} has several columns of the same name: {told_quoted(repeated)}.",
            "give each column its own name",
        )
    names = named_columns(header)
    if unnamed := [name for name, given in zip(names, header, strict=True) if not given]:
        names_told = ", ".join(unnamed[:_SHOWN])
        notes.append(
            f"{path.name}: columns without a name are called by their number ({names_told})."
        )
    return frame.rename(dict(zip(frame.columns, names, strict=True))), notes


def _read_parquet(path: Path) -> pl.DataFrame:
    check_pages(path)
    try:
        return pl.read_parquet(path, hive_partitioning=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
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
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
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
    check_workbook(path)
    try:
        names = fastexcel.read_excel(path).sheet_names
    except fastexcel.FastExcelError as error:
        raise DataError(f"{path} is not a readable Excel file.", "save it again") from error
    if sheet is not None and sheet not in names:
        raise DataError(
            f"{path} has no sheet '{sheet}'; it has {told_quoted(names)}.",
            f"{did_you_mean(sheet, names)}choose one with --sheet",
        )
    for name in [sheet] if sheet is not None else names:
        frame = _read_sheet(path, name)
        if frame.height:
            several = len(names) > 1 and sheet is None
            others = told_quoted([other for other in names if other != name])
            said = f"{path.name}: the sheet '{name}' is read; --sheet chooses another ({others})."
            return frame, [said] if several else []
    raise DataError(
        f"{path} has no sheet with rows (sheets: {told_quoted(names)}).",
        "a sheet needs a line of column names and rows below it",
    )


def _read_sheet(path: Path, sheet: str) -> pl.DataFrame:
    frame = _cells(path, sheet)
    names = frame.columns
    unnamed = [name for name in names if name.startswith(_UNNAMED)]
    empty = [name for name in unnamed if frame[name].null_count() == frame.height]
    frame = frame.drop(empty)
    if frame.width and len(unnamed) - len(empty) > frame.width / 2:
        raise DataError(
            f"The first line of sheet '{sheet}' in {path} holds no column names.",
            "remove title lines above the table",
        )
    repeated = [name for name, count in Counter(_first_line(path, sheet)).items() if count > 1]
    if repeated:
        raise DataError(
            f"Sheet '{sheet}' in {path} has several columns of the same name: "
            f"{told_quoted(repeated)}.",
            "give each column its own name",
        )
    return frame


def _cells(path: Path, sheet: str) -> pl.DataFrame:
    """Return a sheet's cells; as text where their types do not go together, such as 1 and 1e300."""
    import fastexcel

    try:
        try:
            return pl.read_excel(
                path, sheet_name=sheet, infer_schema_length=None, raise_if_empty=False
            )
        except pl.exceptions.PolarsError:
            return pl.read_excel(
                path, sheet_name=sheet, read_options={"dtypes": "string"}, raise_if_empty=False
            )
    except (fastexcel.FastExcelError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"The sheet '{sheet}' of {path} cannot be read: {first_line(error)}.", "save it again"
        ) from error


def _first_line(path: Path, sheet: str) -> list[str]:
    """Return the names in a sheet's first line as they stand; the reader makes them differ."""
    head = pl.read_excel(
        path,
        sheet_name=sheet,
        has_header=False,
        read_options={"n_rows": 1, "dtypes": "string"},
        raise_if_empty=False,
    )
    cells = head.row(0) if head.height else ()
    return [name for cell in cells if cell is not None and (name := str(cell).strip())]
