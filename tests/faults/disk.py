"""Rebuilds, from a log of calls, the disks that a power cut could have left behind.

The rules are those that POSIX promises and no more: the bytes of a file have reached the disk once
that file was synced, the names in a folder once that folder was synced. Until then each write may
be there, or not, or in any of its sectors; each change of a name may be there or not; in any order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.faults.interposer import Call

Tree = dict[str, "bytes | None"]
"""What lies on a disk, by path below the watched folder; None for a folder."""


@dataclass
class File:
    """Bytes that have reached the disk, and the writes (offset, bytes) that have not."""

    durable: bytes = b""
    current: bytes = b""
    pending: list[tuple[int, bytes]] = field(default_factory=list)

    def write(self, offset: int, content: bytes) -> None:
        self.current = patched(self.current, offset, content)
        self.pending.append((offset, content))

    def cut(self, length: int) -> None:
        assert length >= len(self.current), "a file cut shorter is not modelled"
        self.current = self.current.ljust(length, b"\0")
        self.pending.append((length, b""))

    def sync(self) -> None:
        self.durable, self.pending = self.current, []


Change = tuple[str, str, str, "File | Folder | None"]
"""("add", name, "", node), ("remove", name, "", None) or ("move", name, new name, None)"""


@dataclass
class Folder:
    """Names that have reached the disk, and changes to them that have not."""

    durable: dict[str, File | Folder] = field(default_factory=dict)
    current: dict[str, File | Folder] = field(default_factory=dict)
    pending: list[Change] = field(default_factory=list)

    def change(self, *change: str, node: File | Folder | None = None) -> None:
        kind, name, new = (*change, "")[:3]
        made: Change = (kind, name, new, node)
        assert changed(self.current, made), f"{made} is not possible"
        self.pending.append(made)

    def sync(self) -> None:
        self.durable, self.pending = dict(self.current), []


def changed(names: dict[str, File | Folder], change: Change) -> bool:
    """Make one change of names, and tell whether it was possible."""
    kind, name, new, node = change
    if kind == "add":
        if name in names:
            return False
        assert node is not None
        names[name] = node
    elif name not in names:
        return False
    elif kind == "remove":
        del names[name]
    else:
        if isinstance(names.get(new), Folder):
            return False
        names[new] = names.pop(name)
    return True


def patched(content: bytes, offset: int, part: bytes) -> bytes:
    return content[:offset].ljust(offset, b"\0") + part + content[offset + len(part) :]


class Disk:
    """A disk below `root`, as the calls of a log made it. It begins empty."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.top = Folder()

    def apply(self, call: Call) -> None:
        """Follow one call."""
        if call.kind in "kcF":
            return
        assert call.kind != "x", f"{call.second} on {call.path} is not followed"
        if call.kind == "s":
            self._at(call.path).sync()
            return
        folder = self._folder(call.path.parent)
        name = call.path.name
        if call.kind == "m":
            folder.change("add", name, node=Folder())
        elif call.kind in "ud":
            folder.change("remove", name)
        elif call.kind == "r":
            assert Path(call.second).parent == call.path.parent, "a move is not modelled"
            folder.change("move", name, Path(call.second).name)
        elif call.kind == "o" and name not in folder.current:
            folder.change("add", name, node=File())
        elif call.kind == "o":
            node = folder.current[name]
            assert not (call.offset and isinstance(node, File) and node.current), "overwritten"
        else:
            file = folder.current[name]
            assert isinstance(file, File)
            if call.kind == "w":
                file.write(call.offset, call.content)
            else:
                file.cut(call.offset)

    def now(self) -> Tree:
        """Return what a process sees."""
        return self.left_by(lambda changes: changes, lambda file: file.current)

    def left_by(
        self,
        names: Callable[[list[Change]], list[Change]],
        content: Callable[[File], bytes],
    ) -> Tree:
        """Return what is left when of each folder's pending changes `names` reached the disk."""

        def walk(folder: Folder, at: str) -> Iterator[tuple[str, bytes | None]]:
            entries = dict(folder.durable)
            for change in names(folder.pending):
                changed(entries, change)
            for name, node in entries.items():
                if isinstance(node, File):
                    yield at + name, content(node)
                else:
                    yield at + name, None
                    yield from walk(node, f"{at}{name}/")

        return dict(walk(self.top, ""))

    def _at(self, path: Path) -> File | Folder:
        node: File | Folder = self.top
        for name in path.relative_to(self.root).parts:
            assert isinstance(node, Folder)
            node = node.current[name]
        return node

    def _folder(self, path: Path) -> Folder:
        folder = self._at(path)
        assert isinstance(folder, Folder)
        return folder


def power_cuts(disk: Disk, draw: random.Random, num_random: int) -> Iterator[tuple[str, Tree]]:
    """Yield (how, what is left) for a power cut at this moment: the plain ways, then drawn ones."""
    yield "all unsynced is lost", disk.left_by(lambda _: [], lambda file: file.durable)
    yield "all has arrived", disk.now()
    yield "names without bytes", disk.left_by(lambda changes: changes, lambda file: file.durable)
    yield (
        "names and lengths without bytes",
        disk.left_by(
            lambda changes: changes,
            lambda file: file.durable.ljust(len(file.current), b"\0"),
        ),
    )
    yield "bytes without names", disk.left_by(lambda _: [], lambda file: file.current)
    for _ in range(num_random):
        sector = draw.choice([512, 4096])
        yield (
            f"some of it, in sectors of {sector}",
            disk.left_by(
                lambda changes: some(changes, draw), partial(torn, draw=draw, sector_bytes=sector)
            ),
        )


def some(changes: list[Change], draw: random.Random) -> list[Change]:
    """Return the first few of the changes, or any of them."""
    if draw.random() < 0.5:
        return changes[: draw.randint(0, len(changes))]
    return [change for change in changes if draw.random() < 0.5]


def torn(file: File, draw: random.Random, sector_bytes: int) -> bytes:
    """Return a file some sectors of whose unsynced writes have reached the disk, in any order."""
    content = file.durable
    if draw.random() < 0.5:
        content = content.ljust(len(file.current), b"\0")  # its length is known before its bytes
    chance = draw.choice([0.1, 0.5, 0.9])
    for offset, part in file.pending:
        start = 0
        while start < len(part):
            end = min(len(part), start + sector_bytes - (offset + start) % sector_bytes)
            if draw.random() < chance:
                content = patched(content, offset + start, part[start:end])
            start = end
    return content


def lay_out(tree: Tree, folder: Path) -> None:
    """Make the files of a disk in an empty folder."""
    folder.mkdir(parents=True)
    for name, content in tree.items():  # a folder stands before what is in it
        if content is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(content)


def tree_of(folder: Path) -> Tree:
    """Return what lies below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }
