"""A photos' run as `treadle collect` takes it: its head, fitted on fewer photos."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from treadle.api.collecting.examples import photo_example
from treadle.api.collecting.ground import Array, Ground, Places, Way
from treadle.api.collecting.table import class_part, far_off, rare_classes
from treadle.api.fewer_rows import in_pieces
from treadle.api.fit_images import fit_head
from treadle.api.image_data import ImageData, features_of, prepare_images
from treadle.api.options import FitOptions
from treadle.api.place import Place, use_threads
from treadle.api.training import Observer
from treadle.contracts import Json
from treadle.data.fingerprint import fingerprint
from treadle.data.split import matched
from treadle.folder import RunFolder
from treadle.goal import DEFAULT, Metric, metric_named
from treadle.loop.journal import Journal
from treadle.study.part_gain import Part

if TYPE_CHECKING:
    from treadle.models.vision import Backbone

BESIDE_SECONDS = 0.2
LENGTHS = (1.0, 0.34)
WORST_KINDS = 2


def image_ground(folder: RunFolder, options: FitOptions) -> Ground:
    """Return a photos' run as ground to collect on. Raises: DataError, OptionError."""
    use_threads(options)
    options = options.model_copy(update={"start_from": None, "track": ()})
    data = prepare_images(options)
    kept: Json = RunFolder(folder.path / "model").read_json("model.json") or {}
    marks = fingerprint(data.frame.select("hash", "label"))
    same = (folder.data or {}).get("fingerprint") == marks and kept.get("member") == "head"
    values, data = features_for(data, options, kept)
    metric = metric_named(options.metric or DEFAULT[data.target.task], data.target.task)
    fit = partial(fit_on, data, values, options, metric)
    codes = None if options.group is None else _group_codes(data, options.group)
    return Ground(
        kind="images",
        task=data.target.task,
        noun="photo",
        metric=metric,
        truth=data.truth("validation"),
        pieces=in_pieces(data.truth("train"), codes, options.seed, is_number=False),
        num_rows=len(data.split.train),
        ways=_ways(folder, options, same=same),
        fit=fit,
        answered=partial(_answered, data, fit, folder, options),
        far=partial(far_off, data.truth("validation"), is_number=False),
        parts=partial(_parts, data),
        example=partial(photo_example, data),
        notes=[],
        facts={
            "target": "label",
            "classes": data.classes,
            "positive": data.classes[1] if data.target.task == "two_classes" else "",
        },
    )


def _ways(folder: RunFolder, options: FitOptions, *, same: bool) -> list[Way]:
    points = folder.metrics()
    took = float((points[-1].get("clock") or {}).get("seconds", 2.0)) if points else 5.0
    unfrozen = (
        "The curve was measured without the last blocks of the network being trained along, to "
        "save time; what it gains was taken over for the run's own figure."
        if options.unfreeze
        else ""
    )
    short = (
        "The curve was measured in shorter trainings than the run's own, to save time; what it "
        "gains was taken over for the run's own figure. A longer --budget comes closer."
    )
    return [
        Way(
            models=("head",),
            length=length,
            seconds=length * took + BESIDE_SECONDS,
            same=False,
            words=unfrozen if length == 1.0 else short,
        )
        for length in LENGTHS
    ]


@contextmanager
def _aside(options: FitOptions) -> Iterator[Place]:
    """Yield a run folder of the moment."""
    import torch

    with tempfile.TemporaryDirectory(prefix="treadle-collect-") as place:
        folder = RunFolder.create(Path(place) / "head")
        yield Place(
            folder=folder,
            journal=Journal(folder.path),
            begun=False,
            observer=Observer(),
            threads=options.threads or torch.get_num_threads(),
        )


def features_for(data: ImageData, options: FitOptions, kept: Json) -> tuple[Array, ImageData]:
    """Return what the network that the run used sees in each photo: from the cache, mostly."""
    from treadle.models.vision import PhotoShape, load_backbone
    from treadle.models.vision_engine import backbone_like

    shape = PhotoShape(keeps_aspect=options.unfreeze == 0)
    backbone: Backbone = load_backbone(shape=shape)
    engine = (kept.get("facts") or {}).get("engine")
    if engine:
        backbone, _ = backbone_like(backbone, engine)
    with _aside(options) as place:
        found, sound = features_of(data, backbone, options, place)
    return found.values.astype(np.float32), sound


def fit_on(
    data: ImageData,
    values: Array,
    options: FitOptions,
    metric: Metric,
    rows: Places,
    way: Way,
    seed: int,
) -> Array:
    """Fit the head on some train photos; return its answers for the validation photos."""
    fewer = replace(data, split=replace(data.split, train=data.split.train[rows]))
    asked = options.model_copy(update={"seed": seed, "engine": "eager"})
    with _aside(options) as place:
        _, member = fit_head(
            fewer, values, asked, metric, place, {}, length=way.length, looked_at=False
        )
    return member.validation


def _answered(
    data: ImageData, fit: partial[Array], folder: RunFolder, options: FitOptions
) -> Array:
    every = np.arange(len(data.split.train))
    return fit(every, _ways(folder, options, same=False)[0], options.seed)


def _group_codes(data: ImageData, pattern: str) -> Array:
    names = matched(data.frame["path"], pattern).to_numpy()
    codes: Array = np.unique(names, return_inverse=True)[1]
    return codes[data.split.train]


def _parts(data: ImageData, answers: Array) -> list[Part]:
    """Return the rarest kinds, and those that are told wrong most often."""
    train, held, classes = data.truth("train"), data.truth("validation"), data.classes
    found = rare_classes(train, held, classes, _where)
    wrong = (answers.argmax(axis=1) != held).astype(np.float64)
    counts = np.bincount(held, minlength=len(classes))
    missed = np.bincount(held, weights=wrong, minlength=len(classes)) / np.maximum(counts, 1)
    known = {part.where for part in found}
    worst = [int(code) for code in np.argsort(-missed, kind="stable")[:WORST_KINDS]]
    return found + [
        class_part(_where(classes[code]), train, held, code)
        for code in worst
        if missed[code] and _where(classes[code]) not in known
    ]


def _where(kind: str) -> str:
    return f"of the kind {kind}"
