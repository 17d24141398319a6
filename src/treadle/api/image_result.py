"""The end of a fit of photos: the better model, one look at the test photos, and what is kept."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from treadle.api.answers import Answers
from treadle.api.as_answered import (
    choose_answers,
    image_part,
    measured_as_answered,
    running,
    threshold_of,
    worth,
)
from treadle.api.goal_of import Goal
from treadle.api.image_data import ImageData
from treadle.api.kept_rows import keep_answers
from treadle.api.measure import class_charts, constant_prediction
from treadle.api.member import Member
from treadle.api.options import FitOptions
from treadle.api.photo_examples import photo_examples
from treadle.api.result import advice_on, on_metrics, write_result
from treadle.api.simple_rival import simple_answers
from treadle.api.table_data import PARTS
from treadle.api.table_result import member_findings, save_members
from treadle.api.where_photos_fail import where_photos_fail
from treadle.contracts import Json
from treadle.errors import DataError
from treadle.folder import RunFolder
from treadle.goal import Metric
from treadle.loop.journal import Journal

SHOWN_PHOTOS = 12
THUMBNAIL = 160


def finish(
    folder: RunFolder,
    data: ImageData,
    options: FitOptions,
    metric: Metric,
    members: list[Member],
    journal: Journal,
    goal: Goal | None = None,
) -> None:
    """Take the better model, test once, and write the run's end."""
    best = _better(members, metric, journal)
    task, classes, truth = data.target.task, data.classes, data.truth("test")
    held = image_part(data, options, "validation", best.validation)
    test = image_part(data, options, "test", best.test)
    answers = choose_answers(goal, data, options, metric, held, test, journal)
    _write_model(folder, data, best, answers)
    value, found = measured_as_answered(metric, answers, held, test, task, seed=options.seed)
    journal.say("test", "the test photos were scored once, now that everything is decided.")
    name, constant = constant_prediction(task, data.truth("train"), len(truth), len(classes))
    name = "guessing" if metric.needs == "scores" else name
    reached = on_metrics(found, task, truth, constant)
    keys = [data.hashes[row] for row in data.rows("test")]
    keep_answers(folder, keys, truth, answers, len(classes))
    findings = _findings(data, members, answers)
    _say_gone(findings["wrong_photos"], journal)
    simple = simple_answers(goal, data, options, metric, held, test)
    told, seen = worth(goal, answers, data, test, journal, simple=simple)
    seen["fails"] = where_photos_fail(data, answers, _thumbnail)
    seen["photo_examples"] = photo_examples(folder, data, answers.test, answers.said_test)
    folder.write_json("findings.json", findings | seen)
    seconds = round(sum(member.trained["seconds"] for member in members), 3)
    photos = [data.files[row] for row in data.rows("test")]
    told |= running(options, goal, folder.path / "model", photos, seconds)
    write_result(
        folder,
        kind="images",
        task=task,
        rows={part: len(data.rows(part)) for part in PARTS},
        metric=metric,
        validation=value,
        found=found,
        baselines=[{"name": name, "metrics": reached}],
        ended=best.trained | {"seconds": seconds},
        advice=advice_on(
            data.truth("train"), classes, "photos", found, reached[metric.name], metric
        ),
        members={member.name: member.value for member in members},
        **told,
    )


def _better(members: list[Member], metric: Metric, journal: Journal) -> Member:
    best = members[0]
    for member in members[1:]:
        if metric.better(member.value, best.value):
            best = member
    if len(members) > 1:
        each = " and ".join(f"{member.name} {member.value:.4f}" for member in members)
        journal.say("member", f"on validation, {metric.name} is {each}; {best.name} answers.")
    return best


def _write_model(folder: RunFolder, data: ImageData, best: Member, answers: Answers) -> None:
    place = save_members(folder, [best])
    target = data.target.model_dump(mode="json")
    facts = {"member": best.name, "facts": best.facts, "target": target}
    facts |= answers.facts()
    place.write_json("model.json", {"format": 1, "kind": "images", **facts})


def _findings(data: ImageData, members: list[Member], answers: Answers) -> Json:
    truth, said = data.truth("test"), answers.said_test
    return {
        "target": "label",
        "classes": data.classes,
        "positive": data.classes[1] if data.target.task == "two_classes" else None,
        "columns": [],
        "health": [finding.model_dump(mode="json") for finding in data.findings],
        "split_sentences": data.notes,
        "members": member_findings(members),
        **class_charts(truth, answers.test, data.classes, said, threshold_of(answers)),
        "wrong_photos": wrong_photos(data, truth, answers.test, said),
    }


def wrong_photos(
    data: ImageData,
    truth: NDArray[np.int64],
    probabilities: NDArray[Any],
    chosen: NDArray[np.int64],
) -> list[Json]:
    """Return the test photos that were taken for another kind, the surest mistakes first."""
    wrong = np.flatnonzero(chosen != truth)
    sure = wrong[np.argsort(-probabilities[wrong, chosen[wrong]], kind="stable")][:SHOWN_PHOTOS]
    rows = data.rows("test")
    return [
        {
            "file": data.frame["path"][int(rows[i])],
            "data_uri": _thumbnail(data.files[rows[i]], data.hashes[rows[i]]),
            "true": data.classes[truth[i]],
            "predicted": data.classes[chosen[i]],
            "probability": float(probabilities[i, chosen[i]]),
        }
        for i in sure
    ]


def _say_gone(wrong: list[Json], journal: Journal) -> None:
    """Say which of these photos changed, or are gone, since the network saw them."""
    gone = [str(photo["file"]) for photo in wrong if not photo["data_uri"]]
    if gone:
        journal.say(
            "data",
            f"changed or gone since they were looked at, so the report cannot show them: "
            f"{', '.join(gone)}.",
        )


def _thumbnail(path: Path, expected: str) -> str:
    """Return a small JPEG of a photo as a data address; nothing where it is another by now."""
    from PIL import Image

    from treadle.data.photo import decode, digest, photo_bytes

    try:
        content = photo_bytes(path)
    except (OSError, DataError):
        return ""
    if digest(content) != expected:
        return ""
    pixels = decode(content).transpose(1, 2, 0)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
