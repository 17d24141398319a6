"""A CSV that names photos, and for training their labels: which column is which."""

from __future__ import annotations

from pathlib import Path, PurePath

import polars as pl

from treadle.data.photo_files import SUFFIXES, inside, is_file
from treadle.errors import DataError, did_you_mean

_LABEL_NAMES = ("label", "class", "target", "category")
_SEPARATORS = ",;\t|"
_LOOKED_AT = 200


def read_labelled(
    path: Path, target: str = "", folder: Path | None = None
) -> tuple[list[Path], list[str], list[str]]:
    """Return (photos relative to their folder, labels, notes); rows without either are left out.

    folder: where the photos lie, by default the CSV's own folder

    Raises: DataError when the columns cannot be told, a path leads out of the folder, most files
    are missing, or no row is left.
    """
    table, root = _read(path), folder or path.parent
    files = _path_column(path, root, table)
    labels = _label_column(path, table, files, target)
    rows = table.select(
        pl.col(files).str.strip_chars().alias("file"), pl.col(labels).str.strip_chars().alias("of")
    )
    whole = rows.with_row_index("line", offset=2)
    whole = whole.filter((pl.col("file") != "") & (pl.col("of") != ""))
    notes = [f"The photos are in the column {files}, their labels in {labels}."]
    if missing := len(rows) - len(whole):
        rows_said = "1 row" if missing == 1 else f"{missing:,} rows"
        notes.append(f"{rows_said} without a path or a label were left out.")
    found = [_as_path(root, name) for name in whole["file"]]
    photos = [photo for photo in found if photo is not None]
    if len(photos) < len(found):
        outside = [whole.row(at) for at, photo in enumerate(found) if photo is None]
        raise _outside(path, root, [(line, name) for line, name, _ in outside], len(found))
    _check_found(path, root, photos)
    return photos, whole["of"].to_list(), notes


def read_paths(path: Path, folder: Path | None = None) -> list[Path | None]:
    """Return the photos that a CSV names, relative to `folder` (the CSV's own), a row each.

    A path that leads out of the folder is None.

    Raises: DataError when no column holds paths.
    """
    table, root = _read(path), folder or path.parent
    names = table[_path_column(path, root, table)].str.strip_chars().fill_null("")
    return [_as_path(root, name) for name in names]


def _read(path: Path) -> pl.DataFrame:
    """Read every column as text, with the separator that its first line uses most."""
    try:
        content = path.read_bytes()
        first = content.split(b"\n", 1)[0].decode("utf-8-sig", errors="replace")
        separator = max(_SEPARATORS, key=first.count)
        table = pl.read_csv(
            content, separator=separator, infer_schema=False, encoding="utf8-lossy"
        ).fill_null("")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            f"{path}: it cannot be read as a table ({error}).",
            "Expected a CSV with the columns path and label, or a folder of photos.",
        ) from None
    if not len(table):
        raise DataError(f"{path}: the table has no rows.", "Expected one row a photo: path,label.")
    return table


def _path_column(path: Path, root: Path, table: pl.DataFrame) -> str:
    """Return the column whose values are files most often, or else look like photos most often."""

    def share(name: str) -> tuple[float, float]:
        names = [value.strip() for value in table[name][:_LOOKED_AT] if value.strip()]
        values = [_as_path(root, value) for value in names]
        there = sum(value is not None and is_file(root / value) for value in values)
        alike = sum(PurePath(value).suffix.lower() in SUFFIXES for value in names)
        return there / max(1, len(values)), alike / max(1, len(values))

    best = max(table.columns, key=share)
    if share(best) == (0.0, 0.0):
        raise DataError(
            f"{path}: no column holds paths of photos; the columns are {', '.join(table.columns)}.",
            f"Expected a column path, with paths relative to {root}.",
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


def _check_found(path: Path, root: Path, photos: list[Path]) -> None:
    absent = [file for file in photos if not is_file(root / file)]
    if len(absent) * 2 > len(photos):
        named = ", ".join(str(file) for file in absent[:5])
        raise DataError(
            f"{path}: {len(absent):,} of its {len(photos):,} photos do not exist: {named}.",
            f"Paths are taken relative to {root.resolve()}; --photos FOLDER names another folder.",
        )


def _outside(path: Path, root: Path, named: list[tuple[int, str]], count: int) -> DataError:
    first = "; ".join(f"line {line}: {name[:200]}" for line, name in named[:5])
    more = f"; and {len(named) - 5:,} more" if len(named) > 5 else ""
    return DataError(
        f"{path}: {len(named):,} of its {count:,} paths lead out of {root.resolve()}: "
        f"{first}{more}.",
        "A table may only name photos in its own folder, so that one from somebody else cannot "
        "reach your files. If these are the ones you mean: --photos FOLDER, a folder above them.",
    )


def _as_path(root: Path, name: str) -> Path | None:
    """Return the path below `root`, reading \\ as / where only that is a file; None if outside."""
    if "\\" in name and not is_file(root / name):
        name = name.replace("\\", "/")
    return inside(root, name)
