"""The models of a table, each trained by the one loop in a run folder of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np

from treadle.api.deciding import reported
from treadle.api.earlier import earlier_of
from treadle.api.evidence_parts import PartSight, leak_among
from treadle.api.evidence_parts import predicting as predicting_by
from treadle.api.inference import Predicting, inputs_of
from treadle.api.member import Member, measures, summary
from treadle.api.network import network_training
from treadle.api.options import FitOptions
from treadle.api.place import Place, train_in
from treadle.api.table_data import PARTS, PartName, TableData
from treadle.api.training import Trained, Training
from treadle.contracts import Layout
from treadle.errors import DivergedError
from treadle.goal import Metric
from treadle.loop.round_threads import threads_of
from treadle.loop.until import StopCondition, epochs, no_better_for

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from treadle.loop.state import TrainState
    from treadle.models.boosting import BoostingRound
    from treadle.models.tabular_settings import TabularSettings
    from treadle.models.tree_settings import TreeSettings
    from treadle.models.trees import Trees

CHECKS_A_ROUND_ROWS = 20_000
S = TypeVar("S")


class Beside(NamedTuple, Generic[S]):
    """A model that is tried beside the usual one.

    name:     what it is called
    settings: its settings, or what makes them of the usual ones
    """

    name: str
    settings: S | Callable[[S], S]

    def taken(self, usual: Callable[[], S]) -> S:
        """Return its settings."""
        return self.settings(usual()) if callable(self.settings) else self.settings


def tree_settings(data: TableData, options: FitOptions) -> TreeSettings:
    """Return the usual settings for a table, with what the user said."""
    from treadle.models.tree_settings import TreeSettings

    settings = TreeSettings.for_table(len(data.split.train), data.layout)
    said = {} if options.rate is None else {"learning_rate": options.rate}
    return settings.model_copy(update=said)


def fit_trees(
    data: TableData,
    options: FitOptions,
    metric: Metric,
    until: StopCondition,
    place: Place,
    beside: Beside[TreeSettings] | None = None,
) -> Member:
    """Train boosted trees; a step is a round over the whole train part."""
    from treadle.models.trees import Trees, num_columns, threads_for

    usual = partial(tree_settings, data, options)
    settings = beside.taken(usual) if beside else usual()
    parts = {name: _as_tensors(data.parts[name]) for name in PARTS}
    trees = Trees(data.layout)
    sayings = _take_trees(trees, settings.block_rounds, options)
    rounds_before = trees.num_rounds
    # the step is built when the state is: after a resume has put the trees back
    cells = len(parts["train"]["target"]) * num_columns(data.layout)
    threads = threads_for(cells, place.threads)
    step = _LazyRound(trees, parts, data, settings, options.seed, threads)
    training = _tree_training(data, parts, trees, step, options, metric, until, settings, sayings)
    if beside:
        training.sight = None
    trained = train_in(place, training, options, settings.model_dump())
    best_step = trained.state.best_step or trained.state.step
    best = step.round.so_far().truncated(rounds_before + best_step)
    return Member(
        name=beside.name if beside else "trees",
        files={beside.name if beside else "trees": best.state_dict()},
        facts={"layout": data.layout.model_dump(mode="json")},
        validation=best.predict(parts["validation"]).numpy(),
        test=best.predict(parts["test"]).numpy(),
        value=_best_value(trained),
        trained=summary(trained),
    )


def _tree_training(
    data: TableData,
    parts: dict[PartName, dict[str, torch.Tensor]],
    trees: Any,
    step: _LazyRound,
    options: FitOptions,
    metric: Metric,
    until: StopCondition,
    settings: TreeSettings,
    sayings: list[tuple[str, str]],
) -> Training:
    from treadle.data.batches import WholeSource
    from treadle.loop.state import TrainState

    truth = data.truth("validation")
    also = until.metrics | {reported(options, data.target.task).name}
    every = _rounds_between_checks(len(truth))
    patience = no_better_for(max(1, settings.patience_rounds // every))
    state = TrainState(model=trees)

    def evaluate(_: TrainState) -> dict[str, float]:
        found = step.round.validation_predictions().numpy()
        if not np.isfinite(found).all():
            raise DivergedError(
                f"after {state.step:,} rounds the trees predict what is no finite number.",
                "Try a smaller learning rate (--lr): trees take 0.1 by default.",
            )
        return measures(metric, truth, found, also)

    return Training(
        name="trees",
        state=state,
        source=WholeSource(parts["train"]),
        step=step,
        evaluate=evaluate,
        metric=metric,
        until=until | epochs(settings.most_rounds) | patience,
        steps_per_epoch=1,
        validate_every=every,
        keep_weights=False,
        block_steps=settings.block_rounds,
        free_threads=options.threads is None,
        sayings=sayings,
        validation_rows=len(truth),
        sight=_sight_of_trees(data, parts, step, state),
    )


def _sight_of_trees(
    data: TableData,
    parts: dict[PartName, dict[str, torch.Tensor]],
    step: _LazyRound,
    state: TrainState,
) -> PartSight:
    """Return what looks at the trees at the end: all of them, then the best rounds alone."""
    before = step.trees.num_rounds

    def predict(model: Any, part: dict[str, torch.Tensor]) -> Any:
        return (step.round.so_far() if model is None else model).predict(part)

    def best() -> Any:
        grown = step.round.so_far()
        return grown.truncated(before + (state.best_step or state.step))

    return PartSight(
        predict,
        (parts["train"], parts["validation"]),
        (data.truth("train"), data.truth("validation")),
        known=leak_among(data.findings),
        best=best,
        rate_a_round=step.settings.learning_rate,
    )


def fit_network(
    data: TableData,
    options: FitOptions,
    metric: Metric,
    until: StopCondition,
    place: Place,
    beside: Beside[TabularSettings] | None = None,
) -> Member:
    """Train the network: batches of rows, AdamW, a warm-up and a cosine by default."""
    from treadle.api.machine import pick_device
    from treadle.data.scaling import NumberScaler

    earlier = earlier_of(options.start_from, "table")
    known = earlier.tensors("scaler") if earlier else None
    scaler = (
        NumberScaler.fit(data.parts["train"]["numbers"])
        if known is None
        else NumberScaler.from_arrays({name: tensor.numpy() for name, tensor in known.items()})
    )
    device = pick_device(options.device)
    parts = {name: _for_network(data, name, scaler, device) for name in PARTS}
    layout = data.layout.model_copy(update={"num_numbers": parts["train"]["numbers"].shape[1]})
    usual = partial(_network_settings, data, layout, options)
    settings = beside.taken(usual) if beside else usual()
    network, training, predicting = _network_training(
        data, parts, layout, settings, options, metric, until
    )
    if beside:
        training.sight = None
    predicting.watch(training, place.journal)
    trained = train_in(place, training, options, settings.model_dump())
    name = beside.name if beside else "neural"
    return Member(
        name=name,
        files={name: dict(network.state_dict()), "scaler": _as_tensors(scaler.arrays())},
        facts={
            "layout": layout.model_dump(mode="json"),
            "settings": settings.model_dump(),
            "rows": len(data.split.train),
        },
        validation=predicting.inference(inputs_of(parts["validation"])).numpy(),
        test=predicting.inference(inputs_of(parts["test"])).numpy(),
        value=_best_value(trained),
        trained=summary(trained),
    )


def _network_training(
    data: TableData,
    parts: dict[PartName, dict[str, torch.Tensor]],
    layout: Layout,
    settings: TabularSettings,
    options: FitOptions,
    metric: Metric,
    until: StopCondition,
) -> tuple[Any, Training, Predicting]:
    from treadle.data.batches import TensorSource
    from treadle.loop.adamw import AdamW
    from treadle.models.tabular import build, parameter_groups

    network = build(layout, num_rows=len(data.split.train), seed=options.seed, settings=settings)
    network.set_target_scale(data.target.center, data.target.scale)
    network.to(parts["train"]["numbers"].device)
    sayings = _take_network(network, options)
    groups = parameter_groups(network, settings.weight_decay)
    source = TensorSource(parts["train"], batch_size=settings.batch_size, seed=options.seed)
    truth = data.truth("validation")
    also = until.metrics | {reported(options, data.target.task).name}
    predicting = Predicting(network, parts["validation"])
    training = network_training(
        "neural",
        network,
        optimizer=AdamW(groups, lr=settings.learning_rate),
        source=source,
        evaluate=lambda state: measures(metric, truth, predicting(state), also),
        metric=metric,
        options=options,
        until=until,
        most_epochs=settings.most_epochs,
        patience=settings.patience_epochs,
        validate_every=min(source.steps_per_epoch, max(200, source.steps_per_epoch // 2)),
        clip_norm=1.0,
        sayings=sayings,
        sight=PartSight(
            predicting_by(network),
            (parts["train"], parts["validation"]),
            (data.truth("train"), truth),
            inputs=("numbers", "categories"),
            known=leak_among(data.findings),
        ),
    )
    training.validation_rows = len(truth)
    return network, training, predicting


def _network_settings(data: TableData, layout: Layout, options: FitOptions) -> TabularSettings:
    """Return the usual settings, with what the user said; the shape of an earlier network."""
    from treadle.models.tabular_settings import TabularSettings

    settings = TabularSettings.for_table(len(data.split.train), layout)
    earlier = earlier_of(options.start_from, "table")
    facts = earlier.facts["members"].get("neural") if earlier else None
    if facts is not None:
        ours = ("learning_rate", "weight_decay", "batch_size", "most_epochs", "patience_epochs")
        kept = {name: getattr(settings, name) for name in ours}
        settings = TabularSettings.model_validate(facts["settings"]).model_copy(update=kept)
    said = {"learning_rate": options.rate, "batch_size": options.batch_size}
    return settings.model_copy(update={k: v for k, v in said.items() if v is not None})


def _take_network(network: Any, options: FitOptions) -> list[tuple[str, str]]:
    from treadle.api.transfer import take_tensors

    earlier = earlier_of(options.start_from, "table")
    if earlier is None:
        return []
    found = earlier.tensors("neural")
    if found is None:
        return [("transfer", f"the run at {earlier.path} has no network; it is learned anew.")]
    return [("transfer", take_tensors(network, found, earlier.path))]


def _best_value(trained: Trained) -> float:
    best = trained.state.best_value
    return math.nan if best is None else best


class _LazyRound:
    """The boosting step, built at its first call.

    most_threads: by how many threads a round may be turned
    """

    def __init__(
        self,
        trees: Any,
        parts: dict[PartName, dict[str, torch.Tensor]],
        data: TableData,
        settings: TreeSettings,
        seed: int,
        threads: int,
    ) -> None:
        self.trees, self.parts, self.layout = trees, parts, data.layout
        self.settings, self.seed, self.most_threads = settings, seed, threads
        self._round: BoostingRound | None = None

    @property
    def round(self) -> BoostingRound:
        if self._round is None:
            from treadle.models.boosting import BoostingRound

            self._round = BoostingRound(
                self.trees,
                self.parts["train"],
                self.parts["validation"],
                self.layout,
                self.settings,
                self.seed,
                self.most_threads,
            )
        return self._round

    def __call__(self, state: TrainState, batch: Any) -> None:
        self.round.threads = threads_of(state, self.most_threads)
        self.round(state, batch)


def _rounds_between_checks(rows: int) -> int:
    """Return how many rounds pass between validations, so that measuring stays a small part."""
    return int(np.clip(rows // CHECKS_A_ROUND_ROWS, 1, 5))


def _as_tensors(part: dict[str, NDArray[Any]]) -> dict[str, torch.Tensor]:
    import torch

    return {
        name: torch.from_numpy(np.require(array, requirements=["C", "W"]))
        for name, array in part.items()
    }


def _for_network(
    data: TableData, name: PartName, scaler: Any, device: torch.device
) -> dict[str, torch.Tensor]:
    part = dict(data.parts[name])
    part["numbers"] = scaler.transform(part["numbers"])
    if data.target.task == "number":
        part["target"] = ((part["target"] - data.target.center) / data.target.scale).astype(
            np.float32
        )
    return {key: tensor.to(device) for key, tensor in _as_tensors(part).items()}


def _take_trees(trees: Trees, block_rounds: int, options: FitOptions) -> list[tuple[str, str]]:
    """Go on from the trees of an earlier run, whole blocks of them; return what must be said."""
    earlier = earlier_of(options.start_from, "table")
    if earlier is None:
        return []
    found = earlier.tensors("trees")
    if found is None:
        return [("transfer", f"the run at {earlier.path} has no trees; they are grown anew.")]
    trees.load_state_dict(found)
    kept = trees.truncated(trees.num_rounds - trees.num_rounds % block_rounds)
    trees.load_state_dict(kept.state_dict())
    sentence = f"started from {earlier.path}: {kept.num_rounds:,} rounds of trees are built on."
    return [("transfer", sentence)]
