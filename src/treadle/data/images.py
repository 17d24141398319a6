"""The photos of a data set: which there are, what they are labelled, what is wrong with them.

A data set is a folder with one sub-folder a class, or a CSV that names each photo and its label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.data import photo_notes, photo_table
from treadle.data.photo import decode, digest, photo_size, require_pillow
from treadle.data.photo_files import (
    SUFFIXES,
    count_photos,
    entries,
    existing,
    is_photo,
    no_classes,
    no_photos,
    photos_below,
)
from treadle.errors import DataError

__all__ = ["ImageIndex", "decode", "find_images", "list_photos", "threaded"]

LEAST_PER_CLASS = 3

In = TypeVar("In")
Out = TypeVar("Out")


class Listing(NamedTuple):
    """Photos and labels as they are named, before any file is opened."""

    root: Path
    files: list[Path]
    labels: list[str]
    notes: list[str]


@dataclass(frozen=True, kw_only=True)
class ImageIndex:
    """The photos of a data set, in a fixed order.

    root:    the folder that `files` are relative to
    files:   N paths; their names are what a group pattern is matched against
    labels:  N class names
    classes: the class names, sorted
    hashes:  N SHA-256 digests of the files' contents: photos with the same must not be parted
    sizes:   N pairs (width, height) in pixels, upright
    notes:   what was noticed and left out, in plain sentences
    """

    root: Path
    files: list[Path]
    labels: list[str]
    classes: list[str]
    hashes: list[str]
    sizes: list[tuple[int, int]]
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.files)

    @property
    def paths(self) -> list[Path]:
        """The full path of each photo."""
        return [self.root / file for file in self.files]

    @property
    def targets(self) -> NDArray[np.int64]:
        """The place of each photo's label in `classes`, int64 [N]."""
        places = {name: place for place, name in enumerate(self.classes)}
        return np.array([places[label] for label in self.labels], dtype=np.int64)

    def frame(self) -> pl.DataFrame:
        """Return one row a photo for the splitter: path, label, and hash as what a row holds."""
        paths = [file.as_posix() for file in self.files]
        return pl.DataFrame({"path": paths, "label": self.labels, "hash": self.hashes})

    def without(self, problems: Mapping[int, str]) -> ImageIndex:
        """Return the index without some photos, given as place in `files` → what is wrong with it.

        Raises: DataError when too few photos are left in a class.
        """
        if not problems:
            return self
        kept = [place for place in range(len(self)) if place not in problems]
        broken = [(self.files[place], problems[place]) for place in sorted(problems)]
        labels = [self.labels[place] for place in kept]
        notes = [*self.notes, photo_notes.left_out("could not be read", broken)]
        _check_classes(self.root, labels, notes)
        return replace(
            self,
            files=[self.files[place] for place in kept],
            labels=labels,
            classes=sorted(set(labels)),
            hashes=[self.hashes[place] for place in kept],
            sizes=[self.sizes[place] for place in kept],
            notes=notes,
        )


def find_images(path: Path | str, *, target: str = "", threads: int = 8) -> ImageIndex:
    """Find the labelled photos of a folder with one sub-folder a class, or of a CSV of path,label.

    Each file is read once, in `threads` threads, for its digest and its header; a photo that
    cannot be read is left out and named in `notes`. `target` is the CSV's label column, where
    its name does not tell.

    Raises: DataError for no such path, no photos, fewer than two classes, or a class with fewer
    than three photos; MissingExtraError without Pillow.
    """
    require_pillow()
    path = existing(path)
    listing = _from_folder(path) if path.is_dir() else _from_csv(path, target)
    index = _inspected(listing, threads)
    _check_classes(path, index.labels, index.notes)
    noticed = [*photo_notes.on_masks(index), *photo_notes.on_duplicates(index)]
    return replace(index, notes=[*index.notes, *noticed])


