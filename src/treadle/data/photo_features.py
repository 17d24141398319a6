"""Photos to features: what the cache knows is taken from it, the rest is computed and kept.

A few photos are read, unpacked and sent through the network in each of several threads, while
torch itself computes on one thread: threads that wait for each other inside every layer would
slow down a busy machine. How many of one shape go through the network together is what the maker
asks for; one that asks for more than one answers for a photo's features being the same to the bit
whichever photos are computed beside it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from treadle.data.feature_cache import FeatureCache
from treadle.data.photo import decode, digest, photo_bytes, photo_size, require_pillow
from treadle.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

_ROWS_A_SHARD = 512
_BATCHES_A_TASK = 8  # among more photos, more are of one shape

Progress = Callable[[int, int], None]
"""(photos done, photos in all); called in the thread that asked for the features."""


class FeatureMaker(Protocol):
    """What turns photos into features; its `key` names all that they depend on.

    One that has `photos_at_once` is given up to so many photos of one shape together; others are
    given one.
    """

    @property
    def key(self) -> str: ...

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        """Return the (width, height) that a photo is resized to."""
        ...

    def features(self, photos: Tensor) -> Tensor:
        """Return float [B, …] of photos uint8 [B, 3, H, W]; called from several threads."""
        ...


@dataclass(frozen=True, kw_only=True)
class PhotoFeatures:
    """The features of N photos.

    values:     [N, …]; zeros for a photo with a problem
    hashes:     N digests of the photos' contents, "" for a file that could not be read
    problems:   place of a photo → what is wrong with it
    num_cached: how many were known before
    notes:      what was noticed, in plain sentences
    """

    values: NDArray[Any]
    hashes: list[str]
    problems: dict[int, str] = field(default_factory=dict)
    num_cached: int = 0
    notes: list[str] = field(default_factory=list)


def read_features(
    paths: Sequence[Path],
    maker: FeatureMaker,
    *,
    cache_folder: Path | None = None,
    hashes: Sequence[str] = (),
    threads: int = 2,
    progress: Progress | None = None,
) -> PhotoFeatures:
    """Return the features of photos, in order; a broken photo is a problem, not an error.

    cache_folder: where features are kept; None computes all and keeps none
    hashes:       the photos' digests where they are known: cached photos are then not opened

    Raises: SaveError when the cache cannot be written; MissingExtraError without Pillow.
    """
    require_pillow()
    cache = FeatureCache(cache_folder, maker.key) if cache_folder else None
    known = list(hashes) or (_digests(paths, threads) if cache else [""] * len(paths))
    found, values = cache.look_up(known) if cache else _nothing(len(paths))
    left = [int(place) for place in np.flatnonzero(~found)]
    report = progress or (lambda done, total: None)
    report(len(paths) - len(left), len(paths))
    problems: dict[int, str] = {}
    fresh: list[int] = []
    for done, made in enumerate(_all_made([(paths[i], known[i]) for i in left], maker, threads)):
        place = left[done]
        known[place] = made.hash
        if made.row is None:
            problems[place] = made.problem
        else:
            values = _with_room(values, made.row)
            values[place] = made.row
            fresh.append(place)
        if cache and len(fresh) == _ROWS_A_SHARD:
            _keep(cache, known, values, fresh)
        report(len(paths) - len(left) + done + 1, len(paths))
    if cache:
        _keep(cache, known, values, fresh)
    return PhotoFeatures(
        values=values,
        hashes=known,
        problems=problems,
        num_cached=len(paths) - len(left),
        notes=_notes(cache),
    )


def sample_photos(
    paths: Sequence[Path], maker: FeatureMaker, count: int
) -> list[NDArray[np.uint8]]:
    """Return photos from all over `paths`, uint8 [3, H, W] as the maker wants them.

    Photos that cannot be read are passed over.
    """
    places = np.unique(np.linspace(0, len(paths) - 1, min(count, len(paths))).round().astype(int))
    opened = [_opened(paths[place], "", maker) for place in places]
    return [photo.pixels for photo in opened if photo.pixels is not None]


@dataclass(frozen=True, kw_only=True)
class _Opened:
    """One photo unpacked, uint8 [3, H, W], or what is wrong with it."""

    hash: str = ""
    pixels: NDArray[np.uint8] | None = None
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class _Made:
    """One photo's outcome: its features, or what is wrong."""

    hash: str = ""
    row: NDArray[Any] | None = None
    problem: str = ""


