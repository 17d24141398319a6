"""What is worth saying of a data set of photos: left out, masked, copied, contradicting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from treadle.data.finding import counted
from treadle.data.photo import Oddity
from treadle.data.photo_files import count_photos, entries, is_photo, photos_below

if TYPE_CHECKING:
    from treadle.data.images import ImageIndex

_LONGEST_NAME = 300
_MASK_NAMES = frozenset("mask masks ground_truth groundtruth annotation annotations".split())


def left_out(what: str, broken: Sequence[tuple[Path, str]]) -> str:
    """Return a sentence that names the first five files left out, and why."""
    first = "; ".join(
        f"{str(file)[:_LONGEST_NAME]}: {text.rstrip('.')}" for file, text in broken[:5]
    )
    was = "was" if len(broken) == 1 else "were"
    more = f"; and {len(broken) - 5:,} more" if len(broken) > 5 else ""
    return f"{count_photos(len(broken))} {what} and {was} left out: {first}{more}."


_EVENED_OUT: Mapping[Oddity, str] = {
    "cmyk": "{count} in the colours of print (CMYK)",
    "see_through": "{count} with see-through parts, shown on white",
    "deep": "{count} with more than 8 bits a channel",
    "palette": "{count} with a palette of colours",
    "turned": "{count} turned upright as the camera says",
    "several": "{count} with several pages or frames, of which the first is taken",
    "misnamed": "{count} whose ending is that of another format ({first})",
}


def on_oddities(odd: Sequence[tuple[Path, Sequence[Oddity]]]) -> list[str]:
    """Return a sentence on the photos that are no plain pictures, or nothing."""
    by_kind: dict[Oddity, list[Path]] = defaultdict(list)
    for file, kinds in odd:
        for kind in kinds:
            by_kind[kind].append(file)
    told = "; ".join(
        words.format(count=f"{len(by_kind[kind]):,}", first=by_kind[kind][0])
        for kind, words in _EVENED_OUT.items()
        if kind in by_kind
    )
    count = sum(bool(kinds) for _, kinds in odd)
    are = "is no plain picture" if count == 1 else "are no plain pictures"
    alike = "evened out in the same way in training and in every prediction"
    return [f"{count_photos(count)} {are}, and {alike}: {told}."] if told else []


def on_links(root: Path, linked: Sequence[Path]) -> list[str]:
    """Return a sentence on the files that are links to places outside `root`, or nothing."""
    if not linked:
        return []
    are = "is a link" if len(linked) == 1 else "are links"
    return [
        f"{count_photos(len(linked))} {are} that lead out of {root}, {linked[0]} the first: what "
        "they lead to is read."
    ]


def on_folders(root: Path, found: Mapping[Path, Sequence[Path]]) -> list[str]:
    notes = []
    if loose := [entry for entry in entries(root) if is_photo(entry)]:
        notes.append(
            f"{count_photos(len(loose))} directly in {root} have no class and were left out, "
            f"{loose[0].name} the first."
        )
    for folder, photos in found.items():
        deeper = len(photos_below(folder)) - len(photos)
        if deeper:
            notes.append(f"{count_photos(deeper)} in sub-folders of {folder.name}/ were left out.")
        elif not photos:
            notes.append(f"The folder {folder.name}/ has no photos and is no class.")
        others = [e for e in entries(folder) if e.is_file() and not is_photo(e)]
        if others:
            notes.append(
                f"{counted(len(others), 'file')} in {folder.name}/ left out, {others[0].name} the "
                "first: photos are read from JPEG, PNG, WebP, BMP and TIFF."
            )
    return notes


def on_masks(index: ImageIndex) -> list[str]:
    """Say where a class, or a part of one, looks like drawn masks rather than photos."""
    notes = [
        f"The class {name} is named as masks usually are; if its pictures are drawings of where "
        "the defects lie, take it out."
        for name in index.classes
        if name.lower() in _MASK_NAMES
    ]
    suffixes: dict[Path, set[str]] = defaultdict(set)
    for file in index.files:
        suffixes[file.with_suffix("")].add(file.suffix.lower())
    twice = [stem for stem, endings in suffixes.items() if len(endings) > 1]
    if twice:
        endings = " and ".join(sorted(suffixes[twice[0]]))
        notes.append(
            f"{len(twice):,} names come with several endings ({twice[0].name} with {endings}): "
            "one of the two may be a mask of the other, which belongs in another folder."
        )
    return notes


def on_duplicates(index: ImageIndex) -> list[str]:
    """Say which photos are there more than once, and which of them contradict each other."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, content in enumerate(index.hashes):
        places[content].append(place)
    copies = [group for group in places.values() if len(group) > 1]
    differing = [group for group in copies if len({index.labels[place] for place in group}) > 1]
    notes = []
    if copies:
        extra = sum(len(group) - 1 for group in copies)
        are = "is an exact copy of another" if extra == 1 else "are exact copies of others"
        notes.append(
            f"{count_photos(extra)} {are} ({_named(index, copies[0])}); "
            "copies are kept on the same side of every split."
        )
    if differing:
        listed = "; ".join(_named(index, group) for group in differing[:5])
        notes.append(
            f"{count_photos(len(differing))} have conflicting labels, being in several classes: "
            f"{listed}. At most one can be right: correct them, they mislead training."
        )
    return notes


def _named(index: ImageIndex, group: Sequence[int]) -> str:
    return " = ".join(f"{index.files[place]} [{index.labels[place]}]" for place in group[:3])
