"""Builds interposer.c, speaks to it from inside a process, and reads what it wrote down."""

from __future__ import annotations

import ctypes
import errno
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

SOURCE = Path(__file__).parent / "interposer.c"
ACTIONS = ("nothing", "kill", "fail", "hold", "half then kill", "half then fail")
EVERY_KIND = "owtsrumdc"
"""What is counted: open to write, write, change of length, sync, rename, unlink, mkdir, rmdir,
close. Calls that change nothing need no counting: to be killed before one of those leaves the disk
as it is when killed before the next that does."""
TAKING_SPACE = "owtrm"


def compiler() -> str | None:
    """Return the C compiler of this machine, if there is one."""
    return next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)


def build(place: Path) -> Path:
    """Return the library to preload, compiled into `place`."""
    library = place / "interposer.so"
    found = compiler()
    assert found is not None
    command = [found, "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"]
    subprocess.run([str(part) for part in command], check=True)
    return library


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is to happen at the `at`-th of the calls of some kinds; at 0 they are only counted.

    for_good: whether every later call of these kinds fails too, as on a disk that stays full
    """

    action: str = "nothing"
    at: int = 0
    kinds: str = EVERY_KIND
    error: int = errno.ENOSPC
    for_good: bool = False

    def arm(self, folder: Path, log: Path) -> None:
        """Let it happen in this process, which the library is preloaded into."""
        ours().faults_arm(
            str(folder.resolve()).encode(),
            str(log).encode(),
            self.kinds.encode(),
            ACTIONS.index(self.action),
            ctypes.c_long(self.at),
            self.error,
            int(self.for_good),
        )

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def ours() -> ctypes.CDLL:
    """Return the preloaded library of this process."""
    library = ctypes.CDLL(None)
    library.faults_calls.restype = ctypes.c_long
    return library


def mark(word: str, number: int) -> None:
    """Write a word and a number into the log, between the calls before and those after."""
    ours().faults_mark(word.encode(), ctypes.c_long(number))


class Call(NamedTuple):
    """One line of a log; `second` is the new name of a rename, the kind of a failed call,
    the word of a mark."""

    kind: str
    offset: int
    path: Path
    second: str
    content: bytes


def calls_in(log: Path) -> list[Call]:
    """Return what was written down, in order. A last line cut short by a kill is left out."""
    return list(_calls(log.read_bytes())) if log.exists() else []


def newest_mark(word: str, calls: Iterable[Call]) -> int:
    """Return the last number that was marked with a word; 0 if there is none."""
    return max(
        (call.offset for call in calls if call.kind == "k" and call.second == word), default=0
    )


def _calls(content: bytes) -> Iterator[Call]:
    at = 0
    while (end := content.find(b"\n", at)) >= 0:
        kind, offset, length, path, second = content[at:end].decode().split("\t")
        at = end + 1 + int(length)
        if at > len(content):
            return
        yield Call(kind, int(offset), Path(path), second, content[end + 1 : at])
