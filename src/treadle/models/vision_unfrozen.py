"""Training the last blocks of the backbone too, at smaller rates than the head.

What stands before those blocks stays frozen, so it is computed once: a photo becomes the maps
that enter them, in a few views of it (upright, mirrored, upside down, both), each computed from
the turned photo itself. A step then costs the last blocks alone, and which view it sees is a
function of (seed, epoch, row).

Shape legend: B rows, N rows of the train part, V views, E early features, C × h × w a map,
K members, O classes.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from treadle.contracts import Batch, Frozen, LossParts
from treadle.errors import OptionError
from treadle.models.counter import hashed
from treadle.models.vision import POOLED_BLOCKS, Backbone, key_of, mean_and_spread
from treadle.models.vision_head import HeadSettings, VisionHead, build_head, ensemble_loss

_VIEWS_VERSION = 1
_ROWS_AT_ONCE = 64


class UnfrozenSettings(Frozen):
    """What of the backbone is trained, and how fast.

    num_blocks:     last blocks that are trained, 1 to 5, beside the layer above them
    num_views:      1 (as it is), 2 (and mirrored) or 4 (and upside down)
    first_factor:   learning rate of the layer above the blocks, as a share of the head's
    block_factor:   … and of each block, as a share of the one above it
    label_smoothing: share of the target that is spread evenly over all classes
    """

    num_blocks: int = 2
    num_views: int = 4
    first_factor: float = 0.1
    block_factor: float = 0.5
    label_smoothing: float = 0.05


class UnfrozenTraining(Frozen):
    """How the last blocks are trained where nothing else is asked for: from a trained head, AdamW
    over `parameter_groups`, rates falling to 0. Seen on one validation part only.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    batch_size: int = 64
    num_epochs: int = 8


class MapsMaker:
    """Photos → what `UnfrozenVision` is trained on, float16 [B, V, E + C·h·w].

    The backbone's photo shape must not keep the aspect: all maps have one shape.

    Raises: OptionError for settings that cannot be.
    """

    def __init__(self, backbone: Backbone, settings: UnfrozenSettings) -> None:
        _check(backbone, settings)
        self.backbone = backbone
        self.settings = settings
        self.key = key_of(
            backbone.key, f"{settings.num_blocks} {settings.num_views} {_VIEWS_VERSION}"
        )

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        return self.backbone.size_of(width, height)

    def features(self, photos: Tensor) -> Tensor:
        rows = []
        for view in _views(photos, self.settings.num_views):
            early, maps = self.backbone.maps(view, self.settings.num_blocks)
            rows.append(torch.cat([early, maps.flatten(1)], dim=1))
        return torch.stack(rows, dim=1).half()


class UnfrozenVision(nn.Module):
    """The last blocks of a backbone and a head, trained together.

    The batch holds `maps` float16 [B, V, E + C·h·w] from a MapsMaker, `target` int64 [B],
    optional `weight`; in training also `row` and `epoch` int64 [B]. Outputs are logits
    [B, K, O] of one view in training, [B, V·K, O] of all views otherwise.

    BatchNorm is folded into the convolutions: its statistics are those of the pretraining.
    """

    def __init__(
        self, backbone: Backbone, head: VisionHead, settings: UnfrozenSettings, seed: int
    ) -> None:
        super().__init__()
        self.settings = settings
        self.seed = seed
        self.num_early = backbone.num_early
        first = len(backbone.blocks) - settings.num_blocks
        self.map_shape = backbone.map_shape(settings.num_blocks)
        self.blocks = copy.deepcopy(backbone.blocks[first:])
        self.top = copy.deepcopy(backbone.top)
        self.head = head
        self.requires_grad_(True)

    def forward(self, batch: Batch) -> Tensor:
        maps = batch["maps"]
        if self.training:
            maps = maps[torch.arange(len(maps), device=maps.device), self._drawn(batch)][:, None]
        num_rows, num_views = maps.shape[:2]
        logits = self.head.logits(self.features(maps.flatten(0, 1)))
        return logits.reshape(num_rows, num_views * logits.shape[1], -1)

    def features(self, rows: Tensor) -> Tensor:
        """Return the features [B, D] of one view each, given as [B, E + C·h·w]."""
        rows = rows.float()
        early, flat = rows.split([self.num_early, rows.shape[1] - self.num_early], dim=1)
        x = flat.view(-1, *self.map_shape).contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            x = block(x)
        return torch.cat([early, mean_and_spread(self.top(x))], dim=1)

    @torch.no_grad()
    def fit_scaling(self, maps: Tensor) -> None:
        """Take over the spread of the features of the train part's maps [N, V, …]."""
        flat = maps.flatten(0, 1)
        self.head.fit_scaling(torch.cat([self.features(x) for x in flat.split(_ROWS_AT_ONCE)]))

    def loss(self, outputs: Tensor, batch: Batch) -> LossParts:
        """Return (weighted sum over rows of the mean cross-entropy, sum of weights)."""
        return ensemble_loss(outputs, batch, self.settings.label_smoothing)

    def predict(self, outputs: Tensor) -> Tensor:
        """Return the probabilities float32 [B, O], the mean over members and views."""
        return self.head.predict(outputs)

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return groups for an optimizer: the deeper a layer stands, the slower it moves."""
        rate = learning_rate * self.settings.first_factor
        groups = [
            {"params": list(self.head.parameters()), "lr": learning_rate},
            {"params": list(self.top.parameters()), "lr": rate},
        ]
        for block in reversed(self.blocks):
            rate *= self.settings.block_factor
            groups.append({"params": list(block.parameters()), "lr": rate})
        return groups

    def _drawn(self, batch: Batch) -> Tensor:
        """Return the view of each row, int64 [B], a function of (seed, epoch, row)."""
        return hashed(self.seed, batch["epoch"], batch["row"]) % batch["maps"].shape[1]


def build_unfrozen(
    backbone: Backbone,
    num_classes: int,
    *,
    seed: int,
    settings: UnfrozenSettings | None = None,
    head: VisionHead | HeadSettings | None = None,
) -> UnfrozenVision:
    """Return the trainable end of a backbone, which itself stays as it is.

    head: one that was trained on the frozen features, the better start; or settings of a new one

    Raises: OptionError for settings that cannot be.
    """
    settings = settings or UnfrozenSettings()
    _check(backbone, settings)
    if not isinstance(head, VisionHead):
        head = build_head(backbone.num_features, num_classes, seed=seed, settings=head)
    return UnfrozenVision(backbone, copy.deepcopy(head), settings, seed)


TURNS: tuple[tuple[int, ...], ...] = ((), (3,), (2,), (2, 3))
"""The axes of photos [B, 3, H, W] that each view turns round."""


def _views(photos: Tensor, num_views: int) -> list[Tensor]:
    return [photos.flip(turn) for turn in TURNS[:num_views]]


def _check(backbone: Backbone, settings: UnfrozenSettings) -> None:
    problems = []
    most = len(backbone.blocks) - max(POOLED_BLOCKS) - 1
    if not 1 <= settings.num_blocks <= most:
        problems.append((f"{settings.num_blocks} blocks cannot be trained.", f"Use 1 to {most}."))
    if settings.num_views not in (1, 2, 4):
        problems.append((f"there are no {settings.num_views} views.", "Use 1, 2 or 4."))
    if backbone.shape.keeps_aspect:
        problems.append(
            (
                "the last blocks cannot be trained on photos of different shapes.",
                "Load the backbone with PhotoShape(keeps_aspect=False).",
            )
        )
    if problems:
        raise OptionError.of(problems)
