"""Photos that look the same: saved again, resized or a little brighter, in one part or several.

Source: Krawetz, Kind of Like That (2013): the difference hash. A photo is made a small grey
picture; each bit says whether a point is brighter than the one to its left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from treadle.data.finding import Finding, begun_large, counted, of_all
from treadle.data.images import threaded
from treadle.data.photo import decode
from treadle.errors import DataError

_SIDE = 16
_MOST_BITS_APART = 45
_SURELY_THE_SAME = 12
_FAIRLY_ALIKE = 0.9
_MOST_ALIKES = 12
_LEAST_CONTRAST = 2.0
_LEAST_CORRELATION = 0.97
_FEWEST_FOR_A_MEAN = 30
_SHOWN = 3
_BLOCK = 1024
MOST_PHOTOS = 10_000
_WORTH_A_WARNING = 0.01

Pairs = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a photo looks like: bits bool [256], and a small grey picture float32 [1088]."""

    bits: NDArray[np.bool_]
    grey: NDArray[np.float32]


def look_of(path: Path) -> Look | None:
    """Return what a photo looks like; None for one of a single colour, or broken."""
    try:
        pixels = decode(path, (4 * (_SIDE + 1), 4 * _SIDE))
    except (DataError, OSError):
        return None
    grey = pixels.astype(np.float32).mean(axis=0)
    small = grey.reshape(_SIDE, 4, _SIDE + 1, 4).mean(axis=(1, 3))
    if float(small.std()) < _LEAST_CONTRAST:
        return None
    fine = grey.reshape(2 * _SIDE, 2, 2 * _SIDE + 2, 2).mean(axis=(1, 3)).ravel()
    return Look(
        bits=(small[:, 1:] > small[:, :-1]).ravel(),
        grey=((fine - fine.mean()) / max(float(fine.std()), 1e-6)).astype(np.float32),
    )


def alike_pairs(looks: Sequence[Look | None]) -> Pairs:
    """Return the pairs of photos that look the same, int64 [P, 2].

    At most 45 of 256 bits differ, and what sets the one apart from the mean of all photos sets
    the other apart as well: photos of a machine that stands still all look alike otherwise. A
    photo that is fairly like more than twelve others shows a kind of thing rather than one thing:
    there, at most 12 bits may differ.
    """
    known = [(place, look) for place, look in enumerate(looks) if look is not None]
    if len(known) < 2:
        return np.zeros((0, 2), np.int64)
    places = np.array([place for place, _ in known], np.int64)
    signs = np.array([look.bits for _, look in known], np.float32) * 2 - 1
    grey = np.array([look.grey for _, look in known])
    if len(known) >= _FEWEST_FOR_A_MEAN:
        grey -= grey.mean(axis=0)
    grey /= np.maximum(np.linalg.norm(grey, axis=1, keepdims=True), 1e-6)
    pairs, bits_apart = [np.zeros((0, 2), np.int64)], [np.zeros(0)]
    for start in range(0, len(known), _BLOCK):
        apart = (signs.shape[1] - signs[start : start + _BLOCK] @ signs.T) / 2
        one, other = np.nonzero(apart <= _MOST_BITS_APART)
        one, other = one[one + start < other] + start, other[one + start < other]
        same = (grey[one] * grey[other]).sum(axis=1) >= _LEAST_CORRELATION
        one, other = one[same], other[same]
        pairs.append(np.column_stack([one, other]))
        bits_apart.append(apart[one - start, other])
    found = _of_one_thing(np.concatenate(pairs), np.concatenate(bits_apart), grey)
    return places[found]


