"""Features of photos on disk, computed once for each photo and each backbone.

A cache is a folder of shards. A shard is a safetensors file that is written whole to another
name, fsynced and renamed, and is never changed after: two processes at work at once write shards
of their own, and a reader sees a shard whole or not at all. One that is broken all the same is
passed over, and its photos are computed anew.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from treadle.data.photo import DECODING_VERSION, digest
from treadle.errors import SaveError

_FORMAT = 1
_MANY_SHARDS = 64
_SMALL_ROWS = 256


class Shard(NamedTuple):
    """hashes uint8 [n, 32], sorted; features float32 [n, D] or float16 [n, …]."""

    hashes: NDArray[np.uint8]
    features: NDArray[Any]


class FeatureCache:
    """The features of one backbone, found by the SHA-256 digests of the photos' contents.

    folder: where caches are kept; each backbone has a sub-folder of its own
    key:    a digest of all that the features depend on beside the photo
    broken: the names of shards that could not be read

    Example:
        cache = FeatureCache(Path("features"), key="…")
        cache.add(hashes, features)
        found, rows = cache.look_up(hashes)
    """

    def __init__(self, folder: Path, key: str) -> None:
        name = digest(f"{_FORMAT} {DECODING_VERSION} {key}".encode())[:24]
        self.folder = folder / name
        self.broken: list[str] = []

    def look_up(self, hashes: Sequence[str]) -> tuple[NDArray[np.bool_], NDArray[Any]]:
        """Return (found bool [N], rows [N, …]); the rows of what was not found are zeros.

        Nothing found at all gives rows of no width, [N, 0].
        """
        wanted = _as_bytes(hashes)
        found = np.zeros(len(wanted), dtype=np.bool_)
        rows: NDArray[Any] = np.zeros((len(wanted), 0), dtype=np.float32)
        for _, shard in self._shards() if len(wanted) else ():
            held = _as_keys(shard.hashes)
            at = np.minimum(np.searchsorted(held, wanted), len(held) - 1)
            new = (held[at] == wanted) & ~found
            if not new.any():
                continue
            if not found.any():
                rows = np.zeros((len(wanted), *shard.features.shape[1:]), shard.features.dtype)
            rows[new] = shard.features[at[new]]
            found |= new
        return found, rows

    def num_known(self, hashes: Sequence[str]) -> int:
        """Return how many of these photos have features here, as far as the shards tell.

        Reads digests alone and checks none: `look_up` may yet find a shard broken.
        """
        wanted = _as_bytes(hashes)
        found = np.zeros(len(wanted), dtype=np.bool_)
        for name in self._names() if len(wanted) else ():
            held = _read_keys(self.folder / name)
            found |= np.isin(wanted, held)
        return int(found.sum())

    def add(self, hashes: Sequence[str], features: NDArray[Any]) -> None:
        """Keep features [n, …] of the photos with these digests, as a shard of its own.

        Raises: SaveError when the folder cannot be written, or the disk is full.
        """
        if not len(hashes):
            return
        try:
            self._write(hashes, features)
            if len(self._names()) > _MANY_SHARDS:
                self._put_together()
        except OSError as error:
            raise SaveError(
                f"{self.folder}: the photos' features could not be kept ({error.strerror}).",
                "Make room there, or give another folder for the cache.",
            ) from error

    def _write(self, hashes: Sequence[str], features: NDArray[Any]) -> None:
        keys, first = np.unique(_as_bytes(hashes), return_index=True)
        shard = Shard(
            np.frombuffer(keys.tobytes(), dtype=np.uint8).reshape(-1, 32),
            np.ascontiguousarray(features[first]),
        )
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = save(shard._asdict(), metadata={"sha256": _checksum(shard)})
        _write_whole(self.folder / f"{uuid.uuid4().hex}.safetensors", content)

    def _names(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("*.safetensors"))

    def _shards(self) -> Iterator[tuple[str, Shard]]:
        """Yield every whole shard, one at a time, so that memory holds one."""
        for name in self._names():
            try:
                yield name, _read_shard(self.folder / name)
            except FileNotFoundError:
                continue  # put together with others by another process since it was listed
            except (OSError, ValueError, KeyError, SafetensorError):
                self.broken.append(name)

    def _put_together(self) -> None:
        """Write the small shards as one and remove them; rows that are there twice do no harm."""
        small = {name: s for name, s in self._shards() if len(s.hashes) < _SMALL_ROWS}
        if len(small) < _MANY_SHARDS // 2:
            return
        hashes = [bytes(row).hex() for shard in small.values() for row in shard.hashes]
        self._write(hashes, np.concatenate([shard.features for shard in small.values()]))
        for name in small:
            (self.folder / name).unlink(missing_ok=True)


def _read_shard(path: Path) -> Shard:
    """Read a shard. Raises ValueError when it is not what was written."""
    from safetensors import safe_open

    tensors = load_file(path)
    shard = Shard(tensors["hashes"], tensors["features"])
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
    sizes = {len(shard.hashes), len(shard.features)}
    if metadata.get("sha256") != _checksum(shard) or 0 in sizes or len(sizes) > 1:
        raise ValueError(f"{path}: the features are not those that were written.")
    return shard


def _read_keys(path: Path) -> NDArray[np.bytes_]:
    """Return a shard's digests; of one that cannot be read, none."""
    from safetensors import safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return _as_keys(file.get_tensor("hashes"))
    except (OSError, ValueError, SafetensorError):
        return np.zeros(0, dtype="S32")


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file so that its name never stands for a part of it."""
    temporary = path.with_suffix(".tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _checksum(shard: Shard) -> str:
    return digest(shard.hashes.tobytes() + np.ascontiguousarray(shard.features).tobytes())


def _as_bytes(hashes: Sequence[str]) -> NDArray[np.bytes_]:
    """Return digests as 32 bytes each; "", of a file that cannot be read, as zeros."""
    joined = b"".join(bytes.fromhex(text) if text else bytes(32) for text in hashes)
    return _as_keys(np.frombuffer(joined, dtype=np.uint8).reshape(-1, 32))


def _as_keys(hashes: NDArray[np.uint8]) -> NDArray[np.bytes_]:
    """View uint8 [n, 32] as n byte strings, which can be sorted and compared."""
    return np.ascontiguousarray(hashes).view("S32").reshape(-1)
