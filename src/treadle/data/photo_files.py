"""Which files of a folder are photos, whatever their labels; and what to say where none are."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from treadle.data.finding import counted
from treadle.errors import DataError

SUFFIXES = frozenset(".jpg .jpeg .jpe .jfif .mpo .png .webp .bmp .tif .tiff".split())

_SPLIT_NAMES = frozenset("train training val valid validation test testing".split())


def photos_below(root: Path) -> list[Path]:
    return [file for file in _files_below(root) if is_photo(file)]


def _files_below(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        yield from (Path(folder) / name for name in sorted(names) if not _is_hidden(name))


def entries(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not _is_hidden(entry.name))


def is_photo(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()


def _is_hidden(name: str) -> bool:
    """What systems leave in folders: .DS_Store, ._photo.jpg, Thumbs.db, desktop.ini, __MACOSX."""
    return name.startswith(".") or name.lower() in ("thumbs.db", "desktop.ini", "__macosx")


def is_file(path: Path) -> bool:
    """Return whether a path, of any letters and length, is a file."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, or one with a NUL in it
        return False


def inside(root: Path, name: str) -> Path | None:
    """Return the path `name` relative to `root`, without ".."; None where it leads outside.

    Links are not looked at: they are in the folder because somebody put them there.
    """
    top = Path(os.path.normpath(root.absolute()))
    whole = Path(os.path.normpath(top / name))
    if whole.is_relative_to(top):
        return whole.relative_to(top)
    try:
        found = Path(name).resolve()  # the same place by its other name, where `root` is a link
    except (OSError, ValueError, RuntimeError):
        return None
    real = top.resolve()
    is_below = Path(name).is_absolute() and found.is_relative_to(real)
    return found.relative_to(real) if is_below else None


def leads_outside(root: Path, file: Path) -> bool:
    """Return whether a file below `root` is, or lies behind, a link to another place."""
    try:
        return not (root / file).resolve().is_relative_to(root.resolve())
    except (OSError, ValueError, RuntimeError):
        return False


def count_photos(count: int) -> str:
    return counted(count, "photo")


def existing(path: Path | str) -> Path:
    path = Path(path)
    if path.exists():
        return path
    near = next((parent for parent in path.parents if parent.exists()), Path())
    inside = ", ".join(sorted(p.name for p in near.iterdir())[:10]) if near.is_dir() else ""
    raise DataError(
        f"{path}: there is no such file or folder.",
        f"{near} holds: {inside or 'nothing'}." if near.is_dir() else "",
    )


def no_classes(root: Path) -> DataError:
    """Return what to say of a folder without photos in its sub-folders."""
    loose = [entry for entry in entries(root) if is_photo(entry)]
    below = photos_below(root)
    if loose:
        return DataError(
            f"{root}: {count_photos(len(loose))} in the folder itself, {loose[0].name} the first, "
            "and none in sub-folders.",
            "Training needs the class of each photo: make one sub-folder a class, such as good/ "
            "and defect/, or give a CSV with the columns path and label.",
        )
    if not below:
        return no_photos(root)
    parents = sorted({file.parent.relative_to(root) for file in below})
    tops = {parent.parts[0] for parent in parents}
    listed = ", ".join(str(parent) for parent in parents[:5])
    if tops & _SPLIT_NAMES:
        train = sorted(tops & _SPLIT_NAMES, key=lambda name: not name.startswith("train"))[0]
        hint = f"The parts are already split: give {root / train}, and the others as --test."
    else:
        folder = root / parents[0].parent
        hint = f"Give the folder whose sub-folders are the classes, such as {folder}."
    return DataError(
        f"{root}: the photos lie too deep, in {listed}; expected one sub-folder a class.", hint
    )


def no_photos(root: Path) -> DataError:
    endings = Counter(file.suffix.lower() or "no ending" for file in _files_below(root))
    held = ", ".join(f"{count:,} of {ending}" for ending, count in endings.most_common(5))
    return DataError(
        f"{root}: there are no photos in this folder; it holds {held or 'no files'}.",
        "Expected one sub-folder a class with JPEG, PNG, WebP, BMP or TIFF files.",
    )
