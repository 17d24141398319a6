"""Fit a table: trees first as the floor, then a network, then the better one or a blend."""

from __future__ import annotations

import math
from typing import Any

from treadle.api.brought import say_brought
from treadle.api.deciding import deciding, reported, say_deciding
from treadle.api.goal_of import read_goal, say_goal
from treadle.api.machine import files_of
from treadle.api.member import Member
from treadle.api.options import FitOptions
from treadle.api.place import Attempt, Place, member_place, open_place, use_threads
from treadle.api.result import say_findings
from treadle.api.run import Run
from treadle.api.table_data import TableData, prepare, read_table
from treadle.api.table_members import fit_network, fit_trees
from treadle.api.table_result import finish
from treadle.api.tune import Budget, Timed, Tuner, timed
from treadle.api.tune_table import family_of
from treadle.contracts import Json
from treadle.data.fingerprint import fingerprint, unchanged
from treadle.folder import RunFolder
from treadle.goal import Metric
from treadle.loop.journal import Journal
from treadle.loop.until import StopCondition, minutes
from treadle.report.spoken import raw

DEFAULT_MINUTES = 8.0
TREES_SHARE = 0.5
LEAST_SHARE = 0.1


def fit_table(options: FitOptions, frame: Any, attempt: Attempt) -> Run:
    """Train on a table, from files or from memory, and return the run.

    Raises: UserError for a mistake in options or data; Interrupted, with a resumable run left.
    """
    use_threads(options)
    budget = Budget(options.tune_seconds) if options.tune_seconds else None
    own = [options.corrections] if options.corrections else []
    files = files_of([*options.data, *options.validation, *options.test, *own])
    with unchanged(files):
        read = read_table(options, frame)
        data = prepare(options, read)
        marks = fingerprint(files) if frame is None else fingerprint(read.frame, files)
    metric, judge = reported(options, data.target.task), deciding(options, data)
    goal = read_goal(options, data.target, data.frame, data.schema)
    with open_place("table", options, marks, attempt) as place:
        if not place.begun:
            until = options.until or f"no better for a while, or {DEFAULT_MINUTES:g} minutes"
            _say_data(place.journal, data, metric, place.folder, marks, until)
            say_goal(place.journal, goal)
            say_deciding(place.journal, metric, judge)
        members, tuner = _fit_members(data, options, judge, place, budget)
        finish(place.folder, data, options, metric, members, place.journal, tuner, goal)
        if data.corrections is not None:
            say_brought(place.folder, data.corrections.facts(), place.journal)
    return Run(place.folder.path)


def _fit_members(
    data: TableData, options: FitOptions, metric: Metric, place: Place, budget: Budget | None
) -> tuple[list[Member], Tuner | None]:
    """Train the models that were asked for, each in time; then others, where asked."""
    if budget is None:
        return [trained.member for trained in _usual(data, options, metric, place, None)], None
    trained = _usual(data, options, metric, place, budget)
    budget.reserve += max(one.overhead for one in trained)
    example, truth = trained[0].member.validation, data.truth("validation")
    budget.keep_for_choosing(lambda: metric(truth, example))
    tuner = Tuner(
        families=[family_of(one, data, options, metric, place) for one in trained],
        metric=metric,
        journal=place.journal,
        budget=budget,
        seed=options.seed,
    )
    return [one.member for one in trained] + tuner.members(), tuner


def _usual(
    data: TableData,
    options: FitOptions,
    metric: Metric,
    place: Place,
    clock: Budget | None,
) -> list[Timed]:
    """Train with the usual settings, within what the clock leaves."""
    asked = options.condition
    budget = min(asked.max_minutes if asked else DEFAULT_MINUTES, _left(clock))
    if options.model == "auto":
        return _fit_auto(data, options, metric, place, asked, budget, clock)
    where = member_place(place, options.model, options, "table") if options.tune else place
    fit = fit_trees if options.model == "trees" else fit_network
    return [timed(lambda: fit(data, options, metric, _both(asked, budget), where))]


def _fit_auto(
    data: TableData,
    options: FitOptions,
    metric: Metric,
    place: Place,
    asked: StopCondition | None,
    budget: float,
    clock: Budget | None,
) -> list[Timed]:
    """Trees first; then the network, where time is left and the aim is not reached yet."""
    shared = asked if asked and math.isinf(min(asked.epochs_limit, asked.steps_limit)) else None
    trees_place = member_place(place, "trees", options, "table")
    bound = _both(shared, budget * TREES_SHARE)
    trees = timed(lambda: fit_trees(data, options, metric, bound, trees_place))
    ended = trees.member.trained
    if ended["stopped"]["reason"] == "reached":
        place.journal.say("member", "the trees reached what was asked, so no network was trained.")
        return [trees]
    left = min(budget - ended["seconds"] / 60, _left(clock, trees.overhead))
    if left < budget * LEAST_SHARE:
        place.journal.say("member", "the trees used up the time, so no network was trained.")
        return [trees]
    shown = reported(options, data.target.task)
    reach = shown(data.truth("validation"), trees.member.validation)
    place.journal.say(
        "member", f"the trees reach {shown.name} {raw(reach)} on validation; next, a network."
    )
    neural_place = member_place(place, "neural", options, "table")
    rest = _both(asked, left)
    return [trees, timed(lambda: fit_network(data, options, metric, rest, neural_place))]


def _left(clock: Budget | None, overhead: float = 0.0) -> float:
    """Return the minutes left for training, where what comes beside it takes `overhead` seconds."""
    return math.inf if clock is None else max(0.0, clock.left - overhead) / 60


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
    said_before = "Columns not learned from"  # each of them is among the notes
    say_findings(journal, [f for f in data.findings if f.title != said_before])
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
