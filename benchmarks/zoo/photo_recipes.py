"""The recipes of folders of photos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks.zoo.own_recipes import SAME_AS_TOO_HIGH
from benchmarks.zoo.photos import PhotoBase, PhotoPlant, PhotoSettings
from benchmarks.zoo.recipe import Cause, Recipe

PHOTO_BASES = (
    PhotoBase(name="cells", data="elpv", classes=("defect", "good"), photos=120, held_out=100),
    PhotoBase(name="cells-more", data="elpv", classes=("defect", "good"), photos=220,
              held_out=120, epochs=6),
    PhotoBase(name="tiles", data="tile/images", classes=("blowhole", "free", "uneven"),
              photos=48, held_out=40),
)  # fmt: skip
BASES = {base.name: base for base in PHOTO_BASES}


def photo_recipes() -> Iterator[Recipe]:
    """Yield every recipe of a folder of photos."""
    for base in PHOTO_BASES:
        yield _recipe("healthy", base, PhotoPlant(), "plain", 1)
        yield _recipe("healthy", base, PhotoPlant(), "again", 2)
    for name, factor in HIGH:
        plant = PhotoPlant(rate=float(factor))
        yield _recipe("rate_too_high", BASES[name], plant, f"x{factor}", 3, SAME_AS_TOO_HIGH)
    for name in LOW:
        yield _recipe("rate_too_low", BASES[name], PhotoPlant(rate=1 / 30), "by-30", 4)
    yield _recipe("overfitting", BASES["cells"], PhotoPlant(photos=12, epochs=80), "12-photos", 5)
    for name in ("tiles", "cells-more"):
        plant = PhotoPlant(noisy=0.2)
        yield _recipe("noisy_labels", BASES[name], plant, "fifth", 7, SAME_AS_NOISY)
    for name in ("cells", "cells-more", "tiles"):
        yield _recipe("leak", BASES[name], PhotoPlant(mark=True), "marked", 8)
    for name, rows in (("cells", 6), ("tiles", 4)):
        plant = PhotoPlant(held_out=rows)
        yield _recipe("small_validation", BASES[name], plant, f"{rows}-photos", 9)


HIGH = (("cells", 30), ("cells-more", 30), ("tiles", 100))
LOW = ("cells", "cells-more", "tiles")
SAME_AS_NOISY = {
    "overfitting": "a head of so many inputs learns the wrong labels of few photos by heart: "
    "validation grows worse for both reasons, and nothing but clean labels tells them apart",
}


def _recipe(
    cause: Cause,
    base: PhotoBase,
    plant: PhotoPlant,
    detail: str,
    seed: int,
    accepts: Mapping[str, str] | None = None,
) -> Recipe:
    return Recipe(
        name=f"images/{cause}/photos-{base.name}-{detail}",
        cause=cause,
        kind="images",
        base=base.name,
        seed=seed,
        settings=PhotoSettings(base=base, plant=plant),
        accepts=accepts or {},
        needs=base.data.split("/")[0],
    )
