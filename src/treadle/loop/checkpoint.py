"""Checkpoints: written whole or not at all, off the hot path, and checked before they are used.

A checkpoint is a folder `step-000000120` of safetensors files, state.json and, written last,
MANIFEST.json with the SHA-256 of each file and of itself. It is written to a temporary folder,
synced, renamed, and the parent folder synced. What a crash leaves half-written is never chosen,
and a finished checkpoint is not touched again until a newer one has reached the disk: the same
step saved again is `step-000000120.2`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from treadle.contracts import Json
from treadle.errors import BrokenCheckpointError, SaveError
from treadle.lock import make_folder, sync_folder
from treadle.loop.facts import check_facts
from treadle.loop.manifest import FACTS, MANIFEST, listed_files, manifest_of, naming
from treadle.loop.tensor_file import Parts, to_parts
from treadle.tensors import content_of, tensors_in

if TYPE_CHECKING:
    from torch import Tensor

    from treadle.loop.state import TrainState

BUFFER_BYTES = 1 << 20
EVERY_SECONDS = 60.0
LONGEST_WAIT = 10
"""How many times the usual interval lies between two saves at most, whatever they cost."""

WORTH = 0.01
"""The share of the time that saving may take, copying and writing together."""

BROKEN = "broken-"
KEPT_BROKEN = 2
NAME = re.compile(r"step-(\d+)(?:\.(\d+))?")
Files = dict[str, "dict[str, Tensor]"]
Contents = dict[str, Parts]


def write(folder: Path, files: Files, facts: Json) -> Path:
    """Write one checkpoint below `folder` and return its place.

    Raises: SaveError; what was written is removed again and nothing else was touched.
    """
    return commit(folder, facts["step"], contents(files, facts))


def contents(files: Files, facts: Json) -> Contents:
    """Return the bytes of each file of a checkpoint, without a copy of the tensors.

    Raises: SaveError when the facts hold what JSON cannot, or a tensor is of an unknown type.
    """
    try:
        text = json.dumps(facts).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise _failed(facts["step"], "", error) from error
    parts = {f"{name}.safetensors": to_parts(tensors) for name, tensors in files.items()}
    return parts | {FACTS: [text]}


def commit(folder: Path, step: int, files: Contents) -> Path:
    """Put a checkpoint's files in place: all of them, durable, or none. Raises: SaveError."""
    place = temporary = folder
    try:
        make_folder(folder)
        place = _free_place(folder, step)
        temporary = folder / f".{place.name}.{os.getpid()}.tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        hashes = {name: _write(temporary / name, parts) for name, parts in files.items()}
        _write(temporary / MANIFEST, [manifest_of(hashes)])
        sync_folder(temporary)
        temporary.rename(place)
        sync_folder(folder)
    except Exception as error:
        # also when the rename alone may not have reached the disk: what failed is not used
        for left in {place, temporary} - {folder}:
            remove(left)
        raise _failed(step, f" to {folder}", error) from error
    return place


def read(place: Path) -> tuple[Files, Json]:
    """Return the tensors and facts of a checkpoint whose every file has its recorded hash.

    Each file is read once: what is checked is what is used.

    Raises: BrokenCheckpointError naming the file that is absent or changed.
    """
    hashes = listed_files(place / MANIFEST)
    files: Files = {}
    facts: Json = {}
    for name, expected in hashes.items():
        with naming(place / name):
            content = content_of(place / name)
            if hashlib.sha256(content).hexdigest() != expected:
                raise BrokenCheckpointError(f"{place / name} was changed after it was written.")
            if name.endswith(".safetensors"):
                files[Path(name).stem] = tensors_in(content, place / name)
            elif name == FACTS:
                facts = json.loads(content)
    return files, facts


