"""The frozen network prepared for this processor: the same layers in fewer, faster passes.

Weights are laid out once as oneDNN wants them. Each convolution clips its answer, or adds the
block's input to it, while it is still at hand; one over single places is a matrix product; uneven
padding is made even by a kernel one wider whose first row and column are zeros; mean and spread
are read along the channels. In bf16 the first layers stay in float32: on photos of low contrast,
rounding there costs more than in all other layers together.

Nothing is compiled, so it starts at once. A photo's features are the same to the bit whatever
photos are computed beside it, which `try_engines` looks at before it takes this way.

Shape legend: B photos, H × W pixels, h × w places of a map, C channels, E early features,
D features. Maps lie as [B, h, w, C] between layers.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from treadle.errors import OptionError

Engine: TypeAlias = Literal["plain", "packed", "packed_bf16"]

ENGINES: tuple[Engine, ...] = ("plain", "packed", "packed_bf16")
"""The ways to compute features, the most exact first: torch as it comes, prepared, and in bf16."""

PACKED_VERSION = 1
"""Raised when `PackedNetwork.features` gives other numbers than before."""

PHOTOS_AT_ONCE = 4
"""More no longer fit the processor's caches; fewer pay each layer's start more often."""

GREY = 127.0
SCALE = 128.0
"""The network was trained on (pixel − GREY) / SCALE."""

_PRECISE_BLOCKS = 1
_SIX: tuple[str, list[float], str] = ("hardtanh", [0.0, 6.0], "")
_AS_IT_IS: tuple[str, list[float], str] = ("none", [], "")
_OPERATORS = (
    "_convolution_pointwise",
    "_linear_pointwise",
    "_reorder_convolution_weight",
    "_reorder_linear_weight",
)


def engine_problem(engine: str) -> str:
    """Return why an engine cannot be used here, or nothing."""
    if engine not in ENGINES:
        return f"there is no way '{engine}' to compute features"
    if engine == "plain":
        return ""
    names = torch.ops.mkldnn
    if not torch.backends.mkldnn.is_available() or not all(hasattr(names, n) for n in _OPERATORS):
        return "this torch comes without the layers prepared for the processor (oneDNN)"
    if engine == "packed_bf16" and not names._is_mkldnn_bf16_supported():
        return "this processor has no 16-bit arithmetic (bf16)"
    return ""


class PackedNetwork:
    """The layers of a Backbone, BatchNorm folded, prepared for the processor.

    stem, blocks, top: the backbone's own layers, which stay as they are
    pooled:            blocks whose answers are among the early features
    side:              what photos measure, about: a hint for the layout, no bound

    Raises: OptionError where the engine cannot be used here.
    """

    def __init__(
        self,
        stem: nn.Conv2d,
        blocks: list[Any],
        top: nn.Conv2d,
        *,
        engine: Engine,
        pooled: tuple[int, ...],
        side: int,
    ) -> None:
        if problem := engine_problem(engine):
            raise OptionError(f"{problem}.", "Use 'plain'.")
        late = torch.bfloat16 if engine == "packed_bf16" else torch.float32
        self.pooled = pooled
        self.stem = _Stem(stem, side)
        self.blocks: list[_Block] = []
        side = side // 2
        for number, block in enumerate(blocks):
            dtype = torch.float32 if number < _PRECISE_BLOCKS else late
            self.blocks.append(_Block(block, dtype, side))
            side //= block._depthwise_conv.stride[0]
        self.top = _Pointwise(top, late, side, _SIX)

    def features(self, photos: Tensor) -> Tensor:
        """Return float32 [B, D] of photos [B, 3, H, W], uint8 or float with values 0 … 255."""
        early, x = self._until(photos, len(self.blocks))
        return torch.cat([early, _mean_and_spread(self.top(x))], dim=1)

    def maps(self, photos: Tensor, end: int) -> tuple[Tensor, Tensor]:
        """Return (early features [B, E], maps [B, C, h, w] behind the first `end` blocks)."""
        early, x = self._until(photos, end)
        return early, x.permute(0, 3, 1, 2).float()

    def _until(self, photos: Tensor, end: int) -> tuple[Tensor, Tensor]:
        parts = []
        x = self.stem(photos)
        for number, block in enumerate(self.blocks[:end]):
            x = block(x)
            if number in self.pooled:
                parts.append(_mean_and_spread(x))
        return torch.cat(parts, dim=1), x


class _Stem:
    """The first convolution, of pixels as they are: (pixel − GREY) / SCALE is in its weights."""

    def __init__(self, convolution: nn.Conv2d, side: int) -> None:
        assert convolution.stride == (2, 2) and convolution.kernel_size == (3, 3)
        self.apply = torch.ops.mkldnn._convolution_pointwise.default
        weight = convolution.weight.detach() / SCALE
        self.bias = _bias(convolution) - GREY * weight.sum(dim=(1, 2, 3))
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(
            weight, [0, 0], [2, 2], [1, 1], 1, [1, 3, side + 1, side + 1]
        )

    def __call__(self, photos: Tensor) -> Tensor:
        """Return maps [B, H/2, W/2, C], float32."""
        assert photos.shape[2] % 32 == photos.shape[3] % 32 == 0, "sides are multiples of 32"
        x = photos.float().contiguous(memory_format=torch.channels_last)
        x = pad(x, (0, 1, 0, 1), value=GREY)  # what the network was trained to see as nothing
        y: Tensor = self.apply(x, self.weight, self.bias, [0, 0], [2, 2], [1, 1], 1, *_SIX)
        return y.permute(0, 2, 3, 1)


class _Block:
    """An inverted bottleneck: widen, look around in each channel, narrow, add what came in."""

    def __init__(self, block: Any, dtype: torch.dtype, side: int) -> None:
        depthwise, project = block._depthwise_conv, block._project_conv
        arguments = block._block_args
        self.dtype = dtype
        self.widens = arguments.expand_ratio != 1
        if self.widens:
            self.expand = _Pointwise(block._expand_conv, dtype, side, _SIX)
        self.depthwise = _Depthwise(depthwise, dtype, side)
        self.project = _Pointwise(project, dtype, side // depthwise.stride[0], _AS_IT_IS)
        same_width = arguments.input_filters == arguments.output_filters
        self.adds = block.id_skip and arguments.stride == 1 and same_width

    def __call__(self, x: Tensor) -> Tensor:
        x = x.to(self.dtype)
        inside = self.depthwise(self.expand(x) if self.widens else x)
        return self.project.plus(inside, x) if self.adds else self.project(inside)


class _Pointwise:
    """A convolution over single places, as a matrix product [B, h, w, C] → [B, h, w, C′]."""

    def __init__(
        self,
        convolution: nn.Conv2d,
        dtype: torch.dtype,
        side: int,
        after: tuple[str, list[float], str],
    ) -> None:
        assert convolution.kernel_size == (1, 1) and convolution.groups == 1
        self.apply = torch.ops.mkldnn._linear_pointwise.default
        self.apply_plus = torch.ops.mkldnn._linear_pointwise.binary
        self.after = after
        weight = convolution.weight.detach().flatten(1).to(dtype)
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight, side * side)
        self.bias = _bias(convolution).to(dtype)

    def __call__(self, x: Tensor) -> Tensor:
        y: Tensor = self.apply(x, self.weight, self.bias, *self.after)
        return y

    def plus(self, x: Tensor, other: Tensor) -> Tensor:
        """Return the product plus `other`, added before it is rounded."""
        y: Tensor = self.apply_plus(x, other, self.weight, self.bias, "add")
        return y


class _Depthwise:
    """A convolution of each channel by itself, clipped to [0, 6]."""

    def __init__(self, convolution: nn.Conv2d, dtype: torch.dtype, side: int) -> None:
        assert convolution.groups == convolution.in_channels
        self.apply = torch.ops.mkldnn._convolution_pointwise.default
        weight = convolution.weight.detach()
        size = int(convolution.kernel_size[0])
        if convolution.stride[0] == 2:
            # "same" padding of an even side is one wider at the end: a leading zero evens it out
            weight, size = pad(weight, (1, 0, 1, 0)), size + 1
        edge = (size - 1) // 2
        self.padding, self.stride = [edge, edge], list(convolution.stride)
        self.groups = convolution.groups
        self.bias = _bias(convolution).to(dtype)
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(
            weight.to(dtype),
            self.padding,
            self.stride,
            [1, 1],
            self.groups,
            [1, self.groups, side, side],
        )

    def __call__(self, x: Tensor) -> Tensor:
        y: Tensor = self.apply(
            x.permute(0, 3, 1, 2),
            self.weight,
            self.bias,
            self.padding,
            self.stride,
            [1, 1],
            self.groups,
            *_SIX,
        )
        return y.permute(0, 2, 3, 1)


def _bias(convolution: nn.Conv2d) -> Tensor:
    assert convolution.bias is not None, "BatchNorm is folded into the convolutions"
    return convolution.bias.detach()


def _mean_and_spread(x: Tensor) -> Tensor:
    """Return mean and standard deviation of each channel, float32 [B, 2C], of [B, h, w, C]."""
    places = x.flatten(1, 2).float()
    mean = places.mean(dim=1)
    spread = (places - mean[:, None]).square_().mean(dim=1).sqrt_()
    return torch.cat([mean, spread], dim=1)
