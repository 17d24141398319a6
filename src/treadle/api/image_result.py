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
from treadle.api.options import FitOptions
from treadle.api.table_data import PARTS
from treadle.api.table_members import Member
from treadle.api.table_result import advice_on, on_metrics, save_members, write_report
from treadle.contracts import Json
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
    best = members[0]
    for member in members[1:]:
        if metric.better(member.value, best.value):
            best = member
    if len(members) > 1:
        each = " and ".join(f"{m.name} {m.value:.4f}" for m in members)
        journal.say("member", f"on validation, {metric.name} is {each}; {best.name} answers.")
    task, classes = data.target.task, data.classes
    truth = data.truth("test")
    found = measured(metrics_for(task, metric), truth, best.test, seed=options.seed)
    name, constant = constant_prediction(task, data.truth("train"), len(truth), len(classes))
    baseline = {"name": name, "test": metric(truth, constant)}
    journal.say("test", "the test photos were scored once, now that everything is decided.")
    save_members(folder, [best])
    folder.write_json(
        "model/model.json",
        {
            "format": 1,
            "kind": "images",
            "member": best.name,
            "facts": best.facts,
            "target": data.target.model_dump(mode="json"),
        },
    )
    folder.write_json(
        "findings.json",
        {
            "target": "label",
            "classes": classes,
            "positive": classes[1] if task == "two_classes" else None,
            "columns": [],
            "health": [],
            "split_sentences": data.notes,
            "members": [
                {"name": m.name, "metric_validation": m.value, "sentence": ""} for m in members
            ],
            **class_charts(truth, best.test, classes),
            "wrong_photos": wrong_photos(data, truth, best.test),
        },
    )
    folder.write_json(
        "result.json",
        {
            "run": str(folder.path),
            "kind": "images",
            "task": task,
            "rows": {part: len(data.rows(part)) for part in PARTS},
            "metric": {"name": metric.name, "validation": best.value, **found[metric.name]},
            "metrics": found,
            "baseline": baseline,
            "baselines": [{"name": name, "metrics": on_metrics(found, task, truth, constant)}],
            **best.trained,
            "engine": "eager",
            "seconds": round(sum(m.trained["seconds"] for m in members), 3),
            "members": {m.name: m.value for m in members},
            "advice": advice_on(
                data.truth("train"), classes, "photos", found[metric.name], baseline, metric
            ),
            "test_scorings": 1,
        },
    )
    write_report(folder)


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
            "data_uri": _thumbnail(Path(data.frame["file"][int(rows[i])])),
            "true": data.classes[truth[i]],
            "predicted": data.classes[chosen[i]],
            "probability": float(probabilities[i, chosen[i]]),
        }
        for i in sure
    ]


def _thumbnail(path: Path) -> str:
    """Return a small JPEG of a photo as a data address."""
    from PIL import Image

    from treadle.data.images import decode

    pixels = decode(path).transpose(1, 2, 0)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
