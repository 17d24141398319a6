"""One fork of a run: the same model on the same rows, with one thing changed; a run folder."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.api.answers import Answers
from treadle.api.as_answered import choose_answers
from treadle.api.goal_of import Goal
from treadle.api.options import FitOptions
from treadle.api.place import Attempt, open_place
from treadle.api.pricing.ground import Ground, Told
from treadle.api.pricing.things import Thing
from treadle.api.table_data import TableData
from treadle.api.training import Observer
from treadle.data.amounts import read_amounts
from treadle.decision import ClassDecision, NumberDecision, Outcomes, TwoClassDecision
from treadle.folder import RunFolder
from treadle.study.turns import Turn

Array: TypeAlias = NDArray[Any]

JUDGED = "judged.safetensors"
WHOLE = "whole"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a fork says of the rows that judge: as it answers, [N, C] or [N]; what that costs [N].

    paid: empty where no costs were said
    """

    predicted: Array
    paid: Array


def is_done(place: Path) -> bool:
    """Tell whether a fork came to its end."""
    return (place / "result.json").is_file() and (place / JUDGED).is_file()


def fit_fork(
    ground: Ground, place: Path, turn: Turn, number: int, thing: Thing | None, observer: Observer
) -> None:
    """Train one side of a turn in its folder, from its newest checkpoint where it was begun."""
    options = _options(ground, place, number)
    attempt = Attempt(resume=True, observer=Observer(glance=observer.glance))
    with open_place(str(ground.options.kind), options, ground.marks, attempt) as where:
        if not where.begun:
            fork = {"of": ground.run.name, "changed": thing.name if thing else None}
            where.folder.write_json("plan.json", (where.folder.plan or {}) | {"fork": fork})
        told = ground.learner.fit(ground, where, options, turn, thing)
        answers = choose_answers(
            ground.goal, told.data, options, ground.metric, told.held, told.test, where.journal
        )
        _keep(place, _as_told(ground, answers), _paid(ground.goal, answers, told))
        _finish(where.folder, ground, told, answers)


def judged(place: Path) -> Judged:
    """Read what a fork said of the judging rows."""
    from treadle.tensors import read_tensors

    found = {name: tensor.numpy() for name, tensor in read_tensors(place / JUDGED).items()}
    return Judged(predicted=found["predicted"], paid=found["paid"])


def _options(ground: Ground, place: Path, number: int) -> FitOptions:
    """Return the run's options for one fork: nothing that a clock or another seed would move."""
    engine = "eager" if ground.options.engine == "auto" else ground.options.engine
    return ground.options.model_copy(
        update={
            "model": ground.recipe.model if ground.options.kind == "table" else "auto",
            "seed": ground.options.seed + number,
            "until": ground.recipe.until or None,
            "engine": engine,
            "threads": ground.threads,
            "out": str(place),
            "lr": None,
            "tune": None,
            "worth": None,
            "track": (),
            "overwrite": False,
        }
    )


def _as_told(ground: Ground, answers: Answers) -> Array:
    """Return what the metric is measured on: of classes that are said, those."""
    if ground.metric.needs == "labels" and answers.decision is not None:
        sure: Array = np.eye(answers.test.shape[1])[answers.said_test]
        return sure
    return answers.test


def _paid(goal: Goal | None, answers: Answers, told: Told) -> Array:
    """Return what each judging row costs under the fork's answers, float64 [N]."""
    decision, test = answers.decision, told.test
    if goal is None or not goal.in_money or decision is None:
        return np.zeros(0)
    schema = told.data.schema if isinstance(told.data, TableData) else None
    columns = read_amounts(test.rows, goal.costs.columns, schema)[0] if goal.costs.columns else {}
    if isinstance(decision, TwoClassDecision):
        outcomes = Outcomes.of(goal.costs, columns, len(test.truth))
        return outcomes.paid(test.truth, answers.said_test == 1)
    assert isinstance(decision, (ClassDecision, NumberDecision))
    return decision.paid(test.truth, answers.said_test, columns)


def _keep(place: Path, predicted: Array, paid: Array) -> None:
    """Write what the fork says of the judging rows, whole or not at all."""
    from safetensors.numpy import save_file

    temporary = place / f".{JUDGED}.{os.getpid()}.tmp"
    arrays = {
        "predicted": np.ascontiguousarray(predicted, np.float64),
        "paid": np.ascontiguousarray(paid, np.float64),
    }
    save_file(arrays, temporary)
    temporary.replace(place / JUDGED)


def _finish(folder: RunFolder, ground: Ground, told: Told, answers: Answers) -> None:
    """Write the fork's result; its checkpoints have done their work."""
    split = told.data.split
    reached = ground.metric(told.test.truth, _as_told(ground, answers))
    folder.write_json(
        "result.json",
        {
            "run": str(folder.path),
            "kind": ground.options.kind,
            "task": ground.target.task,
            "rows": {
                "train": len(split.train),
                "validation": len(split.validation),
                "judging": len(split.test),
            },
            "metric": {
                "name": ground.metric.name,
                "validation": told.member.value,
                "judged": reached,
            },
            **told.member.trained,
        },
    )
    shutil.rmtree(folder.path / "checkpoints", ignore_errors=True)
