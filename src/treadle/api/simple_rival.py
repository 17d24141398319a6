"""How a simple model of the same data would answer: what the model has to beat in money."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.api.answers import Answers, Part, answers_of
from treadle.api.goal_of import Goal
from treadle.api.options import FitOptions
from treadle.api.table_data import PARTS, TableData
from treadle.goal import Metric
from treadle.study.simple_learner import MOST_ROWS, Arrays, simple_predictions

if TYPE_CHECKING:
    from treadle.api.image_data import ImageData

Array: TypeAlias = NDArray[Any]
MOST_PHOTOS = 3_000
"""Of the photos to learn from: so many are enough for what coarse pictures tell."""


def simple_answers(
    goal: Goal | None,
    data: TableData | ImageData,
    options: FitOptions,
    metric: Metric,
    validation: Part,
    test: Part,
) -> Answers | None:
    """Return a simple model's answers; None without costs, or where there is nothing to learn.

    Its probabilities and its threshold are chosen on validation as the model's own are, so that
    only the model makes the difference.
    """
    if goal is None:
        return None
    schema = data.schema if isinstance(data, TableData) else None
    parts = _columns(data) if isinstance(data, TableData) else _coarse_pictures(data, options)
    said = simple_predictions(parts, num_classes=len(data.target.classes), seed=options.seed)
    if said is None:
        return None
    return answers_of(
        goal,
        data.target,
        metric,
        replace(validation, predicted=said["validation"]),
        replace(test, predicted=said["test"]),
        schema=schema,
        train=None if data.target.task == "number" else data.truth("train"),
        weighted=options.weight is not None,
        seed=options.seed,
    )


def simple_words(data: TableData | ImageData) -> str:
    """Return what the simple model is, as a sentence on it begins."""
    if not isinstance(data, TableData):
        return "A simple model that sees photos as 8 by 8 points of colour (logistic regression)"
    kind = "ridge" if data.target.task == "number" else "logistic"
    rows = len(data.parts["train"]["target"])
    some = f", learned from {MOST_ROWS:,} of the rows" if rows > MOST_ROWS else ""
    return f"A simple model on the same columns ({kind} regression{some})"


def _columns(data: TableData) -> dict[str, Arrays]:
    return {str(name): arrays for name, arrays in data.parts.items()}


def _coarse_pictures(data: ImageData, options: FitOptions) -> dict[str, Arrays]:
    """Return each part's photos as a few points of colour, of very many train photos some."""
    from treadle.data.images import threaded
    from treadle.data.photo_points import NUM_POINTS, points_of

    files = data.files
    found: dict[str, Arrays] = {}
    for part in PARTS:
        truth, rows = data.truth(part), data.rows(part)
        if part == "train" and len(rows) > MOST_PHOTOS:
            some = np.random.default_rng(options.seed).permutation(len(rows))[:MOST_PHOTOS]
            truth, rows = truth[some], rows[some]
        points = threaded(points_of, [files[row] for row in rows], options.threads or 1)
        found[str(part)] = {
            "numbers": np.stack(points) if points else np.zeros((0, NUM_POINTS), np.float32),
            "categories": np.zeros((len(rows), 0), np.int8),
            "target": truth,
        }
    return found
