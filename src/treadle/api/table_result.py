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
from treadle.api.options import FitOptions
from treadle.api.table_data import TableData
from treadle.api.table_members import Member
from treadle.contracts import Json
from treadle.data.health import check_table
from treadle.folder import RunFolder
from treadle.goal import Metric
from treadle.loop.journal import Journal

FEW_ROWS = 200


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
    truth = data.truth("test")
    predicted = _mixed(members, weights, "test")
    validated = metric(data.truth("validation"), _mixed(members, weights, "validation"))
    found = measured(metrics_for(data.target.task, metric), truth, predicted, seed=options.seed)
    name, constant = constant_prediction(
        data.target.task, data.truth("train"), len(truth), len(data.target.classes)
    )
    baseline = {"name": name, "test": metric(truth, constant)}
    journal.say(
        "test", "the test rows were scored once, now that everything is decided.", scorings=1
    )
    write_model(folder, data, members, weights)
    health = check_table(
        data.rows("train"), data.rows("validation"), data.rows("test"), data.schema, data.target
    )
    folder.write_json(
        "findings.json", _findings(data, members, metric, truth, predicted, sentence, health)
    )
    leading = max(members, key=lambda member: weights[member.name])
    folder.write_json(
        "result.json",
        {
            "run": str(folder.path),
            "kind": "table",
            "task": data.target.task,
            "rows": {part: len(data.parts[part]["target"]) for part in data.parts},
            "metric": {"name": metric.name, "validation": validated, **found[metric.name]},
            "metrics": found,
            "baseline": baseline,
            **leading.trained,
            "engine": "eager",
            "seconds": round(sum(member.trained["seconds"] for member in members), 3),
            "members": {member.name: member.value for member in members},
            "blend": weights,
            "advice": _advice(data, found[metric.name], baseline, metric),
            "test_scorings": 1,
        },
    )
    write_report(folder)


def write_report(folder: RunFolder) -> None:
    from treadle.report.page import write

    write(folder.path)


def write_model(
    folder: RunFolder, data: TableData, members: list[Member], weights: dict[str, float]
) -> None:
    """Write model/: what predict reads, and nothing of what training needed besides."""
    from safetensors.torch import save_file

    place = RunFolder.create(folder.path / "model")
    used = [member for member in members if weights[member.name] > 0]
    for member in members:
        for name, tensors in member.files.items():
            whole = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
            save_file(whole, place.path / f"{name}.safetensors")
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
    first, second = members
    truth = data.truth("validation")
    best_share, best_value = 0.0, None
    for share in np.linspace(0.0, 1.0, 11):
        mixed = (1 - share) * first.validation + share * second.validation
        value = metric(truth, mixed)
        if metric.better(value, best_value):
            best_share, best_value = float(share), value
    weights = {first.name: round(1 - best_share, 2), second.name: round(best_share, 2)}
    each = " and ".join(f"{member.name} {member.value:.4f}" for member in members)
    if 0 < best_share < 1:
        sentence = (
            f"on validation, {metric.name} is {each}; together, {weights[first.name]:.0%} "
            f"{first.name} and {weights[second.name]:.0%} {second.name}, it is {best_value:.4f}, "
            "so the answer is that blend."
        )
    else:
        chosen = second.name if best_share == 1 else first.name
        sentence = (
            f"on validation, {metric.name} is {each}; no blend is better, so {chosen} answers "
            "alone."
        )
    return weights, sentence


def _findings(
    data: TableData,
    members: list[Member],
    metric: Metric,
    truth: NDArray[Any],
    predicted: NDArray[Any],
    sentence: str,
    health: list[Any],
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
        "health": [finding.model_dump(mode="json") for finding in health],
        "split_sentences": list(data.split.notes),
        "members": [
            {"name": member.name, "metric_validation": member.value, "sentence": ""}
            for member in members
        ],
        "blend_sentence": sentence if len(members) > 1 else None,
        **charts,
    }


def _advice(data: TableData, found: Json, baseline: Json, metric: Metric) -> list[str]:
    """Return what to do next, in plain sentences."""
    advice = []
    if data.target.task != "number":
        counts = np.bincount(data.truth("train"), minlength=len(data.target.classes))
        rarest = int(counts.argmin())
        if counts[rarest] < FEW_ROWS:
            advice.append(
                f"There are only {counts[rarest]:,} rows of '{data.target.classes[rarest]}' to "
                "learn from. More of them would help most, and would make these figures more certain."
            )
    low, high, base = found["low"], found["high"], baseline["test"]
    beaten = low > base if metric.higher_is_better else high < base
    if not beaten:
        advice.append(
            "The result is not clearly better than the baseline: the columns may not hold what "
            "decides the answer. Look for columns that do before using this model."
        )
    return advice
