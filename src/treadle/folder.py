"""A run folder: its JSON files, its journal, and the lock that lets one process at a time in.

Everything that looks at a run (report, command line, studio) and everything that writes one goes
through here. No torch. A whole JSON file is there or it is not; a journal may end in a torn line.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from treadle.contracts import Json
from treadle.errors import RunError, SaveError, did_you_mean
from treadle.lock import hold, make_folder, sync_folder

FORMAT = 1
CONFIG = "config.json"
EVENTS = "events.jsonl"
METRICS = "metrics.jsonl"
LOCK = "lock"
MOST_JSON_BYTES = 1 << 30
"""No file of a run comes near; a larger one would fill the memory of whoever opens the run."""


class RunFolder:
    """One run's folder, read and written whole files at a time.

    `RunFolder(path)` looks at nothing yet; `RunFolder.open(path)` makes sure that a run is there
    and that this Treadle can read it; `RunFolder.create(path)` makes the folder.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    @classmethod
    def open(cls, path: Path | str) -> RunFolder:
        """Return the run at `path`.

        Raises: RunError when there is none, or when a newer Treadle wrote it.
        """
        folder = cls(path)
        _ = folder.config
        return folder

    @classmethod
    def create(cls, path: Path | str) -> RunFolder:
        """Make the folder of a run that is about to be written. Raises: SaveError."""
        try:
            make_folder(Path(path))
        except OSError as error:
            raise SaveError(
                f"the run folder {path} could not be made: {error}.", "Give another --out."
            ) from error
        return cls(path)

    @property
    def name(self) -> str:
        return self.path.resolve().name

    @property
    def is_run(self) -> bool:
        return (self.path / CONFIG).is_file()

    @property
    def config(self) -> Json:
        """What was asked for. Raises: RunError when this is no run, or one of a newer format."""
        found = self.read_json(CONFIG)
        if found is None:
            raise _no_run(self.path)
        _check_format(found.get("format"), self.path)
        return found

    @property
    def format(self) -> int:
        number: int = self.config["format"]
        return number

    @property
    def plan(self) -> Json | None:
        return self.read_json("plan.json")

    @property
    def data(self) -> Json | None:
        return self.read_json("data.json")

    @property
    def findings(self) -> Json | None:
        return self.read_json("findings.json")

    @property
    def result(self) -> Json | None:
        return self.read_json("result.json")

    def read_json(self, name: str) -> Json | None:
        """Return one JSON object of the run, or None when the file is absent.

        Raises: RunError naming the file when it holds something else.
        """
        path = self.path / name
        try:
            found = json.loads(_plain_bytes(path).decode())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{path} cannot be read: {error}.", "Is it a copy cut short?") from error
        if not isinstance(found, dict):
            raise RunError(f"{path} holds no JSON object, which a run's file must be.")
        return found

    def write_json(self, name: str, content: Json) -> None:
        """Put one JSON object in place whole: written aside, synced, renamed. Raises: SaveError."""
        path = self.path / name
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        text = json.dumps(finite(content), indent=1, ensure_ascii=False, allow_nan=False)
        try:
            with temporary.open("w", encoding="utf-8", newline="\n") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise SaveError(
                f"{path} could not be written: {error}.",
                "What stood there before is untouched. Free space or mend the place.",
            ) from error

    def events(self) -> list[Json]:
        """Return the journal: every whole line of every attempt, in the order written."""
        return list(read_lines(self.path / EVENTS))

    def metrics(self) -> list[Json]:
        """Return the points of the curves by step; of two attempts at a step, the later one's."""
        return latest_attempts(read_lines(self.path / METRICS))

    def members(self, *, trials: bool = False) -> list[RunFolder]:
        """Return the runs this one is made of, by name; trials: or those that only were tried."""
        places = sorted((self.path / "members").glob("*"))
        runs = [run for run in map(RunFolder, places) if run.is_run]
        return [run for run in runs if run.is_trial == trials]

    @property
    def is_trial(self) -> bool:
        """Whether this is one of many trainings with other settings, made to choose among them."""
        try:
            return "trial" in self.config
        except RunError:
            return False

    def checkpoints(self) -> list[Path]:
        """Return the folders of finished checkpoints, oldest first."""
        places = sorted((self.path / "checkpoints").glob("step-*"))
        return [place for place in places if (place / "MANIFEST.json").is_file()]

    def lock(self) -> contextlib.AbstractContextManager[None]:
        """Hold the run for this process alone; the system lets go of it even after a crash.

        Raises: RunError within a second when another process holds it; SaveError when the place
        cannot be written to.
        """
        return hold(self.path / LOCK)


