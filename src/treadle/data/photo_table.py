"""A CSV that names photos, and for training their labels: which column is which."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from treadle.data.photo_files import SUFFIXES
from treadle.errors import DataError, did_you_mean

_LABEL_NAMES = ("label", "class", "target", "category")
_SEPARATORS = ",;\t|"
_LOOKED_AT = 200


def read_labelled(path: Path, target: str = "") -> tuple[list[Path], list[str], list[str]]:
    """Return (photos relative to the CSV's folder, their labels, notes); rows without either go.

    Raises: DataError when the columns cannot be told, most files are missing, or no row is left.
    """
    table = _read(path)
    files = _path_column(path, table)
    labels = _label_column(path, table, files, target)
    rows = table.select(
        pl.col(files).str.strip_chars().alias("file"), pl.col(labels).str.strip_chars().alias("of")
    )
    whole = rows.filter((pl.col("file") != "") & (pl.col("of") != ""))
    notes = [f"The photos are in the column {files}, their labels in {labels}."]
    if missing := len(rows) - len(whole):
        rows_said = "1 row" if missing == 1 else f"{missing:,} rows"
        notes.append(f"{rows_said} without a path or a label were left out.")
    photos = [_as_path(path.parent, name) for name in whole["file"]]
    _check_found(path, photos)
    return photos, whole["of"].to_list(), notes


def read_paths(path: Path) -> list[Path]:
    """Return the photos that a CSV names, relative to its folder, one for each row in order.

    Raises: DataError when no column holds paths.
    """
    table = _read(path)
    names = table[_path_column(path, table)].str.strip_chars().fill_null("")
    return [_as_path(path.parent, name) for name in names]


def _read(path: Path) -> pl.DataFrame:
    """Read every column as text, with the separator that its first line uses most."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as lines:
            first = lines.readline()
        separator = max(_SEPARATORS, key=first.count)
        table = pl.read_csv(
            path, separator=separator, infer_schema=False, encoding="utf8-lossy"
        ).fill_null("")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            f"{path}: it cannot be read as a table ({error}).",
            "Expected a CSV with the columns path and label, or a folder of photos.",
        ) from None
    if not len(table):
        raise DataError(f"{path}: the table has no rows.", "Expected one row a photo: path,label.")
    return table


def _path_column(path: Path, table: pl.DataFrame) -> str:
    """Return the column whose values are files most often, or else look like photos most often."""

    def share(name: str) -> tuple[float, float]:
        values = [_as_path(path.parent, value) for value in table[name][:_LOOKED_AT] if value]
        there = sum((path.parent / value).is_file() for value in values)
        alike = sum(value.suffix.lower() in SUFFIXES for value in values)
        return there / max(1, len(values)), alike / max(1, len(values))

    best = max(table.columns, key=share)
    if share(best) == (0.0, 0.0):
        raise DataError(
            f"{path}: no column holds paths of photos; the columns are {', '.join(table.columns)}.",
            f"Expected a column path, with paths relative to {path.parent}.",
        )
    return best


def _label_column(path: Path, table: pl.DataFrame, files: str, target: str) -> str:
    others = [name for name in table.columns if name != files]
    if target:
        if target in others:
            return target
        raise DataError(
            f"{path}: there is no column {target} with labels; there are {', '.join(others)}.",
            did_you_mean(target, others),
        )
    if len(others) == 1:
        return others[0]
    named = [name for name in others if name.strip().lower() in _LABEL_NAMES]
    if len(named) == 1:
        return named[0]
    raise DataError(
        f"{path}: which column holds the labels is not plain; besides {files} there are "
        f"{', '.join(others) or 'none'}.",
        "Name it with --target." if others else "Add a column label.",
    )


def _check_found(path: Path, photos: list[Path]) -> None:
    absent = [file for file in photos if not (path.parent / file).is_file()]
    if len(absent) * 2 > len(photos):
        named = ", ".join(str(file) for file in absent[:5])
        raise DataError(
            f"{path}: {len(absent):,} of its {len(photos):,} photos do not exist: {named}.",
            f"Paths are taken relative to {path.parent.resolve()}.",
        )


def _as_path(root: Path, name: str) -> Path:
    """Return the path as written, or with \\ read as / where only that is a file."""
    if "\\" in name and not (root / name).is_file():
        return Path(name.replace("\\", "/"))
    return Path(name)
