"""What the state.json of a checkpoint may say: checked once, where it is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field, ValidationError, model_validator

from treadle.contracts import Frozen, Json
from treadle.loop.tree import unflatten

if TYPE_CHECKING:
    from torch import Tensor

DEEPEST = 200
"""Levels of lists and objects in each other: what walks them must not run out of stack."""

TENSOR_FILES = ("totals", "average", "best", "random", "model", "optimizers", "extras")
Count = Annotated[int, Field(ge=0, le=1 << 53)]
Finite = Annotated[float, Field(ge=0, le=1e18, allow_inf_nan=False)]


class _Strict(Frozen):
    model_config = ConfigDict(strict=True)


class _Measured(_Strict):
    """One validation; a metric may be anything that a float can be."""

    step: Count
    epoch: Count
    metrics: dict[str, float]


class _Skeletons(_Strict):
    model: dict[str, Any]
    optimizers: dict[str, Any]
    extras: dict[str, Any]


class _Facts(_Strict):
    """The facts of a `TrainState`, and what they must be to each other."""

    step: Count
    epoch: Count
    position: Count
    horizon: Count
    scale: Finite
    best_step: Count | None
    best_value: float | None
    memory: dict[str, Any]
    history: list[_Measured]
    seconds: Finite
    skeletons: _Skeletons

    @model_validator(mode="after")
    def _agree(self) -> _Facts:
        steps = [entry.step for entry in self.history]
        if steps != sorted(set(steps)) or (steps and steps[-1] > self.step):
            raise ValueError("its history does not go from step to step up to its own")
        if (self.best_step is None) != (self.best_value is None):
            raise ValueError("of the best step and its value one is missing")
        if (self.best_step or 0) > self.step or self.best_value != self.best_value:
            raise ValueError("its best step or value is none that it can have")
        return self


def check_facts(facts: Json, files: Mapping[str, dict[str, Tensor]], step: int) -> None:
    """Make sure that facts are those of a checkpoint of this step and lead to its tensors.

    Raises: ValueError, LookupError, TypeError, RecursionError saying what is wrong.
    """
    if is_deeper_than(facts, DEEPEST):
        raise ValueError(f"more than {DEEPEST} lists and objects stand in each other")
    try:
        found = _Facts.model_validate(facts)
    except ValidationError as error:
        raise ValueError(_told(error)) from error
    if found.step != step:
        raise ValueError(f"it is of step {found.step:,}, and its folder of step {step:,}")
    if lacking := [name for name in TENSOR_FILES if name not in files]:
        raise LookupError(f"the tensors {', '.join(lacking)} are missing")
    unflatten(found.skeletons.model, files["model"])
    for place in ("optimizers", "extras"):
        for skeleton in facts["skeletons"][place].values():
            unflatten(skeleton, files[place])


def is_deeper_than(value: object, limit: int) -> bool:
    """Tell whether lists and objects stand in each other more than so many times, without stack."""
    level = [value]
    for _ in range(limit):
        level = [
            inner for outer in level if isinstance(outer, (dict, list)) for inner in _in(outer)
        ]
        if not level:
            return False
    return any(isinstance(inner, (dict, list)) for inner in level)


def _in(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _told(error: ValidationError) -> str:
    """Return the first few problems as one line."""
    problems = [
        f"{' '.join(map(str, found['loc'])) or 'the whole'}: {found['msg']}"
        for found in error.errors(include_url=False, include_input=False)[:3]
    ]
    return "; ".join(problems)
