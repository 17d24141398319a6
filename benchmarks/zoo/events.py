"""Train a recipe of a log of events: made logs, and the first ratings of a real one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

import treadle
from benchmarks.zoo.made import WORLD
from benchmarks.zoo.real import frame_of
from benchmarks.zoo.recipe import Place, Recipe

LogMaker = Callable[[int, int, Path | None], pl.DataFrame]
"""(how many users, seed, folder of real data) → rows of user, item and time."""


@dataclass(frozen=True, kw_only=True)
class EventBase:
    """A sound training on a log. rate: of "chain" from 2e-3 to 6e-1 the best."""

    name: str
    data: str
    users: int = 350
    rate: float = 6e-3
    epochs: int = 12
    batch_size: int = 32


@dataclass(frozen=True, kw_only=True)
class EventPlant:
    """What differs from the base; see plants.py."""

    rate: float = 1.0
    users: int | None = None
    epochs: int | None = None


@dataclass(frozen=True, kw_only=True)
class EventSettings:
    """All that a run of a log follows from."""

    base: EventBase
    plant: EventPlant


def fit_events(recipe: Recipe, place: Place) -> treadle.Run:
    """Train the recipe in its folder."""
    settings: EventSettings = recipe.settings
    base, plant = settings.base, settings.plant
    log = LOGS[base.data](plant.users or base.users, recipe.seed, place.data)
    return treadle.fit(
        log,
        kind="events",
        user="user",
        item="item",
        time="time",
        lr=base.rate * plant.rate,
        batch_size=base.batch_size,
        until=f"{(plant.epochs or base.epochs) * place.steps_factor} epochs",
        seed=recipe.seed,
        engine="eager",
        threads=1,
        out=str(place.folder),
        overwrite=True,
    )


def chain(
    users: int,
    seed: int,
    _: Path | None,
    *,
    items: int = 60,
    sure: float = 0.7,
    length: int = 12,
) -> pl.DataFrame:
    """What follows depends on the last item with the chance `sure`; else it is what is popular.

    Users come one after another, all along the time that the log spans.
    """
    world, draw = np.random.default_rng(WORLD), np.random.default_rng(seed)
    follows = np.stack([world.permutation(items) for _ in range(2)])
    popular = world.dirichlet(np.full(items, 0.5))
    codes = np.empty((users, length), dtype=np.int64)
    codes[:, 0] = draw.choice(items, users, p=popular)
    for step in range(1, length):
        goes_on = draw.random(users) < sure
        next_one = follows[(draw.random(users) < 0.3).astype(int), codes[:, step - 1]]
        codes[:, step] = np.where(goes_on, next_one, draw.choice(items, users, p=popular))
    begins = draw.uniform(0, 1e6, users)
    times = begins[:, None] + np.sort(draw.uniform(0, 2e5, (users, length)), axis=1)
    return _log(codes, times)


def tastes(users: int, seed: int, _: Path | None, *, length: int = 12) -> pl.DataFrame:
    """Users stay with one of six tastes, of 15 items each; now and then they stray."""
    draw = np.random.default_rng(seed)
    taste = draw.integers(6, size=(users, 1))
    strays = draw.random((users, length)) < 0.2
    codes = 15 * np.where(strays, draw.integers(6, size=(users, length)), taste)
    codes = codes + (draw.beta(0.7, 2.0, (users, length)) * 15).astype(np.int64)
    times = draw.uniform(0, 1e6, users)[:, None]
    return _log(codes, times + np.sort(draw.uniform(0, 2e5, (users, length)), axis=1))


def films(users: int, _: int, data: Path | None) -> pl.DataFrame:
    """The first films of the first users of a real log."""
    frame = frame_of(data, "ml-100k/events.csv").sort("time")
    first = frame.group_by("user", maintain_order=True).head(30)
    known = first["user"].unique(maintain_order=True).head(users)
    return first.filter(pl.col("user").is_in(known.to_list())).select("user", "item", "time")


def _log(codes: np.ndarray, times: np.ndarray) -> pl.DataFrame:
    users, length = codes.shape
    return pl.DataFrame(
        {
            "user": np.repeat(np.arange(users), length),
            "item": codes.ravel(),
            "time": times.ravel().astype(np.int64) + 1_600_000_000,
        }
    ).sort("time")


LOGS: dict[str, LogMaker] = {
    "chain": chain,
    "chain-sure": partial(chain, sure=0.9),
    "chain-loose": partial(chain, sure=0.4),
    "chain-many": partial(chain, items=200),
    "tastes": tastes,
    "films": films,
}
EVENT_NEEDS = {"films": "ml-100k"}
