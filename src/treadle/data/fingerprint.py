"""What data a run was made of, so that a later look can tell whether it is still the same."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from treadle.contracts import Json
from treadle.data.hashing import hash_rows


def fingerprint(data: Sequence[Path | str] | pl.DataFrame) -> Json:
    """Return what tells this data from other data.

    Files give {"sha256", "bytes", "files": […]}, a frame {"sha256", "rows", "columns"}.

    Files are hashed byte by byte; a frame by the values of its rows in their order (3 and 3.0
    alike, whatever the order of the columns), which no version of polars changes.
    """
    if isinstance(data, pl.DataFrame):
        return _of_frame(data)
    files = [_of_file(Path(path)) for path in data]
    whole = hashlib.sha256("".join(str(file["sha256"]) for file in files).encode()).hexdigest()
    return {"sha256": whole, "bytes": sum(int(file["bytes"]) for file in files), "files": files}


def _of_file(path: Path) -> Json:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": digest}


def _of_frame(frame: pl.DataFrame) -> Json:
    digest = hashlib.sha256("\x00".join(sorted(frame.columns)).encode())
    digest.update(hash_rows(frame).astype(np.dtype("<u8")).tobytes())
    return {"sha256": digest.hexdigest(), "rows": frame.height, "columns": frame.columns}