def read_newest(folder: Path) -> tuple[tuple[Files, Json] | None, list[str]]:
    """Return the newest whole checkpoint below `folder`, or None, and a word on each broken one.

    A broken one is set aside under another name, so that it is never counted among the newest.
    """
    broken: list[str] = []
    for place in reversed(finished(folder)):
        try:
            files, facts = read(place)
            with naming(place / FACTS):
                check_facts(facts, files, _age(place)[0])
            return (files, facts), broken
        except BrokenCheckpointError as error:
            broken.append(f"{error.message} {_set_aside(place)}")
    return None, broken


def finished(folder: Path) -> list[Path]:
    """Return the checkpoints below `folder` by their names, oldest first."""
    return sorted((p for p in folder.glob("step-*") if NAME.fullmatch(p.name)), key=_age)


def prune(folder: Path, keep: int, best_step: int | None) -> None:
    """Remove all but the newest `keep` checkpoints and the newest one of the best step."""
    places = finished(folder)
    best = [place for place in places if _age(place)[0] == best_step][-1:]
    for place in places[:-keep]:
        if place not in best:
            remove(place)


def remove(place: Path) -> None:
    """Remove a checkpoint: out of sight at once, so that no half of it is ever met."""
    if not place.name.startswith("."):
        with contextlib.suppress(OSError):
            place = place.rename(place.with_name(f".{place.name}.{os.getpid()}.gone.tmp"))
    shutil.rmtree(place, ignore_errors=True)


def prepare(folder: Path) -> None:
    """Make sure that checkpoints can be written below `folder`; remove what a crash left there.

    Of the broken checkpoints that were set aside the newest two stay: they are evidence.

    Raises: SaveError when nothing can be written there: better now than after hours of training.
    """
    probe = folder / f".step-probe.{os.getpid()}.tmp"
    try:
        make_folder(folder)
        for orphan in folder.glob(".step-*.tmp"):
            shutil.rmtree(orphan, ignore_errors=True)
        for old in _set_aside_before(folder)[:-KEPT_BROKEN]:
            remove(old)
        probe.mkdir()
        (probe / FACTS).write_bytes(b"{}")
    except OSError as error:
        raise SaveError(
            f"checkpoints cannot be written to {folder}: {error}.",
            "Free space, mend the place, or choose another --out.",
        ) from error
    finally:
        shutil.rmtree(probe, ignore_errors=True)


