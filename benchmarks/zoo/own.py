"""Train a recipe of an own module: a sound base, and what was planted in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

import treadle
from benchmarks.zoo.made import MADE
from benchmarks.zoo.networks import build
from benchmarks.zoo.plants import Plant, plant_in_rows, plant_in_weights, training_data
from benchmarks.zoo.real import REAL
from benchmarks.zoo.recipe import Place, Recipe

ROWS = MADE | REAL
Parameters = Iterable[nn.Parameter]
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
    "momentum": lambda parameters, **settings: torch.optim.SGD(
        parameters, momentum=0.9, **settings
    ),
    "rmsprop": torch.optim.RMSprop,
}


@dataclass(frozen=True, kw_only=True)
class OwnBase:
    """A sound training of a module: nothing in it should be changed.

    rate:     the learning rate that the sweep found (sweep.py), at most a factor of 3 off the best
    patience: "no better for …" beside the epochs; 0 turns all of them
    metric:   what decides which weights are best
    """

    name: str
    data: str
    network: str
    rate: float
    optimizer: str = "adamw"
    weight_decay: float = 0.01
    rows: int = 2_000
    held_out: int = 700
    batch_size: int = 64
    epochs: int = 20
    patience: int = 0
    loss: str = "cross_entropy"
    metric: str = "loss"
    also: tuple[str, ...] = ()
    schedule: str = "constant"
    kind: str = "module"


@dataclass(frozen=True, kw_only=True)
class OwnSettings:
    """All that a run of an own module follows from. auto_rate: leave the rate to Treadle."""

    base: OwnBase
    plant: Plant
    auto_rate: bool = False


def fit_own(recipe: Recipe, place: Place) -> treadle.Run:
    """Train the recipe in its folder, on one thread and without the compiler."""
    settings: OwnSettings = recipe.settings
    base, plant = settings.base, settings.plant
    train, held_out = plant_in_rows(ROWS[base.data], base, plant, recipe.seed, place)
    module = build(plant.network or base.network, train.shape, recipe.seed)
    plant_in_weights(module, plant)
    rate = base.rate * plant.rate
    given: dict[str, Any] = {} if settings.auto_rate else {"lr": rate}
    if not settings.auto_rate or base.optimizer != "adamw":
        decay = base.weight_decay if plant.weight_decay is None else plant.weight_decay
        make = OPTIMIZERS[plant.optimizer or base.optimizer]
        decays = {"weight_decay": decay} if decay else {}
        given["optimizer"] = lambda parameters: make(parameters, lr=rate, **decays)
    return treadle.fit(
        module,
        training_data(train, base, plant, recipe.seed),
        validation=held_out.tensors(),
        loss=base.loss,
        metrics=base.also,
        metric=base.metric,
        batch_size=base.batch_size,
        schedule=plant.schedule or base.schedule,
        until=_until(base, plant, place.steps_factor),
        seed=recipe.seed,
        engine="eager",
        threads=1,
        out=place.folder,
        overwrite=True,
        **given,
    )


def _until(base: OwnBase, plant: Plant, factor: int) -> str:
    """Return the planned end; with a factor, that many times as late and no earlier."""
    count = plant.epochs or base.epochs
    if factor > 1:
        return f"{count * factor} epochs"
    patience = plant.patience or base.patience
    return f"{count} epochs" + (f" or no better for {patience}" if patience else "")