def list_photos(path: Path | str) -> tuple[Path, list[Path]]:
    """Return (root, files relative to it) of new photos: one photo, a folder of any depth, a CSV.

    A CSV's rows stay in their order, whether their files exist or not.

    Raises: DataError for no such path, a folder without photos, a CSV without a column of paths.
    """
    path = existing(path)
    if path.is_dir():
        files = [file.relative_to(path) for file in photos_below(path)]
        if not files:
            raise no_photos(path)
        return path, files
    if path.suffix.lower() in SUFFIXES:
        return path.parent, [Path(path.name)]
    return path.parent, photo_table.read_paths(path)


def threaded(work: Callable[[In], Out], items: Iterable[In], threads: int) -> list[Out]:
    """Return `work` of each item in order; reading, hashing and unpacking let go of the GIL."""
    with ThreadPoolExecutor(max(1, threads)) as pool:
        return list(pool.map(work, items))


def _from_folder(root: Path) -> Listing:
    """List the photos that lie directly in the sub-folders of `root`."""
    folders = [entry for entry in entries(root) if entry.is_dir()]
    found = {folder: [file for file in entries(folder) if is_photo(file)] for folder in folders}
    if not any(found.values()):
        raise no_classes(root)
    files, labels = [], []
    for folder, photos in found.items():
        files += [file.relative_to(root) for file in photos]
        labels += [folder.name] * len(photos)
    return Listing(root, files, labels, photo_notes.on_folders(root, found))


def _from_csv(path: Path, target: str) -> Listing:
    files, labels, notes = photo_table.read_labelled(path, target)
    return Listing(path.parent, files, labels, notes)


def _inspected(listing: Listing, threads: int) -> ImageIndex:
    """Read every file once: its digest and its size, or what is wrong with it."""

    def inspect(file: Path) -> tuple[str, tuple[int, int], str]:
        try:
            content = (listing.root / file).read_bytes()
            return digest(content), photo_size(content), ""
        except FileNotFoundError:
            return "", (0, 0), "there is no such file"
        except OSError as error:
            return "", (0, 0), error.strerror or str(error)
        except DataError as error:
            return "", (0, 0), error.message

    seen = threaded(inspect, listing.files, threads)
    kept = [place for place, (_, _, problem) in enumerate(seen) if not problem]
    broken = [(listing.files[i], problem) for i, (_, _, problem) in enumerate(seen) if problem]
    labels = [listing.labels[place] for place in kept]
    said = [photo_notes.left_out("could not be read", broken)] if broken else []
    notes = [*listing.notes, *said]
    return ImageIndex(
        root=listing.root,
        files=[listing.files[place] for place in kept],
        labels=labels,
        classes=sorted(set(labels)),
        hashes=[seen[place][0] for place in kept],
        sizes=[seen[place][1] for place in kept],
        notes=notes,
    )


def _check_classes(path: Path, labels: Sequence[str], notes: Sequence[str]) -> None:
    """Raise DataError unless there are two classes or more, of three photos or more each."""
    counts = Counter(labels)
    listed = ", ".join(f"{name} ({count:,})" for name, count in sorted(counts.items())[:20])
    why = "".join(f"\n{note}" for note in notes)
    if len(counts) < 2:
        raise DataError(
            f"{path}: {f'only one class was found: {listed}' if counts else 'no photo is left'}."
            f"{why}",
            "Training needs photos of two classes or more: one sub-folder a class, such as "
            "good/ and defect/.",
        )
    few = {name: count for name, count in sorted(counts.items()) if count < LEAST_PER_CLASS}
    if few:
        named = ", ".join(f"{name} has {count_photos(count)}" for name, count in few.items())
        raise DataError(
            f"{path}: too few photos of a class: {named}.{why}",
            f"Each class needs at least {LEAST_PER_CLASS} photos, one each to learn, to choose and "
            "to test by. Add photos, put the class together with another, or take it out.",
        )