def _of_one_thing(pairs: Pairs, bits_apart: Floats, grey: NDArray[np.float32]) -> Pairs:
    """Keep pairs of which neither photo is fairly like many others; places as in `grey`."""
    if not len(pairs):
        return pairs
    asked = np.unique(pairs)
    crowd = np.zeros(len(grey), np.int64)
    for start in range(0, len(asked), _BLOCK):
        some = asked[start : start + _BLOCK]
        crowd[some] = (grey[some] @ grey.T >= _FAIRLY_ALIKE).sum(axis=1)
    kept = (crowd[pairs].max(axis=1) <= _MOST_ALIKES) | (bits_apart <= _SURELY_THE_SAME)
    found: Pairs = pairs[kept]
    return found


def near_photos(
    files: Sequence[Path],
    names: Sequence[str],
    labels: Sequence[str],
    hashes: Sequence[str],
    parts: Mapping[str, NDArray[np.int64]],
    threads: int = 2,
    most: int = MOST_PHOTOS,
) -> list[Finding]:
    """Return what is said of photos that look the same without being the same file.

    most: of more photos, so many are looked at, evenly spaced
    """
    chosen = np.arange(len(files))[:: max(-(-len(files) // most), 1)]
    looks = threaded(look_of, [files[place] for place in chosen], threads)
    pairs = chosen[alike_pairs(looks)]
    pairs = pairs[[hashes[one] != hashes[other] for one, other in pairs]] if len(pairs) else pairs
    sampled = " (of the photos that were looked at)" if len(chosen) < len(files) else ""
    return list(_told(pairs, names, labels, parts, sampled)) if len(pairs) else []


def _told(
    pairs: Pairs,
    names: Sequence[str],
    labels: Sequence[str],
    parts: Mapping[str, NDArray[np.int64]],
    sampled: str,
) -> Iterator[Finding]:
    differing = [(one, other) for one, other in pairs if labels[one] != labels[other]]
    if differing:
        told = "; ".join(
            f"{names[one]} [{labels[one]}] and {names[other]} [{labels[other]}]"
            for one, other in differing[:_SHOWN]
        )
        yield Finding(
            severity="warning",
            title="Photos that look the same have different labels",
            sentence=f"{counted(len(differing), 'pair')} of photos{sampled} "
            f"{'looks the same and has' if len(differing) == 1 else 'look the same and have'} "
            f"different labels: {told}.",
            evidence={"pairs": len(differing)},
            action="look at each pair: at most one of the labels can be right",
        )
    part = np.full(len(names), -1, np.int64)
    for code, places in enumerate(parts.values()):
        part[places] = code
    for code, name in enumerate(parts):
        if code == 0:
            continue
        ends = np.concatenate(
            [
                pairs[(part[pairs[:, 0]] == 0) & (part[pairs[:, 1]] == code), 1],
                pairs[(part[pairs[:, 1]] == 0) & (part[pairs[:, 0]] == code), 0],
            ]
        )
        count, total = len(np.unique(ends)), int((part == code).sum())
        if count:
            yield _shared(name, count, total, names[int(ends[0])], sampled)
    inside = (part[pairs[:, 0]] == 0) & (part[pairs[:, 1]] == 0)
    if inside.any():
        count = len(np.unique(pairs[inside, 1]))
        one, other = pairs[inside][0]
        yield Finding(
            severity="note",
            title="Photos that look the same",
            sentence=f"{counted(count, 'photo')} of training{sampled} "
            f"{'looks' if count == 1 else 'look'} the same as another one there, "
            f"such as {names[one]} and {names[other]}.",
            evidence={"photos": count},
            action="keep one of each where it is the same picture saved again",
        )


def _shared(name: str, count: int, total: int, example: str, sampled: str) -> Finding:
    return Finding(
        severity="warning" if count >= _WORTH_A_WARNING * total else "note",
        title=f"Photos of {name} look the same as in training",
        sentence=begun_large(
            f"{of_all(count, total, 'photos')} of {name}{sampled} look the same as one of "
            f"training, such as {example}, so the {name} figures may look better than new photos "
            "will."
        ),
        evidence={"photos": count, "of": total},
        action="keep photos of one thing together with --group and a pattern of their names",
    )
