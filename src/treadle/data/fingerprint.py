"""What data a run was made of, so that a later look can tell whether it is still the same."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from treadle.contracts import Json
from treadle.data.hashing import hash_rows
from treadle.errors import DataError


def fingerprint(
    data: Sequence[Path | str] | pl.DataFrame, beside: Sequence[Path | str] = ()
) -> Json:
    """Return what tells this data from other data.

    Files give {"sha256", "bytes", "files": […]}, a frame {"sha256", "rows", "columns"}.

    beside: files that are used with a frame; it then has "files", too

    Files are hashed byte by byte; a frame by the values of its rows in their order (3 and 3.0
    alike, whatever the order of the columns), which no version of polars changes.
    """
    if isinstance(data, pl.DataFrame):
        return _with_files(_of_frame(data), fingerprint(beside)) if beside else _of_frame(data)
    files = [_of_file(Path(path)) for path in data]
    whole = hashlib.sha256("".join(str(file["sha256"]) for file in files).encode()).hexdigest()
    return {"sha256": whole, "bytes": sum(int(file["bytes"]) for file in files), "files": files}


@contextlib.contextmanager
def unchanged(files: Sequence[Path]) -> Iterator[None]:
    """Make sure that files stay what they are from the first reading to the last.

    Raises: DataError naming those that changed, also where reading one that did went wrong.
    """
    before = [stamp(path) for path in files]
    try:
        yield
    except Exception as error:
        if (problem := _changed(files, before)) is not None:
            raise problem from error
        raise
    if (problem := _changed(files, before)) is not None:
        raise problem


def stamp(path: Path) -> tuple[int, int, int]:
    """Return a file's size, the time of its last change, and which file it is; zeros for none."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_size, found.st_mtime_ns, found.st_ino


def _changed(files: Sequence[Path], before: Sequence[tuple[int, int, int]]) -> DataError | None:
    """Return what to say of the files that are not what they were, or None."""
    changed = [path for path, was in zip(files, before, strict=True) if stamp(path) != was]
    if not changed:
        return None
    one = len(changed) == 1
    names = ", ".join(str(path) for path in changed[:5]) + (", …" if len(changed) > 5 else "")
    return DataError(
        f"{names} {'was' if one else 'were'} changed while being read: what was read may be "
        f"neither the old {'file' if one else 'files'} nor the new.",
        "Wait until whatever writes there is done, or give a copy of it; then start again.",
    )


def _with_files(frame: Json, files: Json) -> Json:
    both = f"{frame['sha256']}{files['sha256']}".encode()
    return frame | {"files": files["files"], "sha256": hashlib.sha256(both).hexdigest()}


def _of_file(path: Path) -> Json:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": digest}


def _of_frame(frame: pl.DataFrame) -> Json:
    digest = hashlib.sha256("\x00".join(sorted(frame.columns)).encode())
    digest.update(hash_rows(frame).astype(np.dtype("<u8")).tobytes())
    return {"sha256": digest.hexdigest(), "rows": frame.height, "columns": frame.columns}
