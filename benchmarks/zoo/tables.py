"""Train a recipe of a table: rows in files, a network or trees, and what was planted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

import treadle
from benchmarks.zoo.frames import FRAMES, TARGET
from benchmarks.zoo.recipe import Place, Recipe


@dataclass(frozen=True, kw_only=True)
class TableBase:
    """A sound training on a table. rate None: what Treadle takes by itself.

    epochs:   what the training is planned for; of trees, the rounds
    patience: "no better for …" beside the epochs; 0 leaves that to Treadle
    """

    name: str
    data: str
    model: Literal["neural", "trees"]
    rate: float | None = None
    rows: int = 800
    held_out: int = 500
    epochs: int = 12
    patience: int = 0


@dataclass(frozen=True, kw_only=True)
class TablePlant:
    """What differs from the base; see plants.py. leak: a column that is the target so often."""

    rate: float = 1.0
    rows: int | None = None
    held_out: int | None = None
    epochs: int | None = None
    noisy: float = 0.0
    leak: float | None = None


@dataclass(frozen=True, kw_only=True)
class TableSettings:
    """All that a run of a table follows from."""

    base: TableBase
    plant: TablePlant


def fit_table(recipe: Recipe, place: Place) -> treadle.Run:
    """Train the recipe in its folder, from three files beside it."""
    settings: TableSettings = recipe.settings
    base, plant = settings.base, settings.plant
    files = _files(settings, recipe, place)
    given = {} if base.rate is None else {"lr": base.rate * plant.rate}
    return treadle.fit(
        str(files["train"]),
        validation=str(files["validation"]),
        test=str(files["test"]),
        target=TARGET,
        model=base.model,
        until=_until(base, plant, place.steps_factor),
        seed=recipe.seed,
        engine="eager",
        threads=1,
        out=str(place.folder),
        overwrite=True,
        **given,
    )


def _until(base: TableBase, plant: TablePlant, factor: int) -> str:
    count = plant.epochs or base.epochs
    if factor > 1 or plant.epochs or not base.patience:
        return f"{count * factor} epochs"
    return f"{count} epochs or no better for {base.patience}"


def _files(settings: TableSettings, recipe: Recipe, place: Place) -> dict[str, Path]:
    """Write the rows to learn from, to watch by and to test with, and return where."""
    base, plant = settings.base, settings.plant
    sizes = {
        "train": plant.rows or base.rows,
        "validation": plant.held_out or base.held_out,
        "test": base.held_out,
    }
    frame = FRAMES[base.data](sum(sizes.values()), recipe.seed, place.data)
    frame = _planted(frame, plant, recipe.seed)
    folder = place.cache / "tables" / recipe.key
    folder.mkdir(parents=True, exist_ok=True)
    files, start = {}, 0
    for name, size in sizes.items():
        files[name] = folder / f"{name}.parquet"
        frame[start : start + size].write_parquet(files[name])
        start += size
    return files


def _planted(frame: pl.DataFrame, plant: TablePlant, seed: int) -> pl.DataFrame:
    draw = np.random.default_rng(seed + 101)
    others = frame[TARGET].sample(len(frame), with_replacement=True, seed=seed + 102)
    if plant.leak is not None:
        kept = pl.Series(draw.random(len(frame)) < plant.leak)
        told = frame[TARGET].zip_with(kept, others)
        frame = frame.with_columns(told.alias("settled"))
    if plant.noisy:
        if not frame[TARGET].dtype.is_numeric() or frame[TARGET].n_unique() <= 2:
            classes = frame[TARGET].unique().sort()
            others = classes.sample(len(frame), with_replacement=True, seed=seed + 103)
        kept = pl.Series(draw.random(len(frame)) >= plant.noisy)
        frame = frame.with_columns(frame[TARGET].zip_with(kept, others).alias(TARGET))
    return frame