def _all_made(
    photos: Sequence[tuple[Path, str]], maker: FeatureMaker, threads: int
) -> Iterator[_Made]:
    """Yield each photo's outcome in order, with no more than a few tasks under way."""
    if not photos:
        return
    threads = max(1, threads)
    size = min(_BATCHES_A_TASK * _photos_at_once(maker), -(-len(photos) // threads))
    waiting: deque[Future[list[_Made]]] = deque()
    with _torch_on_one_thread(), ThreadPoolExecutor(threads) as pool:
        try:
            for start in range(0, len(photos), size):
                waiting.append(pool.submit(_made, photos[start : start + size], maker))
                if len(waiting) > 2 * threads:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _made(photos: Sequence[tuple[Path, str]], maker: FeatureMaker) -> list[_Made]:
    """Return the outcomes of a few photos; those of one shape go through the network together."""
    import torch

    opened = [_opened(path, expected, maker) for path, expected in photos]
    made = [_Made(hash=photo.hash, problem=photo.problem) for photo in opened]
    for places in _of_one_shape(opened, _photos_at_once(maker)):
        pixels = np.stack([_pixels(opened[place]) for place in places])
        with torch.no_grad():
            rows = maker.features(torch.from_numpy(pixels)).cpu().numpy()
        for place, row in zip(places, rows, strict=True):
            made[place] = _Made(hash=opened[place].hash, row=row)
    return made


def _of_one_shape(opened: Sequence[_Opened], most: int) -> Iterator[list[int]]:
    """Yield the places of photos of one shape, at most so many at once; broken ones have none."""
    shapes: dict[tuple[int, ...], list[int]] = {}
    for place, photo in enumerate(opened):
        if photo.pixels is not None:
            shapes.setdefault(photo.pixels.shape, []).append(place)
    for places in shapes.values():
        for start in range(0, len(places), most):
            yield places[start : start + most]


def _pixels(photo: _Opened) -> NDArray[np.uint8]:
    assert photo.pixels is not None
    return photo.pixels


def _photos_at_once(maker: FeatureMaker) -> int:
    return int(getattr(maker, "photos_at_once", 1))


def _opened(path: Path, expected: str, maker: FeatureMaker) -> _Opened:
    """Read and unpack a photo that is expected to have a digest, where one is given."""
    try:
        content = photo_bytes(path)
        found = digest(content)
        if expected and found != expected:
            return _Opened(hash=expected, problem="the file was changed while it was being used")
        return _Opened(hash=found, pixels=decode(content, maker.size_of(*photo_size(content))))
    except FileNotFoundError:
        return _Opened(problem="there is no such file")
    except OSError as error:
        return _Opened(problem=error.strerror or str(error))
    except DataError as error:
        return _Opened(hash=expected, problem=error.message.rstrip("."))


@contextmanager
def _torch_on_one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _digests(paths: Sequence[Path], threads: int) -> list[str]:
    """Return each file's digest, "" where it cannot be read: the second reading says why."""

    def read(path: Path) -> str:
        try:
            return digest(photo_bytes(path))
        except (OSError, DataError):
            return ""

    with ThreadPoolExecutor(max(1, threads)) as pool:
        return list(pool.map(read, paths))


def _keep(
    cache: FeatureCache, hashes: Sequence[str], values: NDArray[Any], fresh: list[int]
) -> None:
    """Put the fresh rows into the cache as one shard, and begin the next."""
    cache.add([hashes[place] for place in fresh], values[fresh])
    fresh.clear()


def _nothing(count: int) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    return np.zeros(count, dtype=np.bool_), np.zeros((count, 0), dtype=np.float32)


def _with_room(values: NDArray[Any], row: NDArray[Any]) -> NDArray[Any]:
    """Return rows as wide as features are, once the first of them shows how wide."""
    if values.shape[1:] == row.shape:
        return values
    return np.zeros((len(values), *row.shape), dtype=row.dtype)


def _notes(cache: FeatureCache | None) -> list[str]:
    if cache is None or not cache.broken:
        return []
    return [
        f"{len(cache.broken):,} files of kept features in {cache.folder} were broken, "
        f"{cache.broken[0]} the first; those photos were computed again."
    ]
