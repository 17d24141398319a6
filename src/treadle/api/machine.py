"""What a run must find again to be resumed to the bit: versions, processor, threads, code."""

from __future__ import annotations

import glob
import hashlib
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from treadle.contracts import Json
from treadle.errors import OptionError, RunError

if TYPE_CHECKING:
    import torch

PACKAGES = ("treadle", "torch", "lightgbm", "polars", "numpy", "scikit-learn")


def machine_and_versions(threads: int) -> Json:
    """Return the recorded tuple of a run: what a resume is compared with."""
    import torch

    return {
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "code": code_hash(),
        "processor": platform.machine(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": threads,
        "world_size": 1,
    }


def code_hash() -> str:
    """Return a hash of every Python file of this package."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def differences(recorded: Json, present: Json, at: str = "") -> list[str]:
    """Return one line for each recorded value that is another now."""
    lines = []
    for key, was in recorded.items():
        now = present.get(key)
        if isinstance(was, dict) and isinstance(now, dict):
            lines += differences(was, now, f"{at}{key} ")
        elif was != now:
            lines.append(f"{at}{key}: was {was}, is {now}")
    return lines


def changed_data(recorded: Json, present: Json) -> list[str]:
    """Return one line for each file that is not what it was; for a frame, one in all."""
    if recorded.get("sha256") == present.get("sha256"):
        return []
    was = {file["name"]: file["sha256"] for file in recorded.get("files", ())}
    now = {file["name"]: file["sha256"] for file in present.get("files", ())}
    lines = [
        f"the file {name} has changed" for name in was if name in now and was[name] != now[name]
    ]
    lines += [f"the file {name} is not among the data now" for name in was if name not in now]
    lines += [f"the file {name} is new" for name in now if name not in was]
    return lines or ["the data has changed"]


def refuse_unless_same(recorded: Json, present: Json, *, not_exact: bool) -> list[str]:
    """Return what differs, or raise when something does and `not_exact` was not asked for.

    Raises: RunError listing every difference.
    """
    marks = "data"  # of data only the names of what changed are told, not its digests
    changed = changed_data(recorded.get(marks, {}), present.get(marks, {}))
    changed += differences(
        {name: value for name, value in recorded.items() if name != marks}, present
    )
    if changed and not not_exact:
        raise RunError(
            "this run cannot be resumed to the bit: something it depends on has changed:\n  "
            + "\n  ".join(changed),
            "Restore it, or go on with --not-exact: the result may then differ in small digits.",
        )
    return changed


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def pick_device(name: str) -> torch.device:
    """Return the device of that name; "auto" takes a GPU where there is one.

    Raises: OptionError when there is no such device here.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise OptionError(f"there is no device '{name}' here.", "Use cpu, cuda or auto.") from error
    return device


def files_of(paths: Sequence[str]) -> list[Path]:
    """Return the files that paths, folders and patterns stand for, in a fixed order."""
    found: list[Path] = []
    for text in paths:
        path = Path(text).expanduser()
        if path.is_dir():
            found += sorted(file for file in path.rglob("*") if file.is_file())
        elif path.exists():
            found.append(path)
        else:
            matches = glob.glob(str(path), recursive=True)  # noqa: PTH207
            found += sorted(file for match in matches if (file := Path(match)).is_file())
    return found
