"""Reasons for the answers about photos: which places moved each the most, in words and marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from treadle.data.photo import decode, photo_bytes, photo_size
from treadle.data.tables import TargetEncoder
from treadle.decision import log_odds
from treadle.models.vision import Backbone
from treadle.models.vision_places import grid_of, with_and_without
from treadle.models.vision_unfrozen import UnfrozenVision
from treadle.serve.reason_words import reason

if TYPE_CHECKING:
    from PIL.Image import Image

Array: TypeAlias = NDArray[Any]

SMALLEST_ODDS, SMALLEST_CHANCE = 0.01, 0.001
"""A place that moves the log-odds by less is no reason; less of a chance is said without digits."""
LONGEST_SIDE = 1024
_DOWN, _ACROSS = ("upper", "middle", "lower"), ("left", "middle", "right")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A part of a photo, and what it did to the answer.

    box: left, upper, right, lower, as shares of the photo's sides
    effect: the chance with it less the chance without it
    """

    box: tuple[float, float, float, float]
    effect: float

    @property
    def words(self) -> str:
        """Return where it lies: "upper left", "middle"."""
        left, upper, right, lower = self.box
        down, across = _DOWN[int(1.5 * (upper + lower))], _ACROSS[int(1.5 * (left + right))]
        return down if down == across else f"{down} {across}"


class PhotoReasons:
    """Finds the places of photos that moved their answers.

    Two classes: the chance of the positive one is explained. Several: that of the class that was
    said. Places are compared by log-odds: where an answer is sure, chances hardly move.
    """

    def __init__(
        self,
        backbone: Backbone,
        model: Any,
        finish: Callable[[Array], Array],
        target: TargetEncoder,
    ) -> None:
        self.backbone, self.model, self.finish, self.target = backbone, model, finish, target
        self.head = model.head if isinstance(model, UnfrozenVision) else model

    def places(self, path: Path, said: int, count: int) -> list[Place]:
        """Return the places that moved the answer most, the strongest first, each in other words.

        said: the class that the photo was taken for
        """
        content = photo_bytes(path)
        width, height = self.backbone.size_of(*photo_size(content))
        photo = torch.from_numpy(decode(content, (width, height)))
        grid = grid_of(width, height)
        whole, without = with_and_without(self.backbone, self.model, photo, grid)
        asked = said if self.target.task == "classes" else 1
        chances = self._chances(torch.cat([whole[None], without]))[:, asked]
        moved = log_odds(chances[0]) - log_odds(chances[1:])
        found: dict[str, Place] = {}
        for number in np.argsort(-np.abs(moved), kind="stable"):
            if abs(moved[number]) >= SMALLEST_ODDS and len(found) < count:
                effect = float(chances[0] - chances[1 + number])
                place = Place(box=_box(number, grid), effect=effect)
                found.setdefault(place.words, place)
        return list(found.values())

    def told(self, places: Sequence[Place], said: int, count: int) -> list[str | None]:
        """Return a sentence for each place, and nothing for those that are lacking."""
        asked = said if self.target.task == "classes" else 1
        chance = f"the chance of '{self.target.classes[asked]}'"
        words = [_words(place, chance) for place in places]
        return [*words, *[None] * (count - len(words))]

    def _chances(self, features: torch.Tensor) -> Array:
        """Return the chances of features [M, V, D], the mean over views, float64 [M, C]."""
        with torch.inference_mode():
            logits = self.head.logits(features.flatten(0, 1))
            said = self.head.predict(logits.reshape(len(features), -1, logits.shape[-1]))
        return self.finish(said.double().numpy())


def _words(place: Place, chance: str) -> str:
    if abs(place.effect) >= SMALLEST_CHANCE:
        return reason([place.words], place.effect, chance, is_chance=True)
    way = "raises" if place.effect > 0 else "lowers"
    return f"{place.words}: {way} {chance} by less than 0.1 in 100"


def marked(path: Path, places: Sequence[Place], longest: int = LONGEST_SIDE) -> Image:
    """Return a photo with its places framed, the strongest by the thickest line."""
    from PIL import Image, ImageDraw

    pixels = decode(photo_bytes(path)).transpose(1, 2, 0)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((longest, longest))
    pen = ImageDraw.Draw(image)
    for number, place in reversed(list(enumerate(places))):
        thick = max(2, round(max(image.size) / 160 / (1 + number)))
        box = [round(x * side) for x, side in zip(place.box, image.size * 2, strict=True)]
        box = [box[0], box[1], max(box[0] + 1, box[2] - 1), max(box[1] + 1, box[3] - 1)]
        pen.rectangle(box, outline="white", width=2 * thick)
        pen.rectangle(box, outline="#c2185b", width=thick)
    return image


def picture_name(number: int, name: str) -> str:
    """Return the file name of a photo's marked picture: its row, so that none hides another."""
    return f"{number:05d}-{PurePath(name).stem[:80]}.jpg"


def _box(place: int, grid: tuple[int, int]) -> tuple[float, float, float, float]:
    row, column = divmod(int(place), grid[1])
    down, across = 1 / grid[0], 1 / grid[1]
    return column * across, row * down, (column + 1) * across, (row + 1) * down
