"""CSV and TSV files, as programs really write them: delimiter, encoding, header, broken rows."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from treadle.data.ragged import line_of_row, ragged_rows, rows_filled
from treadle.data.recognise import has_leading_zeros, uses_decimal_comma
from treadle.data.separators import SEPARATOR_WORDS, SEPARATORS, find_separator, first_rows
from treadle.data.spreadsheet import unmark_formulas, unmark_name
from treadle.data.unpacked import check_gzip
from treadle.errors import DataError

_SNIFFED_BYTES = 1 << 18
_INFERRED_ROWS = 10_000
_SHOWN = 5
_BLANK = b"\x00\r\n \t"
_OTHER_FORMATS = {
    b"PK\x03\x04": "a zip or Excel (.xlsx) file",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF document",
    b"\xd0\xcf\x11\xe0": "an old Excel (.xls) file",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}


@dataclass(kw_only=True)
class DelimitedFile:
    """A delimited file in memory: its text in UTF-8 and what its first rows showed.

    text:         bytes from the header on
    header:       column names, stripped; empty ones replaced by column_<number>
    european:     decimal commas were seen
    text_columns: columns whose cells look like codes (leading zeros) and must stay text
    line_offset:  lines of the file before `text`
    """

    path: Path
    text: bytes
    separator: str
    header: list[str]
    european: bool
    text_columns: list[str]
    line_offset: int
    notes: list[str] = field(default_factory=list)


def open_delimited(path: Path) -> DelimitedFile:
    """Read and look at a delimited file without parsing its cells.

    Raises: DataError: empty, no rows, not text, broken header; all that is wrong together.
    """
    raw = _decompressed(path)
    if not raw[:4096].strip(_BLANK) and not raw.strip(_BLANK):
        raise DataError(f"{path} is empty.", "give a file with a line of column names and rows")
    for magic, what in _OTHER_FORMATS.items():
        if raw.startswith(magic):
            raise DataError(
                f"{path} is {what}, though its name says text.", "rename it to what it is"
            )
    text, notes = _to_utf8(raw, path)
    text, line_offset, separator = _without_preamble(text)
    if not text.strip(_BLANK):
        raise DataError(f"{path} is empty.", "give a file with a line of column names and rows")
    rows = first_rows(text, separator or (separator := find_separator(text, path)))
    if separator != ("\t" if ".tsv" in path.name.lower() else ","):
        notes.append(f"{path.name}: cells are parted by {SEPARATOR_WORDS[separator]}.")
    header = [unmark_name(name.strip()) for name in rows[0]] if rows else []
    _check_header(path, header, rows)
    unnamed = [i for i, name in enumerate(header) if not name]
    header = named_columns(header)
    if unnamed:
        names = ", ".join(header[i] for i in unnamed[:_SHOWN])
        notes.append(f"{path.name}: columns without a name are called by their number ({names}).")
    if odd := next((name for name in header if _is_number(name)), None):
        notes.append(f"{path.name}: the column name '{odd}' looks like data; is line 1 a header?")
    sample = _sample_columns(header, rows)
    return DelimitedFile(
        path=path,
        text=text,
        separator=separator,
        header=header,
        european=any(map(uses_decimal_comma, sample)),
        text_columns=[column.name for column in sample if has_leading_zeros(column)],
        line_offset=line_offset,
        notes=notes,
    )


def named_columns(header: list[str]) -> list[str]:
    """Return a name for every column: its own, or one of its number that nothing else has."""
    taken = set(header)
    names = []
    for number, name in enumerate(header, 1):
        if not name:
            name = f"column_{number}"
            while name in taken:
                name += "_"
            taken.add(name)
        names.append(name)
    return names


def parse_delimited(
    file: DelimitedFile, *, as_text: Collection[str], all_text: bool
) -> pl.DataFrame:
    """Parse the cells. Columns in `as_text`, or all with `all_text`, come as String.

    Raises: DataError: rows with too many or too few cells, with their line numbers; open quotes.
    """
    try:
        frame = _parse(file, as_text=as_text, all_text=all_text, quote='"')
        # Polars fills short rows with nulls, so only rows that end in null can be short.
        if frame[:, -1].null_count() and (broken := _ragged(file, quoted=True)):
            raise _ragged_error(file, broken)
    except pl.exceptions.PolarsError as error:
        frame = _parse_in_spite_of(file, as_text, error)
    frame = _without_blank_lines(file, frame)
    frame, marked = unmark_formulas(frame)
    if marked:
        names = ", ".join(f"'{name}'" for name in marked[:_SHOWN])
        file.notes.append(
            f"{file.path.name}: a mark (') before =, +, - or @ is taken off the cells of {names}."
        )
    if frame.height == 0:
        raise DataError(f"{file.path} has column names but no rows.", "give a file with rows")
    return frame


def _without_blank_lines(file: DelimitedFile, frame: pl.DataFrame) -> pl.DataFrame:
    """Drop the rows that blank lines became; rows of empty cells stay, for they are rows."""
    if not frame[:, 0].null_count():
        return frame
    empty = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
    if not empty.any():
        return frame
    filled = rows_filled(file.text, quoted=True)
    if filled is not None and len(filled) >= frame.height and not filled[frame.height :].any():
        empty &= ~pl.Series(filled[: frame.height])
    inside = empty & (pl.int_range(empty.len(), eager=True) < (~empty).arg_true().max())
    if frame.width == 1 and inside.any():
        file.notes.append(f"{file.path.name}: {int(inside.sum()):,} blank lines are passed over.")
    return frame.filter(~empty)


def _parse(
    file: DelimitedFile, *, as_text: Collection[str], all_text: bool, quote: str | None
) -> pl.DataFrame:
    def read(infer: bool) -> pl.DataFrame:
        return pl.read_csv(
            file.text,
            separator=file.separator,
            quote_char=quote,
            infer_schema=infer,
            infer_schema_length=_INFERRED_ROWS,
            with_column_names=lambda _: file.header,
            schema_overrides={name: pl.String for name in as_text if name in file.header},
        )

    if all_text:
        return read(infer=False)
    try:
        return read(infer=True)
    except pl.exceptions.PolarsError:
        # A later row did not fit the type the first rows showed: types come from the text then.
        return read(infer=False)


def _parse_in_spite_of(
    file: DelimitedFile, as_text: Collection[str], error: Exception
) -> pl.DataFrame:
    """Tell why a parse failed, or parse with quotation marks as plain characters if that fits."""
    broken = _ragged(file, quoted=True)
    if broken is not None and broken:
        raise _ragged_error(file, broken)
    if b'"' in file.text and not _ragged(file, quoted=False):
        file.notes.append(f"{file.path.name}: quotation marks are taken as plain characters.")
        return _parse(file, as_text=as_text, all_text=True, quote=None)
    if broken is None:
        raise DataError(
            f"{file.path} has a quotation mark that is never closed.",
            'close it, or write quotation marks inside a cell as ""',
        ) from error
    raise DataError(
        f"{file.path} cannot be read: {first_line(error)}", "save it again as CSV"
    ) from error


def _decompressed(path: Path) -> bytes:
    raw = path.read_bytes()
    try:
        if raw[:2] == b"\x1f\x8b":
            check_gzip(path, raw)
            return gzip.decompress(raw)
        if raw[:4] == b"\x28\xb5\x2f\xfd":
            return "\n".join(pl.read_lines(raw).to_series().to_list()).encode()
    except (OSError, EOFError, zlib.error, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"{path} cannot be unpacked: {first_line(error)}", "pack it again"
        ) from error
    return raw


def _to_utf8(raw: bytes, path: Path) -> tuple[bytes, list[str]]:
    """Return (the text in UTF-8 with \\n line ends somewhere, notes)."""
    encoding = _encoding(raw)
    try:
        text = raw if encoding == "utf-8" else raw.decode(encoding).encode()
    except UnicodeDecodeError as error:
        line = raw[: error.start].decode(encoding, errors="replace").count("\n") + 1
        raise DataError(
            f"{path} is not text in UTF-8, UTF-16 or Windows-1252: line {line} holds bytes that "
            f"are no letters (byte {error.start}).",
            "save it again as CSV in UTF-8",
        ) from error
    if b"\x00" in text[:_SNIFFED_BYTES]:
        raise DataError(f"{path} is not a text file.", "give a CSV, TSV, Parquet or .xlsx file")
    notes = [] if encoding == "utf-8" else [f"{path.name} is read as {encoding} text."]
    if text.startswith(b"\xef\xbb\xbf"):
        text = text[3:]
        notes.append(f"{path.name}: the byte-order mark at its beginning is passed over.")
    if b"\n" not in text:
        text = text.replace(b"\r", b"\n")
    return text, notes


def _encoding(raw: bytes) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    head = raw[:4096]
    zeros = np.frombuffer(head[: len(head) // 2 * 2], np.uint8).reshape(-1, 2) == 0
    if zeros.size and zeros[:, 1].mean() > 0.4:
        return "utf-16-le"
    if zeros.size and zeros[:, 0].mean() > 0.4:
        return "utf-16-be"
    if raw.isascii():
        return "utf-8"
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return "windows-1252"
    return "utf-8"


def _without_preamble(text: bytes) -> tuple[bytes, int, str]:
    """Drop blank first lines and Excel's "sep=;": (text, lines dropped, the separator it names)."""
    stripped = text.lstrip(b"\r\n")
    dropped = text[: len(text) - len(stripped)].count(b"\n")
    end = stripped.find(b"\n")
    name = stripped[: max(end, 0)].rstrip(b"\r").strip(b'" ').decode(errors="replace")
    if name.lower().startswith("sep=") and name[4:5] in SEPARATORS:
        return stripped[end + 1 :], dropped + 1, name[4:5]
    return stripped, dropped, ""


