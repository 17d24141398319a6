"""One or many Parquet files as one table: its columns, its row groups, what is wrong with it."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from treadle.contracts import Json
from treadle.data.fingerprint import stamp
from treadle.errors import DataError, MissingExtraError, did_you_mean

ENDINGS = (".parquet", ".pq")
_SHOWN = 5


class Group(NamedTuple):
    """A row group: its file, its number there, and the number of its first row in the table."""

    file: int
    number: int
    first_row: int
    num_rows: int


@dataclass(frozen=True, kw_only=True)
class ParquetTable:
    """Files under each other, as their own footers describe them; no row was read yet.

    footers: pyarrow's FileMetaData of each file
    columns: name → pyarrow type, those of the first file
    groups:  the row groups that hold rows, in the order of the files
    stamps:  what each file was when its footer was read
    """

    paths: tuple[Path, ...]
    footers: tuple[Any, ...]
    columns: dict[str, Any]
    groups: tuple[Group, ...]
    stamps: tuple[tuple[int, int, int], ...]

    @property
    def num_rows(self) -> int:
        return sum(group.num_rows for group in self.groups)

    @property
    def largest_group(self) -> int:
        """The rows of the largest row group."""
        return max(group.num_rows for group in self.groups)

    def missing_values(self, names: Sequence[str]) -> dict[str, int]:
        """Return column → empty cells, of columns that have any as far as the footers tell."""
        found = {name: self._sum(name, "null_count") for name in names}
        return {name: count for name, count in found.items() if count}

    def largest_value(self, name: str) -> float:
        """Return the greatest absolute value of a column that the footers tell, or 0."""
        ends = [
            abs(float(end))
            for statistics in self._statistics(name)
            if statistics.has_min_max
            for end in (statistics.min, statistics.max)
        ]
        return max(ends, default=0.0)

    def fingerprint(self) -> Json:
        """Return what tells this data from other data: sizes, types, row groups, statistics."""
        digest = hashlib.sha256()
        for number in range(len(self.paths)):
            self._add_to(digest, number)
        return {"sha256": digest.hexdigest(), "rows": self.num_rows, "files": len(self.paths)}

    def marks(self) -> list[Json]:
        """Return each file's name with a digest of its own, so that a changed one can be named."""
        found = []
        for number, path in enumerate(self.paths):
            digest = hashlib.sha256()
            self._add_to(digest, number)
            found.append({"name": str(path), "sha256": digest.hexdigest()})
        return found

    def refuse_changed(self, number: int) -> None:
        """Make sure that a file is what it was when its footer was read. Raises: DataError."""
        path = self.paths[number]
        if stamp(path) != self.stamps[number]:
            raise DataError(
                f"'{path}' was changed while it was being trained on.",
                "Put the file back as it was and resume, or start a new run with the new one.",
            )

    def _add_to(self, digest: Any, number: int) -> None:
        path, footer = self.paths[number], self.footers[number]
        digest.update(f"{path.stat().st_size} {footer.schema.to_arrow_schema()}".encode())
        for group in range(footer.num_row_groups):
            digest.update(repr(footer.row_group(group).to_dict()).encode())

    def _sum(self, name: str, fact: str) -> int:
        return sum(int(getattr(found, fact) or 0) for found in self._statistics(name))

    def _statistics(self, name: str) -> list[Any]:
        """Return the statistics of a column in each row group that has some."""
        found = []
        for footer in self.footers:
            place = [column.path for column in footer.schema].index(name)
            for number in range(footer.num_row_groups):
                found.append(footer.row_group(number).column(place).statistics)  # noqa: PERF401
        return [statistics for statistics in found if statistics is not None]


def are_files(data: Any) -> bool:
    """Tell whether data was given as a path, or as paths."""
    if isinstance(data, (list, tuple)):
        return bool(data) and all(isinstance(path, (str, Path)) for path in data)
    return isinstance(data, (str, Path))


