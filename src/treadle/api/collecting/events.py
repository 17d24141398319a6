"""A log's run as `treadle collect` takes it: fitted on the events of fewer users."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from treadle.api.collecting.examples import event_example
from treadle.api.collecting.ground import Array, Ground, Places, Way
from treadle.api.event_data import EventData, prepare_events
from treadle.api.event_mix import blend_tables, choose_baselines, tables_for
from treadle.api.event_result import measure
from treadle.api.fewer_rows import in_pieces
from treadle.api.fit_events import events_training
from treadle.api.machine import files_of
from treadle.api.options import FitOptions
from treadle.api.place import Place, train_in, use_threads
from treadle.api.training import Observer
from treadle.data.events import EncodedLog
from treadle.data.fingerprint import fingerprint
from treadle.folder import RunFolder
from treadle.goal import DEFAULT, metric_named
from treadle.loop.journal import Journal

SIMPLE_SECONDS = 3.0
SIMPLE = (
    "The curve was measured with the best of the simple ways that the answer is weighed from, to "
    "save time; what it gains was taken over for the run's own figure. A longer --budget trains "
    "the whole."
)


def event_ground(folder: RunFolder, options: FitOptions, frame: Any = None) -> Ground:
    """Return a log's run as ground to collect on. Raises: DataError, OptionError."""
    use_threads(options)
    options = options.model_copy(update={"start_from": None, "track": (), "engine": "eager"})
    data = prepare_events(options, frame)
    named = metric_named(options.metric or DEFAULT["next_item"], "next_item")
    metric = replace(named, needs="values", function=_mean)
    files = files_of([*options.data, *options.test, *filter(None, [options.items])])
    marks = fingerprint(files) if frame is None else fingerprint(data.log.frame, files)
    same = (folder.data or {}).get("fingerprint") == marks
    fit = partial(_fit, data, options, metric.name)
    every = np.arange(len(data.train.items))
    return Ground(
        kind="events",
        task="next_item",
        noun="event",
        metric=metric,
        truth=np.zeros(len(data.validation.start)),
        pieces=in_pieces(every, data.train.users.numpy(), options.seed, is_number=True),
        num_rows=len(every),
        ways=_ways(folder, same=same),
        fit=fit,
        answered=lambda: fit(every, _ways(folder, same=False)[0], options.seed),
        far=lambda answers: (1 - answers, 1 - answers),
        parts=lambda answers: [],
        example=lambda part: event_example(data),
        moments=data.train.times.numpy(),
        facts={"target": data.encoder.columns.item},
    )


def _mean(truth: Array, values: Array) -> float:
    """Return the mean of what each moment came to."""
    return float(values.mean())


def _ways(folder: RunFolder, *, same: bool) -> list[Way]:
    points = folder.metrics()
    took = float((points[-1].get("clock") or {}).get("seconds", 60.0)) if points else 60.0
    whole = Way(
        models=("network",), length=1.0, seconds=took + SIMPLE_SECONDS, same=False, words=""
    )
    simple = Way(models=("simple",), length=1.0, seconds=SIMPLE_SECONDS, same=False, words=SIMPLE)
    return [whole, simple]


def _fit(
    data: EventData, options: FitOptions, metric: str, rows: Places, way: Way, seed: int
) -> Array:
    """Fit on some of the train events; return what each validation moment comes to, [N]."""
    fewer = replace(data, train=_some(data.train, rows))
    k = int(metric.split("@")[1])
    choices = choose_baselines(fewer, seed)
    tables = tables_for(fewer.train, data.num_items, choices)
    if way.models == ("simple",):
        found = [measure(one, data.validation, k, seed)[metric].numpy() for one in tables]
        return max(found, key=lambda values: float(values.mean()))
    from treadle.models.recommender_blend import RecommenderBlend

    network = _network(fewer, options.model_copy(update={"seed": seed}))
    blend = RecommenderBlend(network, *blend_tables(fewer.train, data.num_items, tables))
    blend.fit_weights(data.validation, seed=seed)
    values: Array = measure(blend, data.validation, k, seed)[metric].numpy()
    return values


def _network(data: EventData, options: FitOptions) -> Any:
    import torch

    from treadle.loop.randomness import seed_all

    metric = metric_named(options.metric or DEFAULT["next_item"], "next_item")
    with tempfile.TemporaryDirectory(prefix="treadle-collect-") as place:
        folder = RunFolder.create(Path(place) / "network")
        where = Place(
            folder=folder,
            journal=Journal(folder.path),
            begun=False,
            observer=Observer(),
            threads=options.threads or torch.get_num_threads(),
        )
        seed_all(options.seed)  # the network is drawn from it
        network, training = events_training(data, options, metric)
        training.sight = None
        train_in(where, training, options, network.config.model_dump(mode="json"))
    return network.cpu().eval()


def _some(log: EncodedLog, rows: Places) -> EncodedLog:
    """Return some events of a log; the users stay numbered as they are."""
    import torch

    kept = torch.from_numpy(rows)
    tensors = {name: getattr(log, name)[kept] for name in log._fields if name != "user_names"}
    return EncodedLog(**tensors, user_names=log.user_names)