def first_line(error: Exception) -> str:
    """Return what an error of another library says, without its details."""
    return str(error).partition("\n")[0]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def line_in_file(path: Path, row: int) -> int | None:
    """Return the line of a delimited file on which its row (0: the first below the names) stands.

    The file is read again: this is for errors. None when it cannot be told.
    """
    try:
        file = open_delimited(path)
    except (DataError, OSError):
        return None
    quoted = _ragged(file, quoted=True) == []
    line = line_of_row(file.text, row + 1, quoted=quoted)
    return None if line is None else line + file.line_offset


def _check_header(path: Path, header: list[str], rows: list[list[str]]) -> None:
    problems: list[tuple[str, str]] = []
    repeated = [name for name, count in Counter(filter(None, header)).items() if count > 1]
    filled = [name for name in header if name]
    if filled and all(map(_is_number, filled)) and len(rows) != 1:
        problems.append(
            (
                f"The first line of {path} holds only numbers: its column names seem missing.",
                "put a line of column names first",
            )
        )
    elif repeated:
        names = ", ".join(f"'{name}'" for name in repeated[:_SHOWN])
        problems.append(
            (
                f"{path} has several columns of the same name: {names}.",
                "give each column its own name; if the first line is data, put names above it",
            )
        )
    if len(rows) == 1:
        problems.append((f"{path} has column names but no rows.", "give a file with rows"))
    if problems:
        raise DataError.of(problems)


def _sample_columns(header: list[str], rows: list[list[str]]) -> list[pl.Series]:
    width = len(header)
    whole = [row for row in rows[1:] if len(row) == width]
    return [pl.Series(name, [row[i] for row in whole], pl.String) for i, name in enumerate(header)]


def _ragged(file: DelimitedFile, *, quoted: bool) -> list[tuple[int, int]] | None:
    """Return (line of the file, number of cells) of rows unlike the header; None: open quote."""
    broken = ragged_rows(file.text, separator=file.separator, width=len(file.header), quoted=quoted)
    return None if broken is None else [(n + file.line_offset, cells) for n, cells in broken]


def _ragged_error(file: DelimitedFile, broken: list[tuple[int, int]]) -> DataError:
    shown = ", ".join(f"line {line} has {cells}" for line, cells in broken[:_SHOWN])
    more = f" and {len(broken) - _SHOWN:,} more" if len(broken) > _SHOWN else ""
    return DataError(
        f"{file.path} has {len(file.header)} column names, but not every row has that many "
        f"cells: {shown}{more}.",
        f"put cells that contain {SEPARATOR_WORDS[file.separator]} in quotation marks, and "
        "remove title or total lines",
    )
