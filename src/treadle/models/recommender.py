"""A sequence model that suggests the next item: attention over what a user did, in order.

In the manner of SASRec: each event is its item's vector (plus vectors for the kind of event and
the time since the one before), blocks of causal attention turn the events up to a moment into
one vector, and an item's score is that vector times the item's own vector plus the item's bias.
Trained to give the next item a high probability among all items, or among it and drawn others.

Source: Kang and McAuley, Self-attentive sequential recommendation, ICDM 2018, section III.

Shape legend: B rows, T events of a history, D width, I items (codes 1…I, 0 is padding),
K drawn items.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from treadle.contracts import Batch, Frozen, LossParts
from treadle.models.causal_attention import NUM_GAPS, CausalBlock, gap_bucket, relate
from treadle.models.counter import hashed, uniform

WHOLE_CATALOGUE_ITEMS = 5000
SPARSE_FROM_ITEMS = 200_000


class RecommenderConfig(Frozen):
    """The shape of a recommender, all that is needed to build it again.

    num_items:      I, the size of the catalogue
    num_kinds:      kinds of events (codes 1…num_kinds)
    width, blocks, heads: of the attention
    history_length: T, how many of the last events are looked at
    dropout:        share of values silenced in training
    negatives:      K drawn items a row to tell the next item from; 0 takes the whole catalogue
    seed:           of the drawn items and of the order within equal times
    sparse_vectors: whether gradients of the item vectors name the items that a batch met alone;
                    only with drawn items, and for an optimizer that takes such gradients
    """

    num_items: int = Field(ge=1)
    num_kinds: int = Field(default=1, ge=1)
    width: int = Field(default=64, ge=1, le=8_192)
    blocks: int = Field(default=2, ge=0, le=256)
    heads: int = Field(default=2, ge=1, le=256)
    history_length: int = Field(default=50, ge=1, le=100_000)
    dropout: float = Field(default=0.3, ge=0, lt=1)
    negatives: int = Field(default=0, ge=0)
    seed: int = 0
    sparse_vectors: bool = False

    @classmethod
    def for_catalogue(cls, num_items: int, num_kinds: int = 1, *, seed: int = 0) -> Self:
        """Return the defaults: the whole catalogue as negatives while that is affordable."""
        negatives = 0 if num_items <= WHOLE_CATALOGUE_ITEMS else 512
        return cls(
            num_items=num_items,
            num_kinds=num_kinds,
            negatives=negatives,
            seed=seed,
            sparse_vectors=num_items >= SPARSE_FROM_ITEMS,
        )


class _Window(NamedTuple):
    """A row parted into what is seen, [B, T] each, and what comes next after each event."""

    items: Tensor
    times: Tensor
    kinds: Tensor
    targets: Tensor  # int64 [B, T]
    weight: Tensor  # float32 [B, T], 0 where there is no history or no target


class Recommender(nn.Module):
    """The network. A batch has, for windows of T + 1 events, left-padded:

    items int64 [B, T+1], times float64 [B, T+1] seconds, kinds int64 [B, T+1],
    event_weight float32 [B, T+1] (how much it counts to foresee this event),
    row int64 [B], epoch int64 [B]
    """

    item_counts: Tensor

    def __init__(self, config: RecommenderConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.item_vectors = nn.Parameter(torch.randn(config.num_items + 1, width) * 0.05)
        self.item_bias = nn.Parameter(torch.zeros(config.num_items))
        self.kind_vectors = nn.Parameter(torch.zeros(config.num_kinds + 1, width))
        self.gap_vectors = nn.Parameter(torch.randn(NUM_GAPS, width) * 0.02)
        self.blocks = nn.ModuleList(
            CausalBlock(width, config.heads, config.dropout) for _ in range(config.blocks)
        )
        self.normalized = nn.LayerNorm(width)
        self.dropout = nn.Dropout(config.dropout)
        self.register_buffer("item_counts", torch.ones(config.num_items))  # I

    def begin_with(self, counts: Tensor) -> None:
        """Start the biases at the log of the items' shares; `counts` is float32 [I], from train.

        The first scores are those of plain popularity, and drawn negatives follow it.
        """
        self.item_counts.copy_(counts + 1)
        with torch.no_grad():
            self.item_bias.copy_(torch.log(self.item_counts / self.item_counts.sum()))

    def forward(self, batch: Batch) -> Tensor:
        """Return the log probability of each next item, float32 [B, T]."""
        window = self._window(batch)
        states = self._states(window.items, window.times, window.kinds)  # B T D
        if self.config.negatives:
            return self._among_drawn(states, window.targets, batch)
        logits = states @ self.item_vectors[1:].T + self.item_bias  # B T I
        column = (window.targets - 1).clamp_min(0)[..., None]
        return logits.gather(-1, column)[..., 0] - logits.logsumexp(-1)

    def loss(self, outputs: Tensor, batch: Batch) -> LossParts:
        """Return the weighted sum of the negative log probabilities, and the sum of weights."""
        weight = self._window(batch).weight
        return -(outputs * weight).sum(), weight.sum()

    def predict(self, outputs: Tensor) -> Tensor:
        """Return the probability of each next item, float32 [B, T]."""
        return outputs.exp()

    @torch.no_grad()
    def scores(self, items: Tensor, times: Tensor, kinds: Tensor) -> Tensor:
        """Return logits float32 [B, I] after left-padded histories [B, any length].

        Dropout is off whatever mode the module is in; without a history only the bias speaks.
        """
        length = self.config.history_length
        items, times, kinds = items[:, -length:], times[:, -length:], kinds[:, -length:]
        was_training = self.training
        self.eval()
        last = self._states(items, times, kinds)[:, -1]  # B D
        self.train(was_training)
        last = last * (items[:, -1:] > 0)
        return last @ self.item_vectors[1:].T + self.item_bias

    def _states(self, items: Tensor, times: Tensor, kinds: Tensor) -> Tensor:
        """Return what is known after each event, float32 [B, T, D]."""
        gap = functional.pad(times[:, 1:] - times[:, :-1], (1, 0))
        # The item vectors are small for the output's sake; as inputs they are scaled up.
        x = 6 * self._vectors_of(items)
        x = x + functional.embedding(kinds, self.kind_vectors)
        x = self.dropout(x + functional.embedding(gap_bucket(gap), self.gap_vectors))
        relations = relate(items, times)
        for block in self.blocks:
            x = block(x, relations)
        states: Tensor = self.normalized(x)
        return states

    def _vectors_of(self, items: Tensor) -> Tensor:
        """Return the vectors of items of any shape, float32 [..., D]."""
        return functional.embedding(items, self.item_vectors, sparse=self.config.sparse_vectors)

    def _window(self, batch: Batch) -> _Window:
        """Part the rows into histories and targets, equal times in an order drawn for the epoch."""
        order = self._order(batch)
        items, times, kinds, weight = (
            batch[name].gather(1, order) for name in ("items", "times", "kinds", "event_weight")
        )
        usable = (items[:, :-1] > 0) & (items[:, 1:] > 0)
        return _Window(
            items[:, :-1], times[:, :-1], kinds[:, :-1], items[:, 1:], weight[:, 1:] * usable
        )

    def _order(self, batch: Batch) -> Tensor:
        """Return int64 [B, T+1]: padding first, then by time, ties by a hash of (epoch, row)."""
        items, times = batch["items"], batch["times"]
        place = torch.arange(items.shape[1], device=items.device)
        drawn = hashed(self.config.seed, batch["epoch"][:, None], batch["row"][:, None], place)
        order = drawn.argsort(dim=1)
        order = order.gather(1, times.gather(1, order).argsort(dim=1, stable=True))
        padded_first = (items.gather(1, order) > 0).byte().argsort(dim=1, stable=True)
        return order.gather(1, padded_first)

    def _among_drawn(self, states: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """Return log probabilities [B, T] against K drawn items that stand for the catalogue.

        An item drawn with chance q enters the sum with exp(logit) / (K q): the expected sum is
        that over the whole catalogue, so scores mean the same with and without drawing.
        Source: Bengio and Senécal, Adaptive importance sampling, 2008, section III.
        """
        drawn, log_expected = self._draw(batch)  # B K
        vectors = self._vectors_of(drawn + 1)
        others = states @ vectors.transpose(1, 2) + (self.item_bias[drawn] - log_expected)[:, None]
        others = others.masked_fill((drawn + 1)[:, None, :] == targets[..., None], -torch.inf)
        column = (targets - 1).clamp_min(0)
        own = (states * self._vectors_of(targets)).sum(-1)
        own = own + self.item_bias[column]  # B T
        return own - torch.logaddexp(own, others.logsumexp(-1))

    def _draw(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return columns int64 [B, K] drawn by count^0.75, and log(K q) of each, float32 [B, K]."""
        chance = self.item_counts**0.75
        bounds = (chance / chance.sum()).cumsum(0)  # I
        number = torch.arange(self.config.negatives, device=bounds.device)
        row, epoch = batch["row"][:, None], batch["epoch"][:, None]
        point = uniform(self.config.seed + 1, epoch, row, number)
        drawn = torch.searchsorted(bounds, point, right=True).clamp_max(len(bounds) - 1)
        expected = self.config.negatives * chance / chance.sum()
        return drawn, expected.log()[drawn]
