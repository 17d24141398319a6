"""Which model the forks of a run train, with which settings, and where each training ends."""

from __future__ import annotations

import math
from dataclasses import dataclass

from treadle.api.options import FitOptions
from treadle.contracts import Json
from treadle.errors import RunError
from treadle.folder import RunFolder
from treadle.loop.until import StopCondition, epochs, no_better_for, parse, reaches, steps

RATE_TOPICS = ("rate", "first_steps")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Which model the forks train, and how: as the run's own member that answers.

    seconds: that the run's own training took
    """

    model: str
    settings: Json
    until: str
    seconds: float

    @property
    def condition(self) -> StopCondition:
        return parse(self.until) if self.until else StopCondition.never()


def recipe_of(run: RunFolder, result: Json, options: FitOptions) -> Recipe:
    """Return the model that answers most of the run's blend, its settings, and where it ends."""
    blend = result.get("blend") or {options.model: 1.0}
    name = max(blend, key=lambda member: blend[member])
    member = RunFolder(run.path / "members" / name)
    place = member if member.is_run else run
    model = str(place.config["options"]["model"])
    settings = dict((place.plan or {}).get("settings") or {})
    if model not in ("trees", "neural") or not settings:
        raise RunError(
            f"the run at {run.path} does not say how its model '{name}' was trained.",
            "Train it anew with this version of Treadle.",
        )
    if options.lr is not None:
        settings["learning_rate"] *= _factor(place)
    return Recipe(
        model=model,
        settings=settings,
        until=until_of(options.condition, result["stopped"]),
        seconds=float(result["seconds"]) / max(1, len(result.get("members") or [1])),
    )


def _factor(place: RunFolder) -> float:
    """Return by how much the run changed its learning rate in its search or its first steps."""
    found = {
        event["topic"]: float(event["value"])
        for event in place.events()
        if event.get("topic") in RATE_TOPICS and isinstance(event.get("value"), (int, float))
    }
    return math.prod(found.values())


def blend_words(result: Json) -> list[str]:
    """Say that one model of several is trained, where several answer."""
    parts = [name for name, share in (result.get("blend") or {}).items() if share > 0]
    if len(parts) < 2:
        return []
    return [
        "the run's answer is a blend of several models; the one that counts most in it is trained "
        "here."
    ]


def until_of(asked: StopCondition | None, stopped: Json) -> str:
    """Return when a fork ends: as the run was asked to, minutes as the steps they came to.

    A clock would make two sides unequal where the machine has other work.
    """
    found: list[StopCondition] = []
    if asked is not None:
        if math.isfinite(asked.steps_limit):
            found.append(steps(int(asked.steps_limit)))
        if math.isfinite(asked.epochs_limit):
            found.append(epochs(asked.epochs_limit))
        if math.isfinite(asked.patience):
            found.append(no_better_for(int(asked.patience)))
        found += [reaches(level.metric, level.value, below=level.below) for level in asked.levels]
    if stopped["reason"] == "minutes":
        found.append(steps(int(stopped["step"])))
    return " or ".join(condition.text for condition in found)
