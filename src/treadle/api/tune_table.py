"""`--tune` for tables: the trees and the network with other settings beside the usual ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from treadle.api.member import Member
from treadle.api.options import FitOptions
from treadle.api.place import Place, member_place
from treadle.api.table_data import TableData
from treadle.api.table_members import Beside, fit_network, fit_trees, tree_settings
from treadle.api.tune import Family, Timed
from treadle.contracts import Json
from treadle.goal import Metric
from treadle.loop.until import StopCondition, epochs, steps
from treadle.study import dials

if TYPE_CHECKING:
    from treadle.models.tabular_settings import TabularSettings
    from treadle.models.tree_settings import TreeSettings

FASTEST_RATE = 0.5
"""No tree may take more than that, however short a training."""

FEWEST_EPOCHS, LEAST_PATIENCE = 2, 3
SHORTEST_PATIENCE_ROUNDS = 20


def family_of(
    trained: Timed, data: TableData, options: FitOptions, metric: Metric, place: Place
) -> Family:
    """Return what may be tried beside a usual model."""
    model = trained.member.name
    usual: Any
    train: Callable[..., Member]
    shorter: Callable[[Any, float], Any]
    if model == "trees":
        usual, all_dials = tree_settings(data, options), dials.TREES
        train, shorter = fit_trees, shorter_trees
    else:
        from treadle.models.tabular_settings import TabularSettings

        usual = TabularSettings.model_validate(trained.member.facts["settings"])
        all_dials = dials.NETWORK
        train, shorter = fit_network, shorter_network

    def fit(name: str, changes: Json, share: float, until: StopCondition) -> Member:
        trial = {"changes": changes, "share": share}
        where = member_place(place, name, options, "table", model=model, trial=trial)
        beside: Beside[Any] = Beside(name, shorter(usual.model_copy(update=changes), share))
        return train(data, options, metric, until | _asked(options, share), where, beside)

    return Family(
        name=model,
        usual=usual.model_dump(),
        dials=[dial for dial in all_dials if _is_free(dial, options, data)],
        member=trained.member,
        overhead=trained.overhead,
        fit=fit,
    )


def _is_free(dial: dials.Dial, options: FitOptions, data: TableData) -> bool:
    """Tell whether a setting is ours to try: the user named none, and it moves something here."""
    said = {"learning_rate": options.rate, "batch_size": options.batch_size}
    if said.get(dial.name) is not None:
        return False
    if dial.name == "cat_smooth":
        return bool(data.layout.cardinalities)
    if dial.name == "highest_frequency":
        return data.layout.num_numbers > 0
    return True


def shorter_trees(settings: TreeSettings, share: float) -> TreeSettings:
    """Return settings that need a share of the rounds: their rate is so many times higher."""
    return settings.model_copy(
        update={
            "learning_rate": min(FASTEST_RATE, settings.learning_rate / share),
            "most_rounds": math.ceil(settings.most_rounds * share),
            "patience_rounds": max(
                SHORTEST_PATIENCE_ROUNDS, math.ceil(settings.patience_rounds * share)
            ),
        }
    )


def shorter_network(settings: TabularSettings, share: float) -> TabularSettings:
    """Return settings whose schedule runs out after a share of the epochs."""
    return settings.model_copy(
        update={
            "most_epochs": max(FEWEST_EPOCHS, math.ceil(settings.most_epochs * share)),
            "patience_epochs": max(LEAST_PATIENCE, math.ceil(settings.patience_epochs * share)),
        }
    )


def _asked(options: FitOptions, share: float) -> StopCondition:
    """Return when a training of a share of the usual length ends at the latest, by the user."""
    asked = options.condition
    if asked is None:
        return StopCondition.never()
    for count, condition in ((asked.steps_limit, steps), (asked.epochs_limit, epochs)):
        if math.isfinite(count):
            asked = asked | condition(math.ceil(count * share))
    return asked
