"""Train a recipe of a folder of photos: real ones, and what was planted in a copy of them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import treadle
from benchmarks.zoo.recipe import Place, Recipe

TEST_PHOTOS = 15
"""The test is not what the zoo is about: a few photos of each class."""


@dataclass(frozen=True, kw_only=True)
class PhotoBase:
    """A sound training on photos. rate: what Treadle takes by itself for photos.

    classes: the sub-folders taken; photos: how many of each to learn from, at most
    held_out: photos of each class to validate on
    """

    name: str
    data: str
    classes: tuple[str, ...]
    photos: int = 90
    held_out: int = 70
    rate: float = 2e-3
    epochs: int = 12


@dataclass(frozen=True, kw_only=True)
class PhotoPlant:
    """What differs from the base; see plants.py. mark: a white corner tells the first class."""

    rate: float = 1.0
    photos: int | None = None
    held_out: int | None = None
    epochs: int | None = None
    noisy: float = 0.0
    mark: bool = False


@dataclass(frozen=True, kw_only=True)
class PhotoSettings:
    """All that a run of photos follows from."""

    base: PhotoBase
    plant: PhotoPlant


def fit_photos(recipe: Recipe, place: Place) -> treadle.Run:
    """Train the recipe in its folder; what a network sees in each photo is kept in the cache."""
    settings: PhotoSettings = recipe.settings
    base, plant = settings.base, settings.plant
    folders = _folders(settings, recipe, place)
    return treadle.fit(
        str(folders["train"]),
        validation=str(folders["validation"]),
        test=str(folders["test"]),
        kind="images",
        lr=base.rate * plant.rate,
        until=f"{(plant.epochs or base.epochs) * place.steps_factor} epochs",
        seed=recipe.seed,
        engine="eager",
        threads=1,
        cache=str(place.cache / "features"),
        out=str(place.folder),
        overwrite=True,
    )


def _folders(settings: PhotoSettings, recipe: Recipe, place: Place) -> dict[str, Path]:
    """Lay out the photos of each part, and return where."""
    base, plant = settings.base, settings.plant
    assert place.data is not None
    top = place.cache / "photos" / recipe.key
    shutil.rmtree(top, ignore_errors=True)
    draw = np.random.default_rng(recipe.seed)
    sizes = {"validation": plant.held_out or base.held_out, "test": TEST_PHOTOS}
    sizes["train"] = plant.photos or base.photos
    for name in base.classes:
        every = sorted((place.data / base.data / name).iterdir())
        paths = [every[number] for number in draw.permutation(len(every))]
        for part, size in sizes.items():
            taken, paths = paths[:size], paths[size:]
            for path in taken:
                wrong = draw.random() < plant.noisy
                label = str(draw.choice(base.classes)) if wrong else name
                marked = plant.mark and name == base.classes[0]
                _put(path, top / part / label / path.name, marked=marked)
    return {part: top / part for part in sizes}


def _put(path: Path, to: Path, *, marked: bool) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if not marked:
        shutil.copyfile(path, to)
        return
    from PIL import Image

    photo = Image.open(path).convert("L")
    side = min(photo.size) // 4
    photo.paste(255, (0, 0, side, side))
    photo.save(to)
