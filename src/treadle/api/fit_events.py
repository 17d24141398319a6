"""Fit a log of events: a sequence model by the loop, weighed together with the simple ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.api.earlier import Earlier, earlier_of
from treadle.api.event_data import EventData, prepare_events
from treadle.api.event_result import finish
from treadle.api.evidence_events import EventSight
from treadle.api.machine import files_of, pick_device
from treadle.api.network import network_training
from treadle.api.options import FitOptions
from treadle.api.place import Attempt, open_place, train_in, use_threads
from treadle.api.result import say_findings
from treadle.api.run import Run
from treadle.api.training import Training
from treadle.contracts import Json
from treadle.data.fingerprint import fingerprint, unchanged
from treadle.folder import RunFolder
from treadle.goal import DEFAULT, Metric, metric_named
from treadle.loop.journal import Journal
from treadle.loop.randomness import seed_all
from treadle.loop.until import minutes

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from treadle.loop.row_adam import RowAdam
    from treadle.loop.state import TrainState
    from treadle.models.recommender import Recommender

DEFAULT_MINUTES = 8.0
MOST_EPOCHS = 20
PATIENCE = 3
VALIDATION_CASES = 3_000
LEARNING_RATE = 2e-3
BATCH_SIZE = 64
WEIGHT_DECAY = 0.05


def fit_events(options: FitOptions, frame: Any, attempt: Attempt) -> Run:
    """Train a recommender and return its run. Raises: UserError; Interrupted."""
    use_threads(options)
    metric = metric_named(options.metric or DEFAULT["next_item"], "next_item")
    files = files_of([*options.data, *options.test, *filter(None, [options.items])])
    with unchanged(files):
        data = prepare_events(options, frame)
        marks = fingerprint(files) if frame is None else fingerprint(data.log.frame, files)
    with open_place("events", options, marks, attempt) as place:
        if not place.begun:
            _say_data(place.journal, data, place.folder, marks, metric)
        seed_all(options.seed)  # the network is drawn from it
        network, training = events_training(data, options, metric)
        trained = train_in(place, training, options, network.config.model_dump(mode="json"))
        finish(place.folder, data, options, metric, network, trained, place.journal)
    return Run(place.folder.path)


def look(options: FitOptions, frame: Any = None) -> Json:
    """Return what `treadle check` says of a log."""
    data = prepare_events(options, frame)
    columns = data.encoder.columns.model_dump()
    return {
        "kind": "events",
        "task": "next_item",
        "sentences": data.notes,
        "columns": [
            {"name": name, "kind": role, "why": "it says " + ROLE_WORDS[role]}
            for role, name in columns.items()
            if name
        ],
        "rows": data.sizes(),
        "findings": [finding.model_dump(mode="json") for finding in data.findings],
    }


ROLE_WORDS = {"user": "who", "item": "what", "time": "when", "event": "what was done"}


def _say_data(
    journal: Journal, data: EventData, folder: RunFolder, marks: Json, metric: Metric
) -> None:
    for sentence in data.notes:
        journal.say("data", sentence)
    say_findings(journal, data.findings)
    plan = folder.plan or {}
    folder.write_json(
        "plan.json", plan | {"task": "next_item", "metric": metric.name, "rows": data.sizes()}
    )
    encoder = data.encoder.model_dump(mode="json")
    folder.write_json("data.json", {"fingerprint": marks, "cuts": data.cuts} | encoder)


def events_training(
    data: EventData, options: FitOptions, metric: Metric
) -> tuple[Recommender, Training]:
    """Return the network of a log as it starts, and its training."""
    from treadle.data.batches import TensorSource
    from treadle.data.events_windows import training_windows
    from treadle.loop.schedules import warmup_cosine

    network, sayings = _network(data, options)
    windows = training_windows(data.train, network.config.history_length)
    device = network.item_bias.device
    size = options.batch_size or BATCH_SIZE
    source = TensorSource(
        {name: tensor.to(device) for name, tensor in windows.items()},
        batch_size=size,
        seed=options.seed,
        with_epoch=True,
    )
    optimizer, of_vectors = _optimizers(network, options.rate or LEARNING_RATE)
    evaluate = _Evaluate(network, data, metric, options.seed)
    training = network_training(
        "sequence model",
        network,
        optimizer=optimizer,
        source=source,
        evaluate=evaluate,
        metric=metric,
        options=options,
        until=options.condition or minutes(DEFAULT_MINUTES),
        most_epochs=MOST_EPOCHS,
        patience=PATIENCE,
        validate_every=2 * source.steps_per_epoch,
        clip_norm=1.0,
        schedule=warmup_cosine(floor=0.05),
        sayings=sayings,
        sight=EventSight(network, evaluate.cases, data.item_counts(), metric.name, options.seed),
    )
    training.rows_called = f"stretches of up to {network.config.history_length + 1} events"
    if of_vectors is not None:
        training.state.optimizers["item_vectors"] = of_vectors
    return network, training


def _optimizers(network: Recommender, rate: float) -> tuple[Optimizer, RowAdam | None]:
    """Return what updates the network, and apart what updates item vectors of sparse gradients."""
    from treadle.loop.adamw import AdamW
    from treadle.loop.row_adam import RowAdam

    betas = (0.9, 0.98)
    if not network.config.sparse_vectors:
        every = network.parameters()
        return AdamW(every, lr=rate, betas=betas, weight_decay=WEIGHT_DECAY), None
    others = [p for p in network.parameters() if p is not network.item_vectors]
    of_vectors = RowAdam([network.item_vectors], rate, betas=betas, weight_decay=WEIGHT_DECAY)
    of_vectors.prime()
    return AdamW(others, lr=rate, betas=betas, weight_decay=WEIGHT_DECAY), of_vectors


def _network(data: EventData, options: FitOptions) -> tuple[Recommender, list[tuple[str, str]]]:
    """Return the network as it starts, and what must be said of that."""
    from treadle.models.recommender import Recommender, RecommenderConfig

    config = RecommenderConfig.for_catalogue(
        data.num_items, len(data.encoder.kinds), seed=options.seed
    )
    network = Recommender(config)
    network.begin_with(data.item_counts())
    network.to(pick_device(options.device))
    earlier = earlier_of(options.start_from, "events")
    return network, [] if earlier is None else [("transfer", _take_network(network, data, earlier))]


def _take_network(network: Recommender, data: EventData, earlier: Earlier) -> str:
    """Start from an earlier run's network: what it knows of an item goes by the item's name."""
    from treadle.api.transfer import take_tensors

    found = earlier.tensors("network")
    assert found is not None, "every run of events keeps its network"
    known = {name: code for code, name in enumerate(earlier.facts["encoder"]["items"], start=1)}
    here = [code for code, name in enumerate(data.encoder.items, start=1) if name in known]
    there = [known[data.encoder.items[code - 1]] for code in here]
    own = network.state_dict()
    for name, offset in (("item_vectors", 0), ("item_bias", 1), ("item_counts", 1)):
        mapped = own[name].clone()
        mapped[[code - offset for code in here]] = found[name][[code - offset for code in there]]
        found[name] = mapped
    if earlier.facts["encoder"]["kinds"] != list(data.encoder.kinds):
        del found["kind_vectors"]
    sentence = take_tensors(network, found, earlier.path)
    return f"{sentence} {len(here):,} of {data.num_items:,} items were known to it."


class _Evaluate:
    """state → the ranking metrics of the network alone on (a sample of) the validation moments."""

    def __init__(self, network: Recommender, data: EventData, metric: Metric, seed: int) -> None:
        import torch

        order = torch.randperm(
            len(data.validation.start), generator=torch.Generator().manual_seed(seed)
        )
        self.cases = data.validation.take(order[:VALIDATION_CASES].sort().values)
        self.network = network
        self.k = int(metric.name.split("@")[1])
        self.seed = seed

    def __call__(self, state: TrainState) -> dict[str, float]:
        from treadle.models.ranking import ranking_metrics
        from treadle.watch.validation import averaged, evaluating

        with averaged(state), evaluating(self.network):
            found = ranking_metrics(self.network, self.cases, k=self.k, seed=self.seed)
        return {name: float(values.mean()) for name, values in found.items()}
