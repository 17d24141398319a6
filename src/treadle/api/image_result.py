"""The end of a fit of photos: the better model, one look at the test photos, and what is kept."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from treadle.api.image_data import ImageData
from treadle.api.measure import class_charts, constant_prediction, measured, metrics_for
from treadle.api.member import Member
from treadle.api.options import FitOptions
from treadle.api.result import advice_on, on_metrics, write_result
from treadle.api.table_data import PARTS
from treadle.api.table_result import member_findings, save_members
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
) -> None:
    """Take the better model, test once, and write the run's end."""
    best = _better(members, metric, journal)
    _write_model(folder, data, best)
    task, classes, truth = data.target.task, data.classes, data.truth("test")
    found = measured(metrics_for(task, metric), truth, best.test, seed=options.seed)
    journal.say("test", "the test photos were scored once, now that everything is decided.")
    name, constant = constant_prediction(task, data.truth("train"), len(truth), len(classes))
    name = "guessing" if metric.needs == "scores" else name
    reached = on_metrics(found, task, truth, constant)
    findings = _findings(data, members, truth, best.test)
    _say_gone(findings["wrong_photos"], journal)
    folder.write_json("findings.json", findings)
    write_result(
        folder,
        kind="images",
        task=task,
        rows={part: len(data.rows(part)) for part in PARTS},
        metric=metric,
        validation=best.value,
        found=found,
        baselines=[{"name": name, "metrics": reached}],
        ended=best.trained | {"seconds": round(sum(m.trained["seconds"] for m in members), 3)},
        advice=advice_on(
            data.truth("train"), classes, "photos", found, reached[metric.name], metric
        ),
        members={member.name: member.value for member in members},
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


def _write_model(folder: RunFolder, data: ImageData, best: Member) -> None:
    place = save_members(folder, [best])
    target = data.target.model_dump(mode="json")
    facts = {"member": best.name, "facts": best.facts, "target": target}
    place.write_json("model.json", {"format": 1, "kind": "images", **facts})


def _findings(
    data: ImageData,
    members: list[Member],
    truth: NDArray[np.int64],
    predicted: NDArray[Any],
) -> Json:
    return {
        "target": "label",
        "classes": data.classes,
        "positive": data.classes[1] if data.target.task == "two_classes" else None,
        "columns": [],
        "health": [],
        "split_sentences": data.notes,
        "members": member_findings(members),
        **class_charts(truth, predicted, data.classes),
        "wrong_photos": wrong_photos(data, truth, predicted),
    }


def wrong_photos(
    data: ImageData, truth: NDArray[np.int64], probabilities: NDArray[Any]
) -> list[Json]:
    """Return the test photos that were taken for another kind, the surest mistakes first."""
    chosen = probabilities.argmax(axis=1)
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
