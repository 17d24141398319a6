"""Fit a table: trees first as the floor, then a network, then the better one or a blend."""

from __future__ import annotations

import math
from typing import Any

from treadle.api.machine import files_of
from treadle.api.member import Member
from treadle.api.options import FitOptions
from treadle.api.place import Attempt, Place, member_place, open_place, use_threads
from treadle.api.run import Run
from treadle.api.table_data import TableData, prepare, read_table
from treadle.api.table_members import fit_network, fit_trees
from treadle.api.table_result import finish
from treadle.contracts import Json
from treadle.data.fingerprint import fingerprint, unchanged
from treadle.folder import RunFolder
from treadle.goal import DEFAULT, Metric, metric_named
from treadle.loop.journal import Journal
from treadle.loop.until import StopCondition, minutes

DEFAULT_MINUTES = 8.0
TREES_SHARE = 0.5
LEAST_SHARE = 0.1


def fit_table(options: FitOptions, frame: Any, attempt: Attempt) -> Run:
    """Train on a table, from files or from memory, and return the run.

    Raises: UserError for a mistake in options or data; Interrupted, with a resumable run left.
    """
    use_threads(options)
    files = files_of([*options.data, *options.validation, *options.test])
    with unchanged(files):
        read = read_table(options, frame)
        data = prepare(options, read)
        marks = fingerprint(files) if frame is None else fingerprint(read.frame, files)
    metric = metric_named(options.metric or DEFAULT[data.target.task], data.target.task)
    with open_place("table", options, marks, attempt) as place:
        if not place.begun:
            until = options.until or f"no better for a while, or {DEFAULT_MINUTES:g} minutes"
            _say_data(place.journal, data, metric, place.folder, marks, until)
        members = _fit_members(data, options, metric, place)
        finish(place.folder, data, options, metric, members, place.journal)
    return Run(place.folder.path)


def _fit_members(
    data: TableData, options: FitOptions, metric: Metric, place: Place
) -> list[Member]:
    """Train the models that were asked for, each in time."""
    asked = options.condition
    budget = asked.max_minutes if asked else DEFAULT_MINUTES
    if options.model == "trees":
        return [fit_trees(data, options, metric, asked or minutes(budget), place)]
    if options.model == "neural":
        return [fit_network(data, options, metric, asked or minutes(budget), place)]
    return _fit_auto(data, options, metric, place, asked, budget)


def _fit_auto(
    data: TableData,
    options: FitOptions,
    metric: Metric,
    place: Place,
    asked: StopCondition | None,
    budget: float,
) -> list[Member]:
    """Trees first; then the network, where time is left and the aim is not reached yet."""
    shared = asked if asked and math.isinf(min(asked.epochs_limit, asked.steps_limit)) else None
    trees_place = member_place(place, "trees", options, "table")
    trees = fit_trees(data, options, metric, _both(shared, budget * TREES_SHARE), trees_place)
    if trees.trained["stopped"]["reason"] == "reached":
        place.journal.say("member", "the trees reached what was asked, so no network was trained.")
        return [trees]
    left = budget - trees.trained["seconds"] / 60
    if left < budget * LEAST_SHARE:
        place.journal.say("member", "the trees used up the time, so no network was trained.")
        return [trees]
    place.journal.say(
        "member", f"the trees reach {metric.name} {trees.value:.4f} on validation; next, a network."
    )
    neural_place = member_place(place, "neural", options, "table")
    return [trees, fit_network(data, options, metric, _both(asked, left), neural_place)]


def _both(asked: StopCondition | None, budget: float) -> StopCondition:
    bound = minutes(round(budget, 3)) if math.isfinite(budget) else StopCondition.never()
    return asked | bound if asked else bound


def _say_data(
    journal: Journal,
    data: TableData,
    metric: Metric,
    folder: RunFolder,
    print_of_data: Json,
    until: str,
) -> None:
    """Journal what was recognised, and write plan.json and data.json."""
    for sentence in data.notes:
        journal.say("data", sentence)
    for finding in data.findings:
        if finding.title != "Columns not learned from":  # each of them is among the notes
            topic = "warning" if finding.severity == "warning" else "data"
            action = f" What to do: {finding.action}." if finding.action else ""
            journal.say(topic, finding.sentence + action, evidence=finding.evidence)
    sizes = {name: len(getattr(data.split, name)) for name in ("train", "validation", "test")}
    journal.say(
        "split",
        f"{sizes['train']:,} rows to learn from, {sizes['validation']:,} to watch the learning "
        f"(validation), {sizes['test']:,} kept for one test at the end.",
        **sizes,
    )
    plan = folder.plan or {}
    folder.write_json(
        "plan.json",
        plan
        | {
            "task": data.target.task,
            "metric": metric.name,
            "rows": sizes,
            "until": until,
        },
    )
    folder.write_json(
        "data.json",
        {
            "fingerprint": print_of_data,
            "schema": data.schema.model_dump(mode="json"),
            "target": data.target.model_dump(mode="json"),
            "encoder": data.encoder.model_dump(mode="json"),
            "split": data.split.rule.model_dump(mode="json"),
            "notes": data.notes,
        },
    )
