"""Photos to features: what the cache knows is taken from it, the rest is computed and kept.

Each photo is read, unpacked and sent through the network alone, in one of several threads, while
torch itself computes on one thread: so a photo's features are the same to the bit whichever
photos are computed beside it and however many threads there are, and threads that wait for each
other inside every layer do not slow down a busy machine.
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
from treadle.data.photo import decode, digest, photo_size, require_pillow
from treadle.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

_ROWS_A_SHARD = 512

Progress = Callable[[int, int], None]
"""(photos done, photos in all); called in the thread that asked for the features."""


class FeatureMaker(Protocol):
    """What turns photos into features; its `key` names all that they depend on."""

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
    for done, made in enumerate(_made([(paths[i], known[i]) for i in left], maker, threads)):
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


@dataclass(frozen=True, kw_only=True)
class _Made:
    """One photo's outcome: its features, or what is wrong."""

    hash: str = ""
    row: NDArray[Any] | None = None
    problem: str = ""


def _made(photos: Sequence[tuple[Path, str]], maker: FeatureMaker, threads: int) -> Iterator[_Made]:
    """Yield each photo's outcome in order, with no more than a few photos under way."""
    if not photos:
        return
    waiting: deque[Future[_Made]] = deque()
    with _torch_on_one_thread(), ThreadPoolExecutor(max(1, threads)) as pool:
        try:
            for path, expected in photos:
                waiting.append(pool.submit(_make, path, expected, maker))
                if len(waiting) > 4 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _make(path: Path, expected: str, maker: FeatureMaker) -> _Made:
    import torch

    try:
        content = path.read_bytes()
        found = digest(content)
        if expected and found != expected:
            return _Made(hash=expected, problem="the file was changed while it was being used")
        pixels = decode(content, maker.size_of(*photo_size(content)))
    except FileNotFoundError:
        return _Made(problem="there is no such file")
    except OSError as error:
        return _Made(problem=error.strerror or str(error))
    except DataError as error:
        return _Made(hash=expected, problem=error.message.rstrip("."))
    with torch.no_grad():
        features = maker.features(torch.from_numpy(pixels[None]))
    return _Made(hash=found, row=features[0].cpu().numpy())


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
            return digest(path.read_bytes())
        except OSError:
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