def find_runs(parent: Path | str) -> list[RunFolder]:
    """Return the runs at and below a folder, two levels deep; members of a run are not listed.

    Raises: RunError when there is no such folder.
    """
    parent = Path(parent)
    if not parent.is_dir():
        raise RunError(f"there is no folder {parent}.", did_you_mean_path(parent))
    return sorted(_runs_below(parent, depth=2), key=lambda run: str(run.path))


def read_lines(path: Path) -> Iterator[Json]:
    """Yield the whole lines of a journal file; none when it is absent."""
    try:
        content = _plain_bytes(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error}.", "Is it a copy cut short?") from error
    for text in content.split(b"\n"):
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict):
            yield line


def latest_attempts(lines: Iterable[Json]) -> list[Json]:
    """Return the points of a curve by step, each from the latest attempt that turned that step.

    An attempt that started from an earlier checkpoint takes the place of all later steps of the
    attempts before it. Lines without a step or an attempt are passed over.
    """
    kept: list[Json] = []
    for line in lines:
        if not (isinstance(line.get("step"), int) and isinstance(line.get("attempt"), int)):
            continue
        if kept and line["attempt"] > kept[-1]["attempt"]:
            kept = [old for old in kept if old["step"] < line["step"]]
        kept.append(line)
    return kept


def finite(value: Any) -> Any:
    """Return `value` with NaN and infinities as None, which is all that JSON can say of them.

    Arrays and their scalars become lists and plain numbers.
    """
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return finite(value.tolist()) if hasattr(value, "tolist") else value


def did_you_mean_path(path: Path) -> str:
    """Return "did you mean …?" for the nearest neighbour of a path that is not there."""
    try:
        neighbours = [entry.name for entry in path.parent.iterdir() if entry.is_dir()]
    except OSError:
        return ""
    return did_you_mean(path.name, [name for name in neighbours if name != path.name])


def _plain_bytes(path: Path) -> bytes:
    """Return a file's content. Raises: OSError, also for a pipe, which would never end."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError("it is a folder, a pipe or a device")
    if found.st_size > MOST_JSON_BYTES:
        raise OSError(f"its {found.st_size:,} bytes are more than a run's file ever has")
    return path.read_bytes()


def _no_run(path: Path) -> RunError:
    if not path.exists():
        return RunError(
            f"there is no run at {path}.",
            f"{did_you_mean_path(path)}Runs are listed by: treadle runs",
        )
    inside = [run.name for run in _runs_below(path, depth=1)] if path.is_dir() else []
    hint = f"There are runs inside it: {', '.join(sorted(inside)[:5])}. " if inside else ""
    what = "a folder" if path.is_dir() else "a file"
    return RunError(
        f"there is no run at {path}: it is {what} without a {CONFIG}.",
        f"{hint}Give the folder that fit wrote to (its --out).",
    )


def _check_format(number: object, path: Path) -> None:
    if not isinstance(number, int) or number < 1:
        raise RunError(
            f"{path / CONFIG} says no format number (found: {number!r}).",
            "Every run says one; was the file edited?",
        )
    if number > FORMAT:
        raise RunError(
            f"the run at {path} has format {number}; this Treadle reads formats up to {FORMAT}.",
            "A newer Treadle wrote it: pip install --upgrade treadle",
        )


def _runs_below(path: Path, depth: int) -> Iterator[RunFolder]:
    run = RunFolder(path)
    if run.is_run:
        yield run
        return
    if depth == 0:
        return
    with contextlib.suppress(OSError):
        for entry in path.iterdir():
            if entry.is_dir() and not entry.name.startswith("."):
                yield from _runs_below(entry, depth - 1)
