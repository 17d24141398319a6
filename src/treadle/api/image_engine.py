"""Which engine looks at the photos of a run: chosen once, and journaled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from treadle.api.image_data import cache_of
from treadle.api.options import FitOptions
from treadle.api.place import Place
from treadle.contracts import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.models.vision import Backbone

TOPIC = "feature_engine"


def on_best_engine(
    backbone: Backbone,
    paths: Sequence[Path],
    hashes: Sequence[str],
    options: FitOptions,
    place: Place,
) -> Backbone:
    """Return the backbone on the engine that is done soonest with these photos.

    A resumed run takes the engine that its earlier attempt decided on.
    """
    from treadle.models.vision_engine import backbone_like
    from treadle.models.vision_trial import engine_by_processor

    asked: str = options.engine
    if asked == "eager":
        return backbone
    if asked == "auto":
        if place.begun:
            place.journal.replay_after(-1)  # nothing else is decided before training begins
        engine = place.journal.decide(
            TOPIC, 0, lambda: _tried(backbone, paths, hashes, cache_of(options))
        )
    else:
        engine = engine_by_processor()
    found, sentence = backbone_like(backbone, engine)
    if sentence:
        place.journal.say(TOPIC, sentence)
    return found


def _tried(
    backbone: Backbone, paths: Sequence[Path], hashes: Sequence[str], cache: Path
) -> tuple[str, str, Json]:
    """Return the engine that a short trial chose, why, and what it measured."""
    import torch

    from treadle.data.feature_cache import FeatureCache
    from treadle.data.photo_features import sample_photos
    from treadle.models.vision_packed import ENGINES
    from treadle.models.vision_trial import NUM_TRIED, choose_engine

    caches = {engine: FeatureCache(cache, backbone.key_on(engine)) for engine in ENGINES}
    num_new = {engine: len(paths) - kept.num_known(hashes) for engine, kept in caches.items()}

    def some() -> list[torch.Tensor]:
        return [torch.from_numpy(photo) for photo in sample_photos(paths, backbone, NUM_TRIED)]

    choice = choose_engine(backbone, some, num_new)
    return choice.engine, choice.sentence, choice.saw
