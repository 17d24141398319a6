"""The end that tables and photos share: answers chosen, measured as they will be given."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.api.answers import Answers, Part, answers_of
from treadle.api.goal_of import Goal
from treadle.api.image_data import ImageData
from treadle.api.measure import measured, metrics_for
from treadle.api.money import money_of
from treadle.api.options import FitOptions
from treadle.api.running import (
    parse_machine_cost,
    running_costs,
    serving_seconds,
)
from treadle.api.simple_rival import simple_words
from treadle.api.table_data import PartName, TableData
from treadle.contracts import Json
from treadle.data.cuts import time_seconds
from treadle.data.hashing import hash_values
from treadle.decision import TwoClassDecision
from treadle.goal import Metric
from treadle.loop.journal import Journal
from treadle.rates import parse_rate

Array: TypeAlias = NDArray[Any]


def table_part(data: TableData, options: FitOptions, part: PartName, predicted: Array) -> Part:
    """Return a part of a table with what the models say of it."""
    rows = data.rows(part)
    clusters = moments = None
    weights = data.parts[part].get("weight")
    if options.time:
        moments = time_seconds(rows[options.time])
        clusters = stretches(moments)
    elif options.group:
        clusters = group_codes(rows[options.group])
    return Part(
        truth=data.truth(part),
        predicted=predicted,
        rows=rows,
        clusters=clusters,
        moments=moments,
        weights=None if weights is None or not weights.any() else weights.astype(np.float64),
    )


def image_part(data: ImageData, options: FitOptions, part: PartName, predicted: Array) -> Part:
    """Return a part of the photos with what the model says of it."""
    rows, clusters = data.frame[data.rows(part)], None
    if options.group:
        groups = rows["path"].str.extract(options.group, 1 if "(" in options.group else 0)
        clusters = group_codes(groups)
    return Part(
        truth=data.truth(part),
        predicted=predicted,
        rows=pl.DataFrame(height=rows.height),
        clusters=clusters,
    )


def stretches(moments: Array) -> Array:
    """Return the stretch of time of each row: neighbours are alike, so they are drawn together.

    Source: Künsch, The Jackknife and the Bootstrap for General Stationary Observations, Annals of
    Statistics 1989: stretches of the cube root of N rows.
    """
    length = max(1, round(len(moments) ** (1 / 3)))
    places = np.empty(len(moments), np.int64)
    places[np.argsort(moments, kind="stable")] = np.arange(len(moments)) // length
    return places


def group_codes(groups: pl.Series) -> Array:
    """Return a code for each row's group; rows without one are groups of their own."""
    keys = hash_values(groups)
    missing = groups.is_null().to_numpy()
    keys[missing] = np.arange(int(missing.sum()), dtype=np.uint64)
    _, codes = np.unique(keys, return_inverse=True)
    return codes.astype(np.int64)


def choose_answers(
    goal: Goal | None,
    data: TableData | ImageData,
    options: FitOptions,
    metric: Metric,
    validation: Part,
    test: Part,
    journal: Journal,
) -> Answers:
    """Choose how to answer, and say why in the journal."""
    answers = answers_of(
        goal,
        data.target,
        metric,
        validation,
        test,
        schema=data.schema if isinstance(data, TableData) else None,
        train=None if data.target.task == "number" else data.truth("train"),
        weighted=options.weight is not None,
        seed=options.seed,
    )
    if answers.calibration is not None:
        journal.say("calibration", answers.calibration["sentence"])
    for sentence in answers.why:
        journal.say("goal", sentence)
    return answers


def measured_as_answered(
    metric: Metric, answers: Answers, validation: Part, test: Part, task: Any, *, seed: int
) -> tuple[float, Json]:
    """Return the metric on validation and all of them on test: of the answers as they are given.

    What is measured of classes is measured of the classes that are said, wherever the threshold.
    """
    asked = metrics_for(task, metric)
    as_probable = {
        one.name: not (one.needs == "labels" and answers.decision is not None) for one in asked
    }
    found: Json = {}
    for plain, predicted in ((True, answers.test), (False, _as_sure(answers.test, answers))):
        some = [one for one in asked if as_probable[one.name] is plain]
        found |= measured(some, test.truth, predicted, seed=seed) if some else {}
    seen = answers.validation
    if not as_probable[metric.name]:
        seen = np.eye(seen.shape[1])[answers.said_validation]
    return metric(validation.truth, seen), {one.name: found[one.name] for one in asked}


def _as_sure(probabilities: Array, answers: Answers) -> Array:
    """Return the answers as probabilities of 0 and 1; nothing for a number."""
    if probabilities.ndim == 1:
        return probabilities
    sure: Array = np.eye(probabilities.shape[1])[answers.said_test]
    return sure


def worth(
    goal: Goal | None,
    answers: Answers,
    data: TableData | ImageData,
    test: Part,
    journal: Journal,
    *,
    simple: Answers | None = None,
) -> tuple[Json, Json]:
    """Return what result.json and findings.json say of money and of probabilities.

    simple: how a simple model answers, which the model has to beat
    """
    findings: Json = {}
    if answers.calibration is not None:
        findings["calibration_check"] = answers.calibration
    if goal is None:
        return {}, findings
    schema = data.schema if isinstance(data, TableData) else None
    money, charts = money_of(
        goal,
        answers,
        data.target,
        data.truth("train"),
        test,
        schema=schema,
        simple=simple,
        simple_words=simple_words(data),
    )
    for sentence in money["sentences"]:
        journal.say("money", sentence, with_the_answer=True)
    return {"money": money}, findings | charts


def threshold_of(answers: Answers) -> float | None:
    """Return the probability from which the positive class is said; None where rows differ."""
    decision = answers.decision
    return decision.threshold if isinstance(decision, TwoClassDecision) else 0.5


def running(options: FitOptions, goal: Goal | None, model: Path, rows: Any, seconds: float) -> Json:
    """Return what result.json says of running costs, where a rate or watts were said.

    rows: the test rows, as `predict` takes them; seconds: of training
    """
    if options.machine_cost is None and options.watts is None:
        return {}
    a_year = goal.cases_a_year if goal else None
    if a_year is None and options.volume is not None:
        a_year = parse_rate(options.volume, "--volume", "").a_year
    told = running_costs(
        parse_machine_cost(options.machine_cost) if options.machine_cost else None,
        options.watts,
        training_seconds=seconds,
        row_seconds=serving_seconds(model, rows),
        cases_a_year=a_year,
    )
    return {"running": told}