def open_parquet(data: Any) -> ParquetTable:
    """Read the footers of a file, a folder, a pattern (data/*.parquet), or several of these.

    Raises: DataError: no such file, broken or empty, files whose columns differ, all together.
    MissingExtraError without pyarrow.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("pyarrow", "parquet", "Training from Parquet files") from error
    given = [data] if isinstance(data, (str, Path)) else list(data)
    paths, problems = _expanded(given)
    stamps = tuple(map(stamp, paths))
    footers = []
    for path in paths:
        footer, problem = _footer(path)
        footers.append(footer)
        problems += problem
    problems = problems or _unlike(paths, footers)
    groups = _groups(footers) if not problems else ()
    if not problems and not groups:
        named = ", ".join(f"'{path}'" for path in paths[:_SHOWN])
        problems = [(f"{named}: there is no row.", "Training needs at least one row.")]
    if problems:
        raise DataError.of(problems)
    columns = {field.name: field.type for field in footers[0].schema.to_arrow_schema()}
    return ParquetTable(
        paths=tuple(paths),
        footers=tuple(footers),
        columns=columns,
        groups=groups,
        stamps=stamps,
    )


def _expanded(given: Sequence[str | Path]) -> tuple[list[Path], list[tuple[str, str]]]:
    paths: list[Path] = []
    problems = []
    for entry in given:
        path = Path(entry)
        if path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.suffix.lower() in ENDINGS)
        elif path.exists():
            found = [path]
        else:
            found = [Path(match) for match in sorted(glob.glob(str(entry)))]  # noqa: PTH207 (an absolute pattern)
        if not found:
            what = "holds no Parquet file" if path.is_dir() else "is not there"
            problems.append((f"'{entry}' {what}.", "Give a .parquet file, or a folder of them."))
        paths += found
    return paths, problems


def _footer(path: Path) -> tuple[Any, list[tuple[str, str]]]:
    """Return (the footer of a file, nothing) or (None, what is wrong)."""
    import pyarrow
    import pyarrow.parquet

    if path.suffix.lower() not in ENDINGS:
        return None, [
            (
                f"'{path}' is no Parquet file by its ending; other files are not read in pieces.",
                "Write it as Parquet (polars: scan_csv(…).sink_parquet(…)), or read it into "
                "tensors and give those.",
            )
        ]
    try:
        return pyarrow.parquet.read_metadata(path), []
    except (pyarrow.ArrowException, OSError) as error:
        told = str(error).strip().splitlines()[0][:200]
        return None, [
            (f"'{path}' cannot be read as Parquet: {told}", "Is it whole? Write it anew.")
        ]


def _unlike(paths: Sequence[Path], footers: Sequence[Any]) -> list[tuple[str, str]]:
    """Return how the columns of later files differ from those of the first."""
    if not footers:
        return []
    schemas = [footer.schema.to_arrow_schema() for footer in footers]
    first = {field.name: field.type for field in schemas[0]}
    problems = []
    for path, schema in zip(paths[1:], schemas[1:], strict=True):
        own = {field.name: field.type for field in schema}
        told = [f"lacks '{name}'" for name in first if name not in own]
        told += [f"has '{name}' besides" for name in own if name not in first]
        told += [
            f"holds '{name}' as {own[name]}, not {kind}"
            for name, kind in first.items()
            if name in own and own[name] != kind
        ]
        if told:
            more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
            problems.append(
                (
                    f"'{path}' differs from '{paths[0]}': it {', '.join(told[:_SHOWN])}{more}.",
                    "Files of one table need the same columns of the same types.",
                )
            )
    return problems


def _groups(footers: Sequence[Any]) -> tuple[Group, ...]:
    groups = []
    first_row = 0
    for file, footer in enumerate(footers):
        for number in range(footer.num_row_groups):
            num_rows = footer.row_group(number).num_rows
            if num_rows:
                groups.append(Group(file, number, first_row, num_rows))
            first_row += num_rows
    return tuple(groups)


def no_such_column(name: str, known: Sequence[str]) -> tuple[str, str]:
    """Return what to say of a column that is not there."""
    listed = ", ".join(f"'{column}'" for column in known[:40])
    return f"there is no column '{name}'.", f"{did_you_mean(name, known)}The columns are: {listed}."