class Saver:
    """A watcher that saves the state every so many seconds, in a thread of its own.

    The copy of the state is taken between two steps; hashing, writing and syncing happen while
    training goes on; that thread calls no torch. While one save is under way no other is begun.
    A save that failed, or whose thread died, is raised behind the next step, or when the saver is
    closed: what would be learned from there on could not be kept.

    every_seconds: how much work a crash may cost. The usual minute grows, up to ten of them,
                   where a save costs more than a hundredth of the time; another number is kept
    every_steps:   save only at multiples of this (trees can only be left at the end of a block);
                   a copy of the state at the last such place is kept, to be saved at the end

    Raises: SaveError when nothing can be written to `folder`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        every_seconds: float = EVERY_SECONDS,
        every_steps: int = 1,
        keep: int = 2,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self.every_seconds = every_seconds
        self.every_steps = every_steps
        self.keep = keep
        self.failure: SaveError | None = None
        self.saved_step: int | None = None
        self.clock = clock
        self._last = clock()
        self._copy_seconds = 0.0
        self._costs: deque[float] = deque(maxlen=3)
        self._thread: threading.Thread | None = None
        self._under_way: int | None = None
        self._left_at: tuple[Files, Json] | None = None
        prepare(folder)

    def __call__(self, state: TrainState) -> None:
        is_writing = self._thread is not None and self._thread.is_alive()
        if not is_writing:
            self._raise_failure()
        if state.step % self.every_steps:
            return
        if self.every_steps > 1:
            self._left_at = state.snapshot()
        began = self.clock()
        if is_writing or began - self._last < self.wait_seconds:
            return
        files, facts = self._left_at or state.snapshot()
        self._copy_seconds = self.clock() - began
        self._begin(files, facts)

    @property
    def wait_seconds(self) -> float:
        """How long nothing is saved after a save, by what the cheapest of the last three cost."""
        if self.every_seconds != EVERY_SECONDS or not self._costs:
            return self.every_seconds
        worth = min(self._costs) / WORTH
        return min(max(self.every_seconds, worth), LONGEST_WAIT * self.every_seconds)

    def close(self, state: TrainState) -> None:
        """Save the newest state that a run can go on from, and wait until that is done."""
        self.wait()
        self._raise_failure()
        files, facts = self._left_at or state.snapshot()
        # with every_steps 1 what was measured after the last save must be in the last one too
        due = self.every_steps == 1 or facts["step"] != self.saved_step
        if due and facts["step"] % self.every_steps == 0:
            self._begin(files, facts)
            self.wait()
            self._raise_failure()

    def wait(self) -> None:
        """Wait until a save under way is done."""
        if self._thread:
            self._thread.join()

    def _begin(self, files: Files, facts: Json) -> None:
        step: int = facts["step"]
        arguments = (step, contents(files, facts), facts["best_step"])
        self._thread = threading.Thread(target=self._write, args=arguments, name="checkpoint")
        self._under_way = step
        try:
            self._thread.start()
        except RuntimeError as error:
            self._thread = self._under_way = None
            raise _failed(step, "", error) from error

    def _write(self, step: int, files: Contents, best_step: int | None) -> None:
        began = self.clock()
        try:
            commit(self.folder, step, files)
            prune(self.folder, self.keep, best_step)
            self._costs.append(self._copy_seconds + self.clock() - began)
            self.saved_step, self._under_way = step, None
        except SaveError as error:
            self.failure = error
        except BaseException as error:
            self.failure = _died(step, f"{type(error).__name__} {error}".strip())
        finally:
            self._last = self.clock()

    def _raise_failure(self) -> None:
        """Raise what became of the last save, unless it is known to have succeeded."""
        step, failure = self._under_way, self.failure
        self._under_way = self.failure = None
        if failure:
            raise failure
        if step is not None:
            raise _died(step, "it ended without a word")


def _age(place: Path) -> tuple[int, int]:
    """Return (step, how often it was saved) of a checkpoint's name."""
    found = NAME.fullmatch(place.name)
    assert found is not None
    return int(found[1]), int(found[2] or 1)


def _free_place(folder: Path, step: int) -> Path:
    saved = [_age(place)[1] for place in finished(folder) if _age(place)[0] == step]
    again = f".{max(saved) + 1}" if saved else ""
    return folder / f"step-{step:09d}{again}"


def _write(path: Path, parts: Parts) -> str:
    """Write a new file, wait until it has reached the disk, and return the SHA-256 of its bytes.

    The file that was written is the one that is synced: another opening of it might not be told
    of an error.
    """
    digest = hashlib.sha256()
    with path.open("xb", buffering=BUFFER_BYTES) as file:
        for part in parts:
            digest.update(part)
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _set_aside(place: Path) -> str:
    aside = place.with_name(f"{BROKEN}{place.name}")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        place.rename(aside)
    except OSError as error:
        return f"It was passed over, and could not be set aside: {error}."
    return f"It was set aside as {aside.name}."


def _set_aside_before(folder: Path) -> list[Path]:
    """Return the broken checkpoints that were set aside, oldest first."""
    found = [p for p in folder.glob(f"{BROKEN}*") if NAME.fullmatch(p.name[len(BROKEN) :])]
    return sorted(found, key=lambda place: place.stat().st_mtime_ns)


def _failed(step: int, where: str, error: BaseException) -> SaveError:
    return SaveError(
        f"the checkpoint of step {step:,} could not be written{where}: {error}.",
        "Earlier checkpoints are whole. Free space or mend the place, then resume.",
    )


def _died(step: int, how: str) -> SaveError:
    return SaveError(
        f"the thread that saves checkpoints died at step {step:,}: {how}.",
        "Earlier checkpoints are whole. Resume the run to go on from the newest of them.",
    )
