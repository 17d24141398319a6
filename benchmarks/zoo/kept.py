"""What was trained already, and by which Treadle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.zoo.worker import Task

RUNS = "runs.jsonl"
ROOT = Path(__file__).parents[2]
TRAINERS = "made real rows networks plants own frames tables photos events".split()


def source_hash() -> str:
    """Return a hash of all code that a run follows from: Treadle's, and the zoo's trainers."""
    told = hashlib.sha256()
    here = [Path(__file__).with_name(f"{name}.py") for name in TRAINERS]
    for path in [*sorted((ROOT / "src").rglob("*.py")), *here]:
        told.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return told.hexdigest()[:16]


def kept_lines(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the newest line of each run, by name."""
    path = folder / RUNS
    lines = path.read_text().splitlines() if path.exists() else []
    return {line["name"]: line for line in map(json.loads, lines)}


def is_kept(out: Path, task: Task) -> bool:
    """Tell whether the recipe lies there as it is now; any Treadle will do for a task of none."""
    line = kept_lines(out).get(task.recipe.name)
    if line is None or line["key"] != task.recipe.key or not task.folder.exists():
        return False
    same = line["steps_factor"] == task.steps_factor
    return same and task.source in ("", line["source"])
