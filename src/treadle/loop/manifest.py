"""What a checkpoint's MANIFEST.json says: the hash of each file, and its own."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from treadle.contracts import Json
from treadle.errors import BrokenCheckpointError, RunError
from treadle.tensors import content_of, each_once

FORMAT = 1
MANIFEST = "MANIFEST.json"
FACTS = "state.json"


def manifest_of(hashes: dict[str, str]) -> bytes:
    """Return the manifest of files with these SHA-256, by name."""
    listed = {"format": FORMAT, "sha256": hashes}
    return json.dumps(listed | {"own": _own_hash(listed)}, indent=1).encode()


def listed_files(manifest: Path) -> dict[str, str]:
    """Return the SHA-256 of each file by name. Raises: BrokenCheckpointError naming `manifest`."""
    with naming(manifest):
        found = json.loads(content_of(manifest), object_pairs_hook=each_once)
        own = found.pop("own", None)  # the first checkpoints of format 1 have none
        if own not in (None, _own_hash(found)) or found.keys() != {"format", "sha256"}:
            raise BrokenCheckpointError(f"{manifest} was changed after it was written.")
        if found["format"] != FORMAT:
            newer = f"{manifest} has format {found['format']}; this Treadle reads format {FORMAT}."
            raise BrokenCheckpointError(newer)
        hashes: dict[str, str] = dict(found["sha256"].items())
        if FACTS not in hashes or not all(_is_plain(name) for name in hashes):
            raise BrokenCheckpointError(f"{manifest} does not list a checkpoint's files.")
        links = [name for name in hashes if (manifest.parent / name).is_symlink()]
        if links:
            raise BrokenCheckpointError(f"{manifest.parent / links[0]} is a link, not a file.")
    return hashes


def _is_plain(name: str) -> bool:
    """Return whether a name is that of a file of a checkpoint: no path, and of a kind that is read.

    What stands in a manifest is opened: "../" or "/" there would open anything.
    """
    return name == FACTS or (Path(name).name == name and name.endswith(".safetensors"))


@contextlib.contextmanager
def naming(file: Path) -> Iterator[None]:
    """Turn whatever reading a file can raise into a BrokenCheckpointError that names it."""
    try:
        yield
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise BrokenCheckpointError(f"{file} cannot be read: {error}.") from error
    except RunError as error:
        raise BrokenCheckpointError(error.message) from error


def _own_hash(listed: Json) -> str:
    return hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest()
