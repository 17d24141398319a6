"""`treadle check` of photos: which look the same, and which labels look wrong."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from treadle.api.check_result import with_deeper
from treadle.api.image_data import ImageData, cache_of, prepare_images
from treadle.api.label_list import listed
from treadle.api.options import FitOptions
from treadle.api.table_data import PARTS
from treadle.api.wrong_answers import wrong_answers
from treadle.contracts import Json
from treadle.data.photo_duplicates import MOST_PHOTOS
from treadle.study.label_errors import find_label_errors
from treadle.study.out_of_fold import Examples
from treadle.study.photo_learner import photo_learner

MOST_SEEN = 20_000


def check_images(options: FitOptions, *, deep: bool = False, out: Path | None = None) -> Json:
    """Return what `treadle check` says of photos. Raises: UserError."""
    data = prepare_images(options)
    began = time.monotonic()
    findings = data.look_alikes(MOST_PHOTOS) if deep else data.findings
    found: Json = {
        "kind": "images",
        "task": data.target.task,
        "sentences": data.notes,
        "columns": [],
        "rows": {part: len(data.rows(part)) for part in PARTS},
        "findings": [finding.model_dump(mode="json") for finding in findings],
    }
    if not deep:
        return found
    examples, places = photo_examples(data, options)
    suspects = find_label_errors(
        examples, seed=options.seed, predict=photo_learner(examples, options.seed)
    )
    facts: Json = {}
    named = None
    if suspects is not None:
        rows = places[suspects.rows]
        photos = data.frame["path"][rows].to_list()
        parts = [PARTS[code] for code in data.split.part_of(data.frame.height)[rows]]
        frame = data.frame[rows].select("label")
        named = listed(frame, data.target, suspects, named={"photo": photos}, parts=parts)
        told, facts["label_errors"] = wrong_answers(data.target, examples, suspects, named)
        findings += told
    facts["seconds"] = round(time.monotonic() - began, 2)
    return with_deeper(found, [], findings, facts, named, out)


def photo_examples(data: ImageData, options: FitOptions) -> tuple[Examples, NDArray[np.int64]]:
    """Return what the pretrained network sees in the photos, and their places in the frame.

    Features come from the cache where it has them; 20,000 photos at most.
    """
    from treadle.data.photo_features import read_features
    from treadle.models.vision import PhotoShape, load_backbone

    places = data.split.rows
    places = places[:: max(-(-len(places) // MOST_SEEN), 1)]
    hashes = [data.hashes[place] for place in places]
    found = read_features(
        [data.files[place] for place in places],
        load_backbone(shape=PhotoShape(keeps_aspect=options.unfreeze == 0)),
        cache_folder=cache_of(options),
        hashes=hashes,
        threads=options.threads or 2,
    )
    sound = np.array([place not in found.problems for place in range(len(places))])
    places = places[sound]
    examples = Examples(
        columns=found.values[sound].astype(np.float32),
        categories=(),
        truth=data.target.encode(data.frame["label"][places]).astype(np.int64),
        classes=len(data.classes),
        group=np.unique([hashes[i] for i in np.flatnonzero(sound)], return_inverse=True)[1],
    )
    return examples, places
