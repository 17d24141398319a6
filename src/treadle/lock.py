"""A lock file that one process at a time can hold, and that a crash lets go of."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from treadle.errors import RunError, SaveError

PATIENCE_SECONDS = 0.5
LOCKED_BYTE = 1 << 30  # Windows forbids reading locked bytes: lock one far behind the text
_held: set[int] = set()


@contextlib.contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock file at `path` for this process alone; its number is written there.

    Raises: RunError within a second when another process holds it; SaveError when the place
    cannot be written to or cannot be locked.
    """
    try:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+", encoding="utf-8")
    except OSError as error:
        raise SaveError(f"{path} could not be opened for writing: {error}.") from error
    with file:
        _take(file, path.parent)
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        _held.add(file.fileno())
        try:
            yield
        finally:
            _held.discard(file.fileno())
            _let_go(file)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, so that a power cut leaves them there."""
    missing = [place for place in (path, *path.parents) if not place.is_dir()]
    for place in reversed(missing):
        place.mkdir(exist_ok=True)
        try:
            sync_folder(place.parent)
        except OSError:  # a second try might be told that all is well: it must begin anew
            with contextlib.suppress(OSError):
                place.rmdir()
            raise
    if not missing:  # whoever made it may have been killed before it was synced
        with contextlib.suppress(PermissionError):
            sync_folder(path.parent)


def _take(file: IO[str], path: Path) -> None:
    patience_ends = time.monotonic() + PATIENCE_SECONDS
    while not _try_lock(file):
        if time.monotonic() > patience_ends:
            raise RunError(
                f"another process{_holder(file)} is working on the run at {path}.",
                "Wait until it ends or stop it; reading the run (report, explain) is free.",
            )
        time.sleep(0.02)


def _holder(file: IO[str]) -> str:
    file.seek(0)
    number = file.read(20).strip()
    return f" (number {number})" if number.isdigit() else ""


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[str]) -> bool:
        os.lseek(file.fileno(), LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _let_go(file: IO[str]) -> None:
        os.lseek(file.fileno(), LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

    def sync_folder(folder: Path) -> None:
        """Do nothing: Windows cannot sync a folder."""

else:
    import fcntl

    def _forget_in_child() -> None:
        """Let go of what a forked process (a loader's worker) got of its parent's locks.

        Otherwise a worker that outlives its killed parent by seconds would keep the run locked.
        """
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in _held:
            os.dup2(nowhere, descriptor)
        os.close(nowhere)
        _held.clear()

    os.register_at_fork(after_in_child=_forget_in_child)

    def _try_lock(file: IO[str]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise SaveError(f"{file.name} cannot be locked here: {error}.") from error
        return True

    def _let_go(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)

    def sync_folder(folder: Path) -> None:
        """Make sure that what was renamed in a folder survives a power cut."""
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno != errno.EINVAL:  # a file system that knows no syncing of folders
                raise
        finally:
            os.close(descriptor)
