"""The end of a table's fit: the choice, one look at the test rows, and what is kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from treadle.api.measure import (
    class_charts,
    constant_prediction,
    measured,
    metrics_for,
    number_charts,
)
from treadle.api.member import Member
from treadle.api.options import FitOptions
from treadle.api.result import advice_on, on_metrics, write_result
from treadle.api.table_data import TableData
from treadle.contracts import Json
from treadle.folder import RunFolder
from treadle.goal import Metric
from treadle.loop.journal import Journal
from treadle.models.blend import choose


def finish(
    folder: RunFolder,
    data: TableData,
    options: FitOptions,
    metric: Metric,
    members: list[Member],
    journal: Journal,
) -> None:
    """Choose, test once, and write model/, findings.json, result.json and report.html."""
    weights, sentence = _choose(members, data, metric)
    if len(members) > 1:
        journal.say("blend", sentence, weights=weights)
    write_model(folder, data, members, weights)
    task, truth = data.target.task, data.truth("test")
    predicted = _mixed(members, weights, "test")
    found = measured(metrics_for(task, metric), truth, predicted, seed=options.seed)
    journal.say("test", "the test rows were scored once, now that everything is decided.")
    classes = [str(name) for name in data.target.classes]
    name, constant = constant_prediction(task, data.truth("train"), len(truth), len(classes))
    name = "guessing" if metric.needs == "scores" else name
    reached = on_metrics(found, task, truth, constant)
    folder.write_json("findings.json", _findings(data, members, truth, predicted, sentence))
    ended = max(members, key=lambda member: weights[member.name]).trained
    seconds = round(sum(member.trained["seconds"] for member in members), 3)
    train = None if task == "number" else data.truth("train")
    write_result(
        folder,
        kind="table",
        task=task,
        rows={part: len(data.parts[part]["target"]) for part in data.parts},
        metric=metric,
        validation=metric(data.truth("validation"), _mixed(members, weights, "validation")),
        found=found,
        baselines=[{"name": name, "metrics": reached}],
        ended=ended | {"seconds": seconds},
        advice=advice_on(train, classes, "rows", found, reached[metric.name], metric),
        members={member.name: member.value for member in members},
        blend=weights,
    )


def write_model(
    folder: RunFolder, data: TableData, members: list[Member], weights: dict[str, float]
) -> None:
    """Write model/: what predict reads, and nothing of what training needed besides."""
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
        },
    )


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


def _choose(members: list[Member], data: TableData, metric: Metric) -> tuple[dict[str, float], str]:
    """Return each member's weight, chosen on validation, and why in one sentence."""
    if len(members) == 1:
        return {members[0].name: 1.0}, f"the model is {members[0].name}."
    sign = 1.0 if metric.higher_is_better else -1.0
    found = choose(
        {member.name: member.validation for member in members},
        data.truth("validation"),
        lambda truth, predicted: sign * metric(truth, predicted),
    )
    weights = {member.name: round(found.shares.get(member.name, 0.0), 4) for member in members}
    each = " and ".join(f"{name} {sign * value:.4f}" for name, value in found.alone.items())
    start = f"on validation, {metric.name} is {each}"
    if not found.is_blend:
        (chosen,) = found.shares
        return weights, f"{start}; no blend is surely better, so {chosen} answers alone."
    parts = " and ".join(f"{share:.0%} {name}" for name, share in found.shares.items())
    return weights, (
        f"{start}; together, {parts}, it is {sign * found.score:.4f}, so the answer is that blend."
    )


def _findings(
    data: TableData,
    members: list[Member],
    truth: NDArray[Any],
    predicted: NDArray[Any],
    sentence: str,
) -> Json:
    classes = [str(name) for name in data.target.classes]
    is_number = data.target.task == "number"
    charts = (
        number_charts(truth, predicted) if is_number else class_charts(truth, predicted, classes)
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
