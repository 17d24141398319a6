"""Fit photos: a pretrained network sees each once, then the loop trains a head on what it saw."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from treadle.api.brought import say_brought
from treadle.api.earlier import earlier_of
from treadle.api.evidence_parts import PartSight, predicting
from treadle.api.evidence_photos import telling_place
from treadle.api.goal_of import read_goal, say_goal
from treadle.api.image_data import ImageData, features_of, prepare_images
from treadle.api.image_engine import on_best_engine
from treadle.api.image_result import finish
from treadle.api.machine import pick_device
from treadle.api.member import Member, measures, summary
from treadle.api.network import network_training, predicted
from treadle.api.options import FitOptions
from treadle.api.place import Attempt, Place, member_place, open_place, train_in, use_threads
from treadle.api.result import say_findings
from treadle.api.run import Run
from treadle.api.table_data import PARTS, PartName
from treadle.contracts import Json
from treadle.data.fingerprint import fingerprint
from treadle.folder import RunFolder
from treadle.goal import DEFAULT, Metric, metric_named
from treadle.loop.journal import Journal
from treadle.loop.until import minutes

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from treadle.models.vision import Backbone

DEFAULT_MINUTES = 8.0
UNFROZEN_EPOCHS = 12
UNFROZEN_RATE = 1e-3
PATIENCE = 20


def fit_images(options: FitOptions, attempt: Attempt) -> Run:
    """Train on photos and return the run. Raises: UserError; Interrupted."""
    use_threads(options)
    data = prepare_images(options)
    metric = metric_named(options.metric or DEFAULT[data.target.task], data.target.task)
    marks = fingerprint(data.frame.select("hash", "label"))
    goal = read_goal(options, data.target, pl.DataFrame(height=data.frame.height))
    with open_place("images", options, marks, attempt) as place:
        if not place.begun:
            _say_data(place.journal, data, place.folder, marks, metric)
            say_goal(place.journal, goal)
        data, members = _fit_members(data, options, metric, place)
        finish(place.folder, data, options, metric, members, place.journal, goal)
        if data.corrections is not None:
            say_brought(place.folder, data.corrections.facts(), place.journal)
    return Run(place.folder.path)


def _say_data(
    journal: Journal, data: ImageData, folder: RunFolder, marks: Json, metric: Metric
) -> None:
    for sentence in data.notes:
        journal.say("data", sentence)
    say_findings(journal, data.findings)
    sizes = {part: len(data.rows(part)) for part in PARTS}
    journal.say(
        "split",
        f"{sizes['train']:,} photos to learn from, {sizes['validation']:,} to watch the learning "
        f"(validation), {sizes['test']:,} kept for one test at the end.",
        **sizes,
    )
    plan = folder.plan or {}
    folder.write_json(
        "plan.json", plan | {"task": data.target.task, "metric": metric.name, "rows": sizes}
    )
    folder.write_json(
        "data.json",
        {
            "fingerprint": marks,
            "target": data.target.model_dump(mode="json"),
            "split": data.split.rule.model_dump(mode="json"),
        },
    )


def _fit_members(
    data: ImageData, options: FitOptions, metric: Metric, place: Place
) -> tuple[ImageData, list[Member]]:
    """Train the head and, where asked, the last blocks from that head on."""
    from treadle.models.vision import PhotoShape, load_backbone

    unfreeze = options.unfreeze > 0
    backbone = load_backbone(shape=PhotoShape(keeps_aspect=not unfreeze))
    backbone = on_best_engine(backbone, data.files, data.hashes, options, place)
    found, data = features_of(data, backbone, options, place)
    where = member_place(place, "head", options, "images") if unfreeze else place
    shape = {"side": backbone.shape.side, "keeps_aspect": backbone.shape.keeps_aspect}
    facts = {"shape": shape, "engine": backbone.engine}
    head, frozen = fit_head(data, found.values, options, metric, where, facts)
    if not unfreeze:
        return data, [frozen]
    return data, [frozen, _fit_unfrozen(data, options, metric, place, head, backbone)]


def fit_head(
    data: ImageData,
    features: NDArray[Any],
    options: FitOptions,
    metric: Metric,
    place: Place,
    facts: Json,
    *,
    length: float = 1.0,
    looked_at: bool = True,
) -> tuple[Any, Member]:
    """Train the head on what the pretrained network saw in the photos.

    features: [N, F], a row for each of the frame; facts: what is needed to see new photos alike
    length: the share of the usual epochs; looked_at: at its end, for verdicts
    """
    from treadle.models.vision_head import HeadTraining, build_head

    how = HeadTraining()
    head = build_head(features.shape[1], len(data.classes), seed=options.seed)
    parts = _parts(data, "features", features.astype(np.float32))
    head.fit_scaling(parts["train"]["features"])
    groups = [{"params": list(head.parameters()), "lr": options.rate or how.learning_rate}]
    sayings = _take_head(head, data, options)
    return head, _fit(
        "head",
        head,
        groups,
        parts,
        data,
        options,
        metric,
        place,
        max(1, round(length * how.num_epochs)),
        sayings,
        facts,
        looked_at,
    )


CLASS_WEIGHTS = ("linear", "bias", "second")


def _take_head(head: Any, data: ImageData, options: FitOptions) -> list[tuple[str, str]]:
    """Start from an earlier run's head; of other classes only what it learned below them."""
    from treadle.api.transfer import take_tensors

    earlier = earlier_of(options.start_from, "images")
    if earlier is None:
        return []
    found = earlier.tensors("head")
    if found is None:
        return [("transfer", f"the run at {earlier.path} has no head to start from: none taken.")]
    if earlier.facts["target"]["classes"] != data.classes:
        found = {name: tensor for name, tensor in found.items() if name not in CLASS_WEIGHTS}
    return [("transfer", take_tensors(head, found, earlier.path))]


