"""The beginning of a run: its folder, its lock, and the comparison a resume makes."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from treadle.api.machine import differences, refuse_unless_same
from treadle.contracts import Json
from treadle.errors import DivergedError, Interrupted, RunError, UserError
from treadle.folder import EVENTS, FORMAT, LOCK, RunFolder

OURS = (
    "config.json",
    "plan.json",
    "data.json",
    "findings.json",
    "events.jsonl",
    "metrics.jsonl",
    "result.json",
    "report.html",
    "collect.json",
    "request.html",
    "lock",
    "requests",
    "members",
    "checkpoints",
    "model",
    "worth-of.json",
    "worth-of",
)
HALF_WRITTEN = re.compile(r"\.(?P<name>.+)\.\d+\.tmp")


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
    begun = folder.is_run and not _was_killed_at_once(folder)
    fresh = not (resume and begun)
    made = _missing(folder.path)
    if fresh and not (resume and folder.is_run):
        _make_room(folder, overwrite)
    folder = RunFolder.create(folder.path)
    config = {"format": FORMAT, **config}
    try:
        with folder.lock():
            _collect(folder.path)
            if fresh:
                folder.write_json("config.json", config)
                folder.write_json("plan.json", {"machine": machine})
                yield []
            else:
                yield _compared(folder, config, machine, not_exact)
    except UserError:
        if fresh and not folder.checkpoints() and not _begun(folder):
            _remove(folder.path, made)
        raise
    except DivergedError:
        from treadle.report.page import write

        write(folder.path)  # what was seen and tried, for people
        raise
    except KeyboardInterrupt as error:
        raise Interrupted(
            "training was asked to stop; what was saved before is there.",
            f"Go on with: treadle resume {folder.path}",
        ) from error


def refuse_taken(folder: RunFolder, *, overwrite: bool = False) -> None:
    """Refuse a folder for a fresh run that holds a run, or anything else. Raises: RunError."""
    path = folder.path
    if folder.is_run:
        if overwrite:
            return
        done = folder.result is not None
        raise RunError(
            f"there is {'a finished' if done else 'an unfinished'} run at {path} already.",
            ("" if done else f"Go on with it: treadle resume {path}. Or give")
            + ("Give" if done else "")
            + " another --out, or replace it with --overwrite.",
        )
    if path.exists() and not path.is_dir():
        raise RunError(f"--out {path} is a file.", "Give a folder that is new or empty.")
    if path.is_dir() and (other := [e.name for e in path.iterdir() if not _is_left(e.name)]):
        raise RunError(
            f"the folder {path} holds other things already ({', '.join(sorted(other)[:3])}).",
            "Give a folder that is new or empty as --out.",
        )


def _make_room(folder: RunFolder, overwrite: bool) -> None:
    refuse_taken(folder, overwrite=overwrite)
    if folder.is_run:
        with folder.lock():
            _remove(folder.path, [])


def _was_killed_at_once(folder: RunFolder) -> bool:
    """Tell whether a run's process died between its first two files, with nothing done yet."""
    return folder.plan is None and not (folder.path / EVENTS).exists()


def _is_left(name: str) -> bool:
    """Tell whether a file is what a run that was killed before it began leaves: a lock, a half."""
    return name == LOCK or _is_half(name)


def _is_half(name: str) -> bool:
    """Tell whether a file is one of a run's own that was being written when its process died."""
    found = HALF_WRITTEN.fullmatch(name)
    return found is not None and found["name"] in OURS


def _collect(path: Path) -> None:
    """Remove what a killed process had written only half of."""
    for entry in path.iterdir():
        if _is_half(entry.name):
            entry.unlink(missing_ok=True)


def _begun(folder: RunFolder) -> bool:
    """Tell whether a member has anything to keep."""
    return any(member.checkpoints() for member in folder.members())


def _missing(path: Path) -> list[Path]:
    """Return the folders that must be made for `path`, the innermost first."""
    found: list[Path] = []
    for place in (path, *path.parents):
        if place.exists():
            break
        found.append(place)
    return found


def _compared(folder: RunFolder, config: Json, machine: Json, not_exact: bool) -> list[str]:
    before = (folder.plan or {}).get("machine", {})
    changed = differences(folder.config, config)
    if changed:
        changed += refuse_unless_same(before, machine, not_exact=True)
        raise RunError(
            f"the run at {folder.path} was started with other options:\n  " + "\n  ".join(changed),
            "Resume it with the same, or start a new run with another --out.",
        )
    different = refuse_unless_same(before, machine, not_exact=not_exact)
    return [f"not exact: {line}." for line in different]


def _remove(path: Path, made: list[Path]) -> None:
    """Remove a run's own files, and the folders that were made for it and are empty now."""
    if path.is_dir():
        _collect(path)
    for name in OURS:
        entry = path / name
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
    for place in made:
        with contextlib.suppress(OSError):
            place.rmdir()
