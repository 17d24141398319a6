"""Checkpoints: written whole or not at all, off the hot path, and checked before they are used.

A checkpoint is a folder `step-000000120` of safetensors files, state.json and, written last,
MANIFEST.json with the SHA-256 of each file. It is written to a temporary folder, synced, renamed,
and the parent folder synced. What a crash leaves half-written is never chosen.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from treadle.contracts import Json
from treadle.errors import BrokenCheckpointError, SaveError
from treadle.lock import sync_folder

if TYPE_CHECKING:
    from torch import Tensor

    from treadle.loop.state import TrainState

FORMAT = 1
MANIFEST = "MANIFEST.json"
Files = dict[str, "dict[str, Tensor]"]


def write(folder: Path, files: Files, facts: Json) -> Path:
    """Write one checkpoint below `folder` and return its place.

    Raises: SaveError; the temporary folder is removed and nothing else was touched.
    """
    place = folder / f"step-{facts['step']:09d}"
    temporary = folder / f".{place.name}.{os.getpid()}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        for name, tensors in files.items():
            save_file(tensors, temporary / f"{name}.safetensors")
        (temporary / "state.json").write_text(json.dumps(facts))
        written = sorted(temporary.iterdir())
        hashes = {file.name: _synced_sha256(file) for file in written}
        manifest = temporary / MANIFEST
        manifest.write_text(json.dumps({"format": FORMAT, "sha256": hashes}, indent=1))
        _synced_sha256(manifest)
        sync_folder(temporary)
        before = temporary.with_name(f".{place.name}.before.tmp")
        if place.exists():  # the same step, saved again: it is away for two renames alone
            shutil.rmtree(before, ignore_errors=True)
            place.rename(before)
        temporary.rename(place)
        sync_folder(folder)
        shutil.rmtree(before, ignore_errors=True)
    except Exception as error:  # safetensors has errors of its own for a full disk
        shutil.rmtree(temporary, ignore_errors=True)
        raise SaveError(
            f"the checkpoint of step {facts['step']:,} could not be written to {folder}: {error}.",
            "Earlier checkpoints are whole. Free space or mend the place, then resume.",
        ) from error
    return place


def read(place: Path) -> tuple[Files, Json]:
    """Return the tensors and facts of a checkpoint whose every file has its recorded hash.

    Raises: BrokenCheckpointError naming the file that is absent or changed.
    """
    try:
        manifest = json.loads((place / MANIFEST).read_text())
        if manifest["format"] > FORMAT:
            raise BrokenCheckpointError(f"{place} has format {manifest['format']}, a newer one.")
        for name, expected in manifest["sha256"].items():
            if _sha256(place / name) != expected:
                raise BrokenCheckpointError(f"{place / name} was changed after it was written.")
        files = {
            Path(name).stem: load_file(place / name)
            for name in manifest["sha256"]
            if name.endswith(".safetensors")
        }
        return files, json.loads((place / "state.json").read_text())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise BrokenCheckpointError(f"{place} is not a whole checkpoint: {error}.") from error


def read_newest(folder: Path) -> tuple[tuple[Files, Json] | None, list[str]]:
    """Return the newest whole checkpoint below `folder`, or None, and a word on each broken one.

    A broken one is set aside under another name, so that it is never counted among the newest.
    """
    broken: list[str] = []
    for place in sorted(folder.glob("step-*"), reverse=True):
        try:
            return read(place), broken
        except BrokenCheckpointError as error:
            aside = folder / f"broken-{place.name}"
            shutil.rmtree(aside, ignore_errors=True)
            place.rename(aside)
            broken.append(f"{error.message} It was set aside as {aside.name}.")
    return None, broken


def prune(folder: Path, keep: int, best_step: int | None) -> None:
    """Remove all but the newest `keep` checkpoints and the one of the best step."""
    places = sorted(folder.glob("step-*"))
    best = None if best_step is None else f"step-{best_step:09d}"
    for place in places[:-keep]:
        if place.name != best:
            shutil.rmtree(place, ignore_errors=True)


class Saver:
    """A watcher that saves the state every so many seconds, in a thread of its own.

    The copy of the state is taken between two steps; hashing, writing and syncing happen while
    training goes on. While one save is under way no other is begun. A failed save is raised at
    the next due one, or when the saver is closed.

    every_seconds: how much work a crash may cost
    every_steps:   save only at multiples of this (trees can only be left at the end of a block);
                   a copy of the state at the last such place is kept, to be saved at the end
    """

    def __init__(
        self, folder: Path, *, every_seconds: float = 60.0, every_steps: int = 1, keep: int = 2
    ) -> None:
        self.folder = folder
        self.every_seconds = every_seconds
        self.every_steps = every_steps
        self.keep = keep
        self.failure: SaveError | None = None
        self.saved_step: int | None = None
        self._last = time.monotonic()
        self._thread: threading.Thread | None = None
        self._left_at: tuple[Files, Json] | None = None
        for orphan in folder.glob(".step-*.tmp"):
            shutil.rmtree(orphan, ignore_errors=True)

    def __call__(self, state: TrainState) -> None:
        if state.step % self.every_steps:
            return
        if self.every_steps > 1:
            self._left_at = state.snapshot()
        if time.monotonic() - self._last < self.every_seconds:
            return
        if self._thread and self._thread.is_alive():
            return
        self._raise_failure()
        self._begin(*(self._left_at or state.snapshot()))

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
        self._thread = threading.Thread(target=self._write, args=(files, facts), name="checkpoint")
        self._thread.start()

    def _write(self, files: Files, facts: Json) -> None:
        try:
            write(self.folder, files, facts)
            self.saved_step = facts["step"]
            prune(self.folder, self.keep, facts["best_step"])
        except SaveError as error:
            self.failure = error
        finally:
            self._last = time.monotonic()

    def _raise_failure(self) -> None:
        if self.failure:
            failure, self.failure = self.failure, None
            raise failure


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _synced_sha256(file: Path) -> str:
    """Return the hash of a file whose bytes have reached the disk."""
    with file.open("rb+") as stream:
        os.fsync(stream.fileno())
    return _sha256(file)