def _fit_unfrozen(
    data: ImageData,
    options: FitOptions,
    metric: Metric,
    place: Place,
    head: Any,
    backbone: Backbone,
) -> Member:
    from treadle.models.vision_unfrozen import MapsMaker, UnfrozenSettings, build_unfrozen

    settings = UnfrozenSettings(num_blocks=options.unfreeze)
    found, data = features_of(data, MapsMaker(backbone, settings), options, place)
    model = build_unfrozen(
        backbone, len(data.classes), seed=options.seed, settings=settings, head=head
    )
    parts = _parts(data, "maps", found.values)
    model.fit_scaling(parts["train"]["maps"])
    where = member_place(place, "unfrozen", options, "images")
    rate = options.rate or UNFROZEN_RATE
    return _fit(
        "unfrozen",
        model,
        model.parameter_groups(rate),
        parts,
        data,
        options,
        metric,
        where,
        UNFROZEN_EPOCHS,
        [],
        {"settings": settings.model_dump(), "engine": backbone.engine},
    )


def _fit(
    name: str,
    model: Any,
    groups: list[dict[str, Any]],
    parts: dict[str, dict[str, torch.Tensor]],
    data: ImageData,
    options: FitOptions,
    metric: Metric,
    place: Place,
    most_epochs: int,
    sayings: list[tuple[str, str]],
    facts: Json,
    looked_at: bool = True,
) -> Member:
    """Train one model of photos by the loop. looked_at: at its end, for verdicts."""
    from treadle.data.batches import TensorSource
    from treadle.loop.adamw import AdamW
    from treadle.models.vision_head import HeadTraining

    how = HeadTraining()
    deciding = metric if options.metric else metric_named("log_loss", data.target.task)
    parts = _on_device(model, parts, options)
    truth, held_out = data.truth("validation"), parts["validation"]
    until = options.condition or minutes(DEFAULT_MINUTES)
    size = options.batch_size or how.batch_size
    source = TensorSource(parts["train"], batch_size=size, seed=options.seed, with_epoch=True)
    training = network_training(
        name,
        model,
        optimizer=AdamW(groups, weight_decay=how.weight_decay),
        source=source,
        evaluate=lambda _: _measured(
            metric, deciding, truth, predicted(model, held_out), until.metrics
        ),
        metric=deciding,
        options=options,
        until=until,
        most_epochs=most_epochs,
        patience=PATIENCE,
        validate_every=source.steps_per_epoch,
        sayings=sayings,
        sight=PartSight(
            predicting(model),
            (parts["train"], held_out),
            (data.truth("train"), truth),
            inputs=("features",) if "features" in held_out else (),
            alone=lambda: telling_place(_files(data, "train"), data.truth("train")),
        ),
    )
    if not looked_at:
        training.sight = None
    trained = train_in(place, training, options, facts)
    validated = predicted(model, held_out)
    return Member(
        name=name,
        files={name: dict(model.state_dict())},
        facts=facts,
        validation=validated,
        test=predicted(model, parts["test"]),
        value=metric(truth, validated),
        trained=summary(trained),
    )


def _files(data: ImageData, part: PartName) -> list[Path]:
    """Return where the photos of a part lie."""
    return [data.files[row] for row in data.rows(part)]


def _on_device(
    model: Any, parts: dict[str, dict[str, torch.Tensor]], options: FitOptions
) -> dict[str, dict[str, torch.Tensor]]:
    """Move the model, and return the parts moved."""
    device = pick_device(options.device)
    model.to(device)
    return {
        part: {key: tensor.to(device) for key, tensor in tensors.items()}
        for part, tensors in parts.items()
    }


def _parts(data: ImageData, name: str, values: NDArray[Any]) -> dict[str, dict[str, torch.Tensor]]:
    import torch

    return {
        part: {
            name: torch.from_numpy(np.ascontiguousarray(values[data.rows(part)])),
            "target": torch.from_numpy(data.truth(part)),
        }
        for part in PARTS
    }


def _measured(
    metric: Metric,
    deciding: Metric,
    truth: NDArray[Any],
    predicted: NDArray[Any],
    also: Collection[str],
) -> dict[str, float]:
    """Return the reported metric and the one that decides which weights are best.

    Where the user named none, few photos make accuracy too coarse to tell two epochs apart, so
    the log loss decides.
    """
    return {**measures(metric, truth, predicted, also), deciding.name: deciding(truth, predicted)}
