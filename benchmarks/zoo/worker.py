"""Train recipes in processes of their own, one thread each."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.zoo.events import EventSettings, fit_events
from benchmarks.zoo.own import OwnSettings, fit_own
from benchmarks.zoo.photos import PhotoSettings, fit_photos
from benchmarks.zoo.recipe import Place, Recipe
from benchmarks.zoo.tables import TableSettings, fit_table

RUNS_A_PROCESS = 40
PROBLEM = "problem.txt"


@dataclass(frozen=True, kw_only=True)
class Task:
    """One recipe to train. source: the hash of the code that trains it, "" if that is all one."""

    recipe: Recipe
    folder: Path
    data: Path | None
    cache: Path
    steps_factor: int
    source: str


def trained_in_turn(tasks: Sequence[Task], jobs: int) -> Iterator[dict[str, Any]]:
    """Yield one record a run, as they end."""
    os.environ["OMP_NUM_THREADS"] = "1"  # read by torch when a process of the pool starts
    context = multiprocessing.get_context("spawn")
    with context.Pool(jobs, maxtasksperchild=RUNS_A_PROCESS) as pool:
        yield from pool.imap_unordered(train, tasks)


def train(task: Task) -> dict[str, Any]:
    """Train one recipe and return its record; a failed training is one, too."""
    recipe = task.recipe
    shutil.rmtree(task.folder, ignore_errors=True)
    task.folder.parent.mkdir(parents=True, exist_ok=True)
    place = Place(
        folder=task.folder, data=task.data, cache=task.cache, steps_factor=task.steps_factor
    )
    start = time.monotonic()
    problem, result = _tried(recipe, place)
    shutil.rmtree(task.folder / "checkpoints", ignore_errors=True)  # they would fill the disk
    return {
        "name": recipe.name,
        "cause": recipe.cause,
        "kind": recipe.kind,
        "base": recipe.base,
        "seed": recipe.seed,
        "key": recipe.key,
        "source": task.source,
        "steps_factor": task.steps_factor,
        "seconds": round(time.monotonic() - start, 2),
        "stopped": result.get("stopped", {}).get("sentence", ""),
        "metric": result.get("metric", {}),
        "verdicts": [verdict["name"] for verdict in result.get("verdicts", [])],
        "problem": problem,
    }


def _tried(recipe: Recipe, place: Place) -> tuple[str, dict[str, Any]]:
    """Return what went wrong, or "", and the run's result. A planted rate may well end a run."""
    from treadle.errors import UserError
    from treadle.folder import RunFolder

    problem = ""
    try:
        fit(recipe, place)
    except UserError as error:
        problem = f"{type(error).__name__}: {error}"
    except Exception:
        problem = traceback.format_exc(limit=-3)
    folder = RunFolder(place.folder)
    if problem and place.folder.is_dir():
        (place.folder / PROBLEM).write_text(problem)
    return problem, folder.result or {}


def fit(recipe: Recipe, place: Place) -> Any:
    """Train the recipe with the trainer that its settings belong to."""
    trainers: dict[type, Callable[[Recipe, Place], Any]] = {
        OwnSettings: fit_own,
        TableSettings: fit_table,
        PhotoSettings: fit_photos,
        EventSettings: fit_events,
    }
    return trainers[type(recipe.settings)](recipe, place)
