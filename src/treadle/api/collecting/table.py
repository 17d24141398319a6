"""A table's run as `treadle collect` takes it: its models, fitted on fewer of its rows."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from treadle.api.collecting.examples import table_example
from treadle.api.collecting.ground import Array, Ground, Places, Way
from treadle.api.deciding import deciding, reported
from treadle.api.fewer_rows import on_rows, shuffled
from treadle.api.machine import files_of
from treadle.api.member import Member
from treadle.api.options import FitOptions
from treadle.api.place import Place, use_threads
from treadle.api.table_data import TableData, prepare, read_table
from treadle.api.table_members import Beside, fit_network, fit_trees
from treadle.api.table_result import blended
from treadle.api.training import Observer
from treadle.api.tune_table import shorter_network, shorter_trees
from treadle.contracts import Json
from treadle.data.cells import typed_cells
from treadle.data.cuts import time_seconds
from treadle.data.fingerprint import fingerprint
from treadle.folder import RunFolder
from treadle.loop.journal import Journal
from treadle.loop.until import StopCondition
from treadle.study.part_gain import Part
from treadle.study.slices import worst_slices

if TYPE_CHECKING:
    from treadle.study.slices import Slice

BESIDE_SECONDS = 0.4
"""What a fit takes beside its training: encoding, predicting."""

WORDS = {"trees": "trees", "neural": "network"}
FITS: dict[str, Callable[..., Member]] = {"trees": fit_trees, "neural": fit_network}
SHORTER: dict[str, Callable[[Any, float], Any]] = {
    "trees": shorter_trees,
    "neural": shorter_network,
}
LENGTHS = {"trees": (1.0, 0.2), "neural": (1.0, 1 / 3)}
RARE_SHARE = 0.5
LEAST_CHANCE = 1e-4


def table_ground(folder: RunFolder, options: FitOptions, frame: Any = None) -> Ground:
    """Return a table's run as ground to collect on. Raises: DataError, OptionError."""
    use_threads(options)
    read = read_table(options, frame)
    data = prepare(options, read)
    own = [options.corrections] if options.corrections else []
    files = files_of([*options.data, *options.validation, *options.test, *own])
    marks = fingerprint(files) if frame is None else fingerprint(read.frame, files)
    same_data = (folder.data or {}).get("fingerprint") == marks
    fit = partial(_fit, data, options, weights_of(folder, options))
    return Ground(
        kind="table",
        task=data.target.task,
        noun="row",
        metric=reported(options, data.target.task),
        truth=data.truth("validation"),
        pieces=shuffled(data, options, options.seed),
        num_rows=len(data.split.train),
        ways=ways_of(folder, options, same_data=same_data),
        fit=fit,
        answered=partial(_answered, folder, data),
        far=partial(far_off, data.truth("validation"), is_number=data.target.task == "number"),
        parts=partial(_parts, data),
        example=partial(table_example, data, options),
        moments=_moments(data, options),
        notes=[] if same_data else [OTHER_DATA],
        facts=_facts(data),
    )


OTHER_DATA = (
    "the data is not what the run learned from any more, so all is measured anew, on the data as "
    "it is now"
)


def _facts(data: TableData) -> Json:
    classes = [str(name) for name in data.target.classes]
    positive = classes[1] if data.target.task == "two_classes" else ""
    return {"target": data.target.column, "classes": classes, "positive": positive}


def weights_of(folder: RunFolder, options: FitOptions) -> dict[str, float]:
    """Return how the run's answer weighs trees and network, of those that answer."""
    kept = RunFolder(folder.path / "model").read_json("model.json") or {}
    found = {name: float(w) for name, w in kept.get("blend", {}).items() if name in WORDS}
    usual = "neural" if options.model == "neural" else "trees"
    return {name: w for name, w in found.items() if w > 0} or {usual: 1.0}


def ways_of(folder: RunFolder, options: FitOptions, *, same_data: bool) -> list[Way]:
    """Return how fits on fewer rows may be made: as the run did first, then the quicker ones."""
    weights = weights_of(folder, options)
    took = {name: _seconds_of(folder, name) for name in weights}
    plain = same_data and not options.tune and not options.start_from
    every = [(tuple(weights), 1.0)] if len(weights) > 1 else []
    alone = "trees" if "trees" in weights else "neural"
    return [
        Way(
            models=models,
            length=length,
            seconds=sum(length * took[name] + BESIDE_SECONDS for name in models),
            same=plain and length == 1.0 and len(models) == len(weights),
            words=_way_words(models, weights, length),
        )
        for models, length in [*every, *(((alone,), length) for length in LENGTHS[alone])]
    ]


def _way_words(models: Sequence[str], weights: dict[str, float], length: float) -> str:
    alone = f"with the {WORDS[models[0]]} alone" if len(models) < len(weights) else ""
    short = "in shorter trainings than the run's own" if length < 1 else ""
    how = ", ".join(filter(None, (alone, short)))
    return (
        f"The curve was measured {how}, to save time; what it gains was taken over for the run's "
        "own figure. A longer --budget comes closer."
        if how
        else ""
    )


def _seconds_of(folder: RunFolder, name: str) -> float:
    """Return how long a member's training took, 1 second where that is not recorded."""
    inside = RunFolder(folder.path / "members" / name)
    points = (inside if inside.is_run else folder).metrics()
    clock = points[-1].get("clock") if points else None
    return float((clock or {}).get("seconds", 1.0))


