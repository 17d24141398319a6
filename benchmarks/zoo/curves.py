"""The curves of trained recipes, for whoever forecasts them.

for curve in curves(Path("zoo/long")):
    curve.recipe.name, curve.metric, curve.higher_is_better, curve.history
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.zoo.judge import runs_of
from benchmarks.zoo.kept import kept_lines
from benchmarks.zoo.recipe import Recipe
from treadle.folder import RunFolder
from treadle.goal import METRICS


class Curve(NamedTuple):
    """One training's curve.

    history: {"step", "epoch", "values": by metric, …} of each validation, in order
    metric:  the name of the one that decides, which every row's values hold
    planned: the steps that the recipe itself plans; a run with --steps-factor took more
    """

    recipe: Recipe
    history: list[dict[str, Any]]
    metric: str
    higher_is_better: bool
    planned: int


def curves(folder: Path) -> Iterator[Curve]:
    """Yield every curve below a folder that benchmarks.zoo.run wrote; a run of members has several.

    Runs that ended without a result (a training given up) are left out.
    """
    lines = kept_lines(folder)
    for recipe, run in runs_of(folder):
        if run.result is None:
            continue
        factor = int(lines[recipe.name]["steps_factor"])
        for part in _parts(run):
            yield from _curve(recipe, part, run.result["metric"]["name"], factor)


def _parts(run: RunFolder) -> list[RunFolder]:
    """Return the folders in which one model each was trained."""
    return run.members() or [run]


def _curve(recipe: Recipe, part: RunFolder, metric: str, factor: int) -> Iterator[Curve]:
    history = [row for row in part.metrics() if metric in row.get("values", {})]
    if not history:
        return
    known = METRICS.get(metric)
    up = known.higher_is_better if known else metric != "loss"
    yield Curve(recipe, history, metric, up, history[-1]["step"] // factor)
