"""The beginning of a run: its folder, its lock, and the comparison a resume makes."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from treadle.api.machine import differences, refuse_unless_same
from treadle.contracts import Json
from treadle.errors import RunError, UserError
from treadle.folder import FORMAT, RunFolder

OURS = (
    "config.json",
    "plan.json",
    "data.json",
    "findings.json",
    "events.jsonl",
    "metrics.jsonl",
    "result.json",
    "report.html",
    "lock",
    "requests",
    "members",
    "checkpoints",
    "model",
)


def new_folder(parent: Path | str = "runs") -> RunFolder:
    """Return a folder below `parent` that is named by the time and not taken yet."""
    stamp = datetime.now().astimezone().strftime("%Y-%m-%d-%H%M%S")
    place = Path(parent) / stamp
    number = 2
    while place.exists():
        place, number = Path(parent) / f"{stamp}-{number}", number + 1
    return RunFolder(place)


@contextlib.contextmanager
def begin(
    folder: RunFolder,
    config: Json,
    machine: Json,
    *,
    resume: bool = False,
    not_exact: bool = False,
    overwrite: bool = False,
) -> Iterator[list[str]]:
    """Hold a run's folder while it is written; yield what must be said of a resume.

    A fresh run refuses a folder that holds one already, unless overwrite; a resume refuses a
    folder without one, other options, and another machine, unless not_exact. When a user's
    mistake ends a fresh run before there is anything to keep, the folder is removed again.

    Raises: RunError.
    """
    fresh = not (resume and folder.is_run)
    existed = folder.path.exists()
    if fresh:
        _make_room(folder, overwrite)
    folder = RunFolder.create(folder.path)
    config = {"format": FORMAT, **config}
    try:
        with folder.lock():
            if fresh:
                folder.write_json("config.json", config)
                folder.write_json("plan.json", {"machine": machine})
                yield []
            else:
                yield _compared(folder, config, machine, not_exact)
    except UserError:
        if fresh and not folder.checkpoints() and not folder.members():
            _remove(folder.path, whole=not existed)
        raise


def _make_room(folder: RunFolder, overwrite: bool) -> None:
    if not folder.is_run:
        return
    if not overwrite:
        done = folder.result is not None
        raise RunError(
            f"there is {'a finished' if done else 'an unfinished'} run at {folder.path} already.",
            ("" if done else f"Go on with it: treadle resume {folder.path}. ")
            + "Or give another --out, or replace it with --overwrite.",
        )
    with folder.lock():
        _remove(folder.path, whole=False)


def _compared(folder: RunFolder, config: Json, machine: Json, not_exact: bool) -> list[str]:
    recorded = folder.config
    changed = differences(recorded, config)
    if changed:
        raise RunError(
            f"the run at {folder.path} was started with other options:\n  " + "\n  ".join(changed),
            "Resume it with the same, or start a new run with another --out.",
        )
    plan = folder.plan or {}
    different = refuse_unless_same(plan.get("machine", {}), machine, not_exact=not_exact)
    return [f"not exact: {line}." for line in different]


def _remove(path: Path, *, whole: bool) -> None:
    """Remove a run's own files; the folder too where it was made for it or is empty now."""
    for name in OURS:
        entry = path / name
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
    if whole:
        with contextlib.suppress(OSError):
            path.rmdir()
