"""What is trained on the features of photos: a head of a few small networks that answer together.

Shape legend: B rows, N rows of the train part, D features, K members, M hidden units, O classes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from treadle.contracts import Batch, Frozen, LossParts

_SOFT_LIMIT = 3.0
"""Features are bent towards ± this many spreads: some are nearly always 0 and rarely huge."""


class HeadSettings(Frozen):
    """How a head is built.

    num_members:     K small networks, each from a random start of its own
    num_hidden:      M units in the hidden layer of each; 0 makes the head linear
    dropout:         share of the features that is hidden from the members at a step
    label_smoothing: share of the target that is spread evenly over all classes
    """

    num_members: int = 4
    num_hidden: int = 64
    dropout: float = 0.2
    label_smoothing: float = 0.05


class HeadTraining(Frozen):
    """How a head is trained where nothing else is asked for: AdamW, warm-up and a cosine.

    Chosen by five-fold cross-validation inside the train part of one split.
    """

    learning_rate: float = 2e-3
    weight_decay: float = 0.1
    batch_size: int = 64
    num_epochs: int = 40


class VisionHead(nn.Module):
    """Features → classes: one linear layer for all, plus K networks with a hidden layer.

    The batch holds `features` float32 [B, D], `target` int64 [B] and, where rows weigh
    differently, `weight` float32 [B]. Outputs are the members' logits, float32 [B, K, O]; the
    loss is the mean of theirs, the answer the mean of their probabilities.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        num_features: int,
        num_classes: int,
        settings: HeadSettings,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.num_classes = num_classes
        members, hidden = settings.num_members, settings.num_hidden
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("scale", torch.ones(num_features))
        self.linear = nn.Parameter(torch.zeros(num_features, num_classes))
        self.bias = nn.Parameter(torch.zeros(members, 1, num_classes))
        if hidden:
            first = torch.randn(members, num_features, hidden, generator=generator)
            second = torch.randn(members, hidden, num_classes, generator=generator)
            self.first = nn.Parameter(first * math.sqrt(2 / num_features))
            self.first_bias = nn.Parameter(torch.zeros(members, 1, hidden))
            self.second = nn.Parameter(second * 0.1 / math.sqrt(hidden))

    @torch.no_grad()
    def fit_scaling(self, features: Tensor) -> None:
        """Take over mean and spread of features [N, D]: those of the train part, no others."""
        spread, mean = torch.std_mean(features.double(), dim=0, correction=0)
        self.mean.copy_(mean)
        self.scale.copy_(torch.where(spread > 1e-6, 1 / spread, 0.0))

    def forward(self, batch: Batch) -> Tensor:
        return self.logits(batch["features"])

    def logits(self, features: Tensor) -> Tensor:
        """Return the members' logits [B, K, O] of features [B, D]."""
        x = (features - self.mean) * self.scale
        x = x * torch.rsqrt(1 + (x / _SOFT_LIMIT).square())
        x = functional.dropout(x, self.settings.dropout, self.training)
        logits = (x @ self.linear)[None] + self.bias
        if self.settings.num_hidden:
            hidden = functional.relu(torch.matmul(x[None], self.first) + self.first_bias)
            logits = logits + torch.matmul(hidden, self.second)
        return logits.transpose(0, 1)

    def loss(self, outputs: Tensor, batch: Batch) -> LossParts:
        """Return (weighted sum over rows of the members' mean cross-entropy, sum of weights)."""
        return ensemble_loss(outputs, batch, self.settings.label_smoothing)

    def predict(self, outputs: Tensor) -> Tensor:
        """Return the probabilities float32 [B, O] of logits [B, K, O]."""
        return outputs.float().softmax(dim=-1).mean(dim=1)


def build_head(
    num_features: int, num_classes: int, *, seed: int, settings: HeadSettings | None = None
) -> VisionHead:
    """Return an untrained head, a function of its arguments alone; no other generator is touched.

    Call `fit_scaling` with the train part's features before training.
    """
    generator = torch.Generator().manual_seed(seed)
    return VisionHead(num_features, num_classes, settings or HeadSettings(), generator)


def ensemble_loss(outputs: Tensor, batch: Batch, label_smoothing: float) -> LossParts:
    """Return (sum over rows of the members' mean cross-entropy × weight, sum of weights)."""
    num_rows, num_members, num_classes = outputs.shape
    target = batch["target"][:, None].expand(num_rows, num_members).reshape(-1)
    losses = functional.cross_entropy(
        outputs.reshape(-1, num_classes), target, label_smoothing=label_smoothing, reduction="none"
    )
    losses = losses.view(num_rows, num_members).mean(dim=1)
    weight = batch.get("weight")
    if weight is None:
        return losses.sum(), losses.new_tensor(float(num_rows))
    return (losses * weight).sum(), weight.sum()
