"""The end of a table's fit: the choice, one look at the test rows, and what is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from treadle.api.as_answered import (
    choose_answers,
    measured_as_answered,
    running,
    table_part,
    threshold_of,
    worth,
)
from treadle.api.deciding import deciding
from treadle.api.kept_rows import keep_answers
from treadle.api.measure import class_charts, constant_prediction, number_charts
from treadle.api.member import Member
from treadle.api.options import FitOptions
from treadle.api.reason_background import keep_background
from treadle.api.result import advice_on, on_metrics, write_result
from treadle.api.simple_rival import simple_answers
from treadle.api.table_choice import chosen
from treadle.api.table_data import TableData
from treadle.api.table_importance import goes_by
from treadle.api.where_it_fails import where_a_table_fails
from treadle.contracts import Json
from treadle.folder import RunFolder
from treadle.goal import Metric
from treadle.loop.journal import Journal
from treadle.serve.background import Background

if TYPE_CHECKING:
    from treadle.api.answers import Answers
    from treadle.api.goal_of import Goal
    from treadle.api.tune import Tuner


def finish(
    folder: RunFolder,
    data: TableData,
    options: FitOptions,
    metric: Metric,
    members: list[Member],
    journal: Journal,
    tuner: Tuner | None = None,
    goal: Goal | None = None,
) -> None:
    """Choose, test once, and write model/, findings.json, result.json and report.html.

    members: the usual ones, then what the tuner tried beside them
    """
    usual = len(tuner.families) if tuner else len(members)
    held_out, judge = data.truth("validation"), deciding(options, data)
    members, weights, sentence, chose = chosen(members, held_out, judge, tuner, seed=options.seed)
    members = [replace(one, value=metric(held_out, one.validation)) for one in members]
    if len(members) > 1:
        journal.say("blend", sentence, weights=weights)
    task, truth = data.target.task, data.truth("test")
    held = table_part(data, options, "validation", _mixed(members, weights, "validation"))
    test = table_part(data, options, "test", _mixed(members, weights, "test"))
    answers = choose_answers(goal, data, options, metric, held, test, journal)
    kept = write_model(folder, data, members, weights, answers)
    value, found = measured_as_answered(metric, answers, held, test, task, seed=options.seed)
    journal.say("test", "the test rows were scored once, now that everything is decided.")
    classes = [str(name) for name in data.target.classes]
    name, constant = constant_prediction(task, data.truth("train"), len(truth), len(classes))
    name = "guessing" if metric.needs == "scores" else name
    reached = on_metrics(found, task, truth, constant)
    keys = (data.places[data.split.test] + 1).tolist()
    keep_answers(folder, keys, truth, answers, len(classes))
    simple = simple_answers(goal, data, options, metric, held, test)
    told, seen = worth(goal, answers, data, test, journal, simple=simple)
    seen |= goes_by(folder, data, kept, metric, journal, seed=options.seed)
    names = [name for one in seen.get("importance", ()) for name in one["columns"]]
    seen["fails"] = where_a_table_fails(data, answers, names)
    folder.write_json("findings.json", _findings(data, members, answers, sentence) | seen)
    # what was tried is not looked at for verdicts: the usual ones tell how training went
    ended = max(members[:usual], key=lambda member: weights[member.name]).trained
    seconds = round(sum(member.trained["seconds"] for member in members), 3)
    told |= running(options, goal, folder.path / "model", test.rows, seconds)
    train = None if task == "number" else data.truth("train")
    write_result(
        folder,
        kind="table",
        task=task,
        rows={part: len(data.parts[part]["target"]) for part in data.parts},
        metric=metric,
        validation=value,
        found=found,
        baselines=[{"name": name, "metrics": reached}],
        ended=as_a_whole(ended, len(members) > 1) | {"seconds": seconds},
        advice=advice_on(train, classes, "rows", found, reached[metric.name], metric),
        members={member.name: member.value for member in members},
        blend=weights,
        **told,
        **chose,
    )


def as_a_whole(ended: Json, has_others: bool) -> Json:
    """Return how training ended; a member's part of the time is not what the user allowed."""
    stopped = ended["stopped"]
    if not has_others or stopped["reason"] != "minutes":
        return ended
    return ended | {"stopped": stopped | {"sentence": "the time allowed was used up"}}


def write_model(
    folder: RunFolder,
    data: TableData,
    members: list[Member],
    weights: dict[str, float],
    answers: Answers,
) -> Background:
    """Write model/: what predict reads, and nothing of what training needed besides.

    Return what reasons go by.
    """
    place = save_members(folder, members)
    used = [member for member in members if weights[member.name] > 0]
    place.write_json(
        "model.json",
        {
            "format": 1,
            "kind": "table",
            "blend": {member.name: weights[member.name] for member in used},
            "members": {member.name: member.facts for member in members},
            "target": data.target.model_dump(mode="json"),
            "encoder": data.encoder.model_dump(mode="json"),
            **answers.facts(),
        },
    )
    return keep_background(place, data)


def save_members(folder: RunFolder, members: list[Member]) -> RunFolder:
    """Write the members' tensors below model/ and return that folder."""
    from safetensors.torch import save_file

    place = RunFolder.create(folder.path / "model")
    for member in members:
        for name, tensors in member.files.items():
            whole = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
            save_file(whole, place.path / f"{name}.safetensors")
    return place


def blended(predictions: dict[str, NDArray[Any]], weights: dict[str, float]) -> NDArray[Any]:
    """Return the weighted mean of the members' predictions, by name."""
    parts = [weight * predictions[name] for name, weight in weights.items() if weight > 0]
    total: NDArray[Any] = np.sum(parts, axis=0)
    return total


def _mixed(members: list[Member], weights: dict[str, float], part: str) -> NDArray[Any]:
    return blended({member.name: getattr(member, part) for member in members}, weights)


def _findings(
    data: TableData,
    members: list[Member],
    answers: Answers,
    sentence: str,
) -> Json:
    classes, truth = [str(name) for name in data.target.classes], data.truth("test")
    is_number = data.target.task == "number"
    charts = (
        number_charts(truth, answers.test)
        if is_number
        else class_charts(truth, answers.test, classes, answers.said_test, threshold_of(answers))
    )
    return {
        "target": data.target.column,
        "classes": classes,
        "positive": classes[1] if data.target.task == "two_classes" else None,
        "columns": [
            {"name": column.name, "kind": column.kind, "why": column.why}
            for column in data.schema.columns
        ],
        "health": [finding.model_dump(mode="json") for finding in data.findings],
        "split_sentences": list(data.split.notes),
        "members": member_findings(members),
        "blend_sentence": sentence if len(members) > 1 else None,
        **charts,
    }


def member_findings(members: list[Member]) -> list[Json]:
    """Return what the report says of each member."""
    return [
        {
            "name": member.name,
            "metric_validation": member.value,
            "sentence": member.trained["stopped"]["sentence"],
        }
        for member in members
    ]
