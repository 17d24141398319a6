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
from treadle.data.photo import Oddity, decode, digest, header, photo_bytes, require_pillow
from treadle.data.photo_files import (
    SUFFIXES,
    count_photos,
    entries,
    existing,
    is_file,
    is_photo,
    leads_outside,
    no_classes,
    no_photos,
    photos_below,
)
from treadle.errors import DataError

__all__ = ["ImageIndex", "check_broken", "decode", "find_images", "list_photos", "threaded"]

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
    num_broken: how many were left out because they could not be read
    """

    root: Path
    files: list[Path]
    labels: list[str]
    classes: list[str]
    hashes: list[str]
    sizes: list[tuple[int, int]]
    notes: list[str] = field(default_factory=list)
    num_broken: int = 0

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


def find_images(
    path: Path | str, *, target: str = "", photos: Path | str | None = None, threads: int = 8
) -> ImageIndex:
    """Find the labelled photos of a folder with one sub-folder a class, or of a CSV of path,label.

    Each file is read once, in `threads` threads, for its digest and its header; a photo that
    cannot be read is left out and named in `notes`.

    target: the CSV's label column, where its name does not tell
    photos: the folder that the CSV's paths are relative to and may not lead out of; its own

    Raises: DataError for no such path, no photos, more than one in a hundred broken, fewer than
    two classes, or a class with fewer than three photos; MissingExtraError without Pillow.
    """
    require_pillow()
    path = existing(path)
    listing = _from_folder(path) if path.is_dir() else _from_csv(path, target, photos)
    index = _inspected(listing, threads)
    check_broken(path, index.num_broken, len(index) + index.num_broken, index.notes)
    _check_classes(path, index.labels, index.notes)
    noticed = [*photo_notes.on_masks(index), *photo_notes.on_duplicates(index)]
    return replace(index, notes=[*index.notes, *noticed])


def list_photos(
    path: Path | str, photos: Path | str | None = None
) -> tuple[Path, list[Path | None]]:
    """Return (root, files relative to it) of new photos: one photo, a folder of any depth, a CSV.

    A CSV's rows stay in their order, whether their files exist or not; a path that leads out of
    the folder `photos` (the CSV's own) is None.

    Raises: DataError for no such path, a folder without photos, a CSV without a column of paths.
    """
    path = existing(path)
    if path.is_dir():
        files: list[Path | None] = [file.relative_to(path) for file in photos_below(path)]
        if not files:
            raise no_photos(path)
        return path, files
    if path.suffix.lower() in SUFFIXES:
        return path.parent, [Path(path.name)]
    root = existing(photos) if photos else path.parent
    return root, photo_table.read_paths(path, root)


def check_broken(path: Path | str, num_broken: int, num_photos: int, notes: Sequence[str]) -> None:
    """Raise DataError where more than one photo in a hundred cannot be read."""
    if num_broken * 100 > num_photos:
        why = "".join(f"\n{note}" for note in notes)
        raise DataError(
            f"{path}: {num_broken:,} of {count_photos(num_photos)} cannot be read, which is more "
            f"than 1 in 100.{why}",
            "Were they copied whole? Save them anew, or take them out.",
        )


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


def _from_csv(path: Path, target: str, photos: Path | str | None) -> Listing:
    root = existing(photos) if photos else path.parent
    files, labels, notes = photo_table.read_labelled(path, target, root)
    return Listing(root, files, labels, notes)


class _Seen(NamedTuple):
    """What one look at a file showed; `problem` is empty for a photo that can be used."""

    problem: str
    hash: str = ""
    size: tuple[int, int] = (0, 0)
    oddities: Sequence[Oddity] = ()
    is_linked: bool = False


def _look(root: Path, file: Path) -> _Seen:
    try:
        content = photo_bytes(root / file)
        size, oddities = header(content, file.name)
        return _Seen("", digest(content), size, oddities, leads_outside(root, file))
    except FileNotFoundError:
        return _Seen("there is no such file")
    except OSError as error:
        return _Seen(error.strerror or str(error))
    except DataError as error:
        return _Seen(error.message)


def _inspected(listing: Listing, threads: int) -> ImageIndex:
    """Read every file once: its digest and its header, or what is wrong with it."""
    seen = threaded(lambda file: _look(listing.root, file), listing.files, threads)
    kept = [place for place, found in enumerate(seen) if not found.problem]
    files = [listing.files[place] for place in kept]
    broken = [(listing.files[i], found.problem) for i, found in enumerate(seen) if found.problem]
    labels = [listing.labels[place] for place in kept]
    odd = [(listing.files[place], seen[place].oddities) for place in kept]
    linked = [listing.files[place] for place in kept if seen[place].is_linked]
    return ImageIndex(
        root=listing.root,
        files=files,
        labels=labels,
        classes=sorted(set(labels)),
        hashes=[seen[place].hash for place in kept],
        sizes=[seen[place].size for place in kept],
        notes=[
            *listing.notes,
            *([photo_notes.left_out("could not be read", broken)] if broken else []),
            *photo_notes.on_oddities(odd),
            *photo_notes.on_links(listing.root, linked),
        ],
        num_broken=sum(is_file(listing.root / file) for file, _ in broken),
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