def _answered(folder: RunFolder, data: TableData) -> Array:
    """Return what the run itself answers for the validation rows."""
    from treadle.serve.predictor import read_facts
    from treadle.serve.table_predictor import TablePredictor

    model = folder.path / "model"
    rows = data.parts["validation"]
    arrays = {name: rows[name] for name in ("numbers", "categories")}
    found = TablePredictor(model, read_facts(model)).chances(arrays)
    return found[:, 0] if data.target.task == "number" else found


def _fit(
    data: TableData,
    options: FitOptions,
    weights: dict[str, float],
    rows: Places,
    way: Way,
    seed: int,
) -> Array:
    """Fit the way's models on some train rows; return their answers for the validation rows."""
    fewer = on_rows(data, rows, options)
    asked = options.model_copy(
        update={"seed": seed, "engine": "eager", "start_from": None, "tune": None, "track": ()}
    )
    found = {name: _member(name, fewer, asked, way).validation for name in way.models}
    total = sum(weights[name] for name in way.models)
    return blended(found, {name: weights[name] / total for name in way.models})


def _member(name: str, data: TableData, options: FitOptions, way: Way) -> Member:
    judge, until = deciding(options, data), _until(name, options)
    with tempfile.TemporaryDirectory(prefix="treadle-collect-") as place:
        folder = RunFolder.create(Path(place) / name)
        where = Place(
            folder=folder,
            journal=Journal(folder.path),
            begun=False,
            observer=Observer(),
            threads=options.threads or _threads(),
        )
        fit, shorter = FITS[name], SHORTER[name]
        beside: Beside[Any] = Beside(name, partial(_of_length, shorter, way.length))
        return fit(data, options, judge, until, where, beside)


def _of_length(shorter: Callable[[Any, float], Any], length: float, usual: Any) -> Any:
    return shorter(usual, length) if length < 1 else usual


def _until(name: str, options: FitOptions) -> StopCondition:
    """Return the user's own stop condition; steps and epochs that are meant for a network alone."""
    asked = options.condition or StopCondition.never()
    counted = math.isfinite(min(asked.epochs_limit, asked.steps_limit))
    return (
        StopCondition.never() if name == "trees" and options.model == "auto" and counted else asked
    )


def _threads() -> int:
    import torch

    return torch.get_num_threads()


def far_off(truth: Array, answers: Array, *, is_number: bool) -> tuple[Array, Array]:
    """Return how far off each answer is, as people count it and finer: float64 [N] each.

    Classes: 1 for a wrong one, and the surprise at the truth. Numbers: the distance, twice.
    """
    if is_number:
        off = np.abs(answers.astype(np.float64) - truth)
        return off, off
    chance = answers[np.arange(len(truth)), truth].astype(np.float64)
    return (answers.argmax(axis=1) != truth).astype(np.float64), -np.log(chance.clip(LEAST_CHANCE))


def _parts(data: TableData, answers: Array) -> list[Part]:
    """Return the rarest classes, and where answers are worst."""
    train, held, column = data.truth("train"), data.truth("validation"), data.target.column
    rare = (
        rare_classes(train, held, data.target.classes, lambda name: f"where '{column}' is {name}")
        if data.target.task != "number"
        else []
    )
    return [*rare, *(_part(one) for one in _worst(data, answers))]


def _worst(data: TableData, answers: Array) -> list[Slice]:
    cells, _ = typed_cells(pl.concat([data.rows("validation"), data.rows("train")]), data.schema)
    known = cells.select(~pl.selectors.datetime())
    _, finer = far_off(data.truth("validation"), answers, is_number=data.target.task == "number")
    count = len(finer)
    return worst_slices(known[:count], finer, also=known[count:])


def _part(found: Slice) -> Part:
    return Part(where=f"where {found.where}", train=found.also, validation=found.rows)


def rare_classes(
    train: Array, validation: Array, classes: Sequence[Any], where: Callable[[Any], str]
) -> list[Part]:
    """Return the two rarest classes at most, of those that have half a fair share or less.

    where: a class → in words
    """
    if not len(classes):
        return []
    counts = np.bincount(train, minlength=len(classes))
    rare = np.argsort(counts, kind="stable")[:2]
    few = [code for code in rare if counts[code] <= RARE_SHARE * len(train) / len(classes)]
    return [class_part(where(classes[code]), train, validation, int(code)) for code in few]


def class_part(where: str, train: Array, validation: Array, code: int) -> Part:
    """Return the rows of one class as a part."""
    return Part(
        where=where,
        train=np.flatnonzero(train == code),
        validation=np.flatnonzero(validation == code),
        is_answer=True,
    )


def _moments(data: TableData, options: FitOptions) -> Array | None:
    """Return when the train rows came, in seconds: by --time, or by the only column of dates."""
    dates = [column.name for column in data.schema.used() if column.kind == "date"]
    name = options.time or (dates[0] if len(dates) == 1 else None)
    if name is None:
        return None
    cells, _ = typed_cells(data.rows("train"), data.schema)
    column = cells[name] if name in cells.columns else data.rows("train")[name]
    return time_seconds(column) if column.dtype in (pl.Date, pl.Datetime) else None
