"""Three ways to suggest items without a network: what a recommender has to be better than.

RecentPopularity      what everybody took lately
DecayedTransitions    what others took soon after the items that this user took last
Ease                  what goes together with all that this user took (linear, closed form)

Each is fitted on one flat log (`items`, `times`, `users`: [E] each, a user's events together and
in time order), keeps tensors only, and scores as `ranking.Scorer` asks. For catalogues of more
than `HEAD_ITEMS` items the two with an item-by-item table keep the most taken ones; the rest
scores 0 there.

Shape legend: E events, B rows, T events of a history, I items, H head items.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import torch
from torch import Tensor, nn

HEAD_ITEMS = 5000
_USERS_AT_ONCE = 4096
_FEW = 10
"""Histories shorter than a tenth of the table are summed row by row, not as a product."""


class RecentPopularity(nn.Module):
    """Each item's count in the log, halved for every `half_life_days` before the log's end."""

    counts: Tensor

    def __init__(self, num_items: int) -> None:
        super().__init__()
        self.register_buffer("counts", torch.zeros(num_items))  # I

    @classmethod
    def fit(
        cls, items: Tensor, times: Tensor, users: Tensor, num_items: int, half_life_days: float
    ) -> Self:
        self = cls(num_items)
        age_days = (times.max() - times) / 86_400
        weight = torch.exp2(-age_days / half_life_days).float()
        self.counts.index_add_(0, items - 1, weight)
        return self

    def scores(self, items: Tensor, times: Tensor, kinds: Tensor) -> Tensor:
        return self.counts.expand(len(items), -1)


class DecayedTransitions(nn.Module):
    """How often item j came d events after item i, each counted `decay`^(d − 1), per i.

    A history scores the sum over its last `reach` events of the rows of the table, the newest
    with weight 1 and each older one with `decay` times the next one's. Events of one user with
    one time have no order and count for each other both ways.
    """

    table: Tensor
    head: Tensor

    def __init__(self, num_items: int, decay: float = 0.8, reach: int = 20) -> None:
        super().__init__()
        size = min(num_items, HEAD_ITEMS)
        self.num_items, self.decay, self.reach = num_items, decay, reach
        self.register_buffer("table", torch.zeros(size, size))  # H H
        self.register_buffer("head", torch.arange(size))  # H, columns (code − 1) in the table

    @classmethod
    def fit(
        cls,
        items: Tensor,
        times: Tensor,
        users: Tensor,
        num_items: int,
        decay: float = 0.8,
        reach: int = 20,
    ) -> Self:
        self = cls(num_items, decay, reach)
        self.head.copy_(_head(items, num_items))
        place = _places(self.head, num_items)[items]  # E, H where not in the head
        size = len(self.head)
        flat = torch.zeros((size + 1) * (size + 1))
        for gap in range(1, min(reach, len(items) - 1) + 1):
            same = users[gap:] == users[:-gap]
            before, after = place[:-gap][same], place[gap:][same]
            tied = (times[gap:] == times[:-gap])[same]
            weight = torch.full((len(before),), decay ** (gap - 1))
            flat.index_add_(0, before * (size + 1) + after, weight)
            flat.index_add_(0, (after * (size + 1) + before)[tied], weight[tied])
        counts = flat.view(size + 1, size + 1)[:size, :size]
        self.table.copy_(counts / counts.sum(1, keepdim=True).clamp_min(1e-9))
        return self

    def scores(self, items: Tensor, times: Tensor, kinds: Tensor) -> Tensor:
        recent = items[:, -self.reach :]
        weight = self.decay ** torch.arange(recent.shape[1] - 1, -1, -1).float()  # T
        return _folded(recent, weight.expand(recent.shape), self.table, self.head, self.num_items)


class Ease(nn.Module):
    """The linear item-to-item weights that best rebuild each user's set of items.

    With G = XᵀX + λI and P = G⁻¹: B = −P / diag(P), its diagonal 0.
    Source: Steck, Embarrassingly shallow autoencoders for sparse data, WWW 2019, eq. 8.
    """

    table: Tensor
    head: Tensor

    def __init__(self, num_items: int) -> None:
        super().__init__()
        size = min(num_items, HEAD_ITEMS)
        self.num_items = num_items
        self.register_buffer("table", torch.zeros(size, size))  # H H
        self.register_buffer("head", torch.arange(size))  # H

    @classmethod
    def fit(
        cls,
        items: Tensor,
        times: Tensor,
        users: Tensor,
        num_items: int,
        regularization: float = 200.0,
    ) -> Self:
        self = cls(num_items)
        self.head.copy_(_head(items, num_items))
        place = _places(self.head, num_items)[items]
        inverse = _inverse(place, users, len(self.head), regularization)
        self.table.copy_(-inverse / inverse.diagonal())
        self.table.fill_diagonal_(0)
        return self

    def scores(self, items: Tensor, times: Tensor, kinds: Tensor) -> Tensor:
        return _folded(items, torch.ones(items.shape), self.table, self.head, self.num_items, True)


def _inverse(place: Tensor, users: Tensor, size: int, regularization: float) -> Tensor:
    """Return P = (XᵀX + λI)⁻¹, float32 [H, H]; where users are few, by way of XXᵀ.

    Source: Woodbury, Inverting modified matrices, 1950.
    """
    num_users = int((users.diff() != 0).sum()) + 1
    if num_users <= min(size // 2, _USERS_AT_ONCE):
        taken = next(_taken_by_users(place, users, size))
        inner = taken @ taken.T
        inner.diagonal().add_(regularization)
        solved = torch.cholesky_solve(taken, torch.linalg.cholesky(inner))
        inverse = -(taken.T @ solved) / regularization
        inverse.diagonal().add_(1 / regularization)
        return inverse
    gram = torch.zeros(size, size)
    for taken in _taken_by_users(place, users, size):
        gram += taken.T @ taken
    gram.diagonal().add_(regularization)
    factor, failed = torch.linalg.cholesky_ex(gram)
    return torch.linalg.inv(gram) if int(failed) else torch.cholesky_inverse(factor)


def _taken_by_users(place: Tensor, users: Tensor, size: int) -> Iterator[Tensor]:
    """Yield float32 [users, H], 1 where a user took an item, a few thousand users at a time."""
    row = (users.diff() != 0).cumsum(0)
    row = torch.cat([torch.zeros(1, dtype=torch.int64), row])  # E
    for first in range(0, int(row[-1]) + 1, _USERS_AT_ONCE):
        some = (row >= first) & (row < first + _USERS_AT_ONCE)
        taken = torch.zeros(int(row[some][-1]) - first + 1, size + 1)
        taken[row[some] - first, place[some]] = 1
        yield taken[:, :size]


def _head(items: Tensor, num_items: int) -> Tensor:
    """Return the columns (code − 1) of the most taken items, ascending, int64 [H]."""
    counts = torch.bincount(items - 1, minlength=num_items)
    size = min(num_items, HEAD_ITEMS)
    return counts.argsort(descending=True, stable=True)[:size].sort().values


def _places(head: Tensor, num_items: int) -> Tensor:
    """Return code → place in the head, int64 [I + 1]; H for padding and the tail."""
    places = torch.full((num_items + 1,), len(head), device=head.device)
    places[head + 1] = torch.arange(len(head), device=head.device)
    return places


def _folded(
    items: Tensor, weight: Tensor, table: Tensor, head: Tensor, num_items: int, once: bool = False
) -> Tensor:
    """Return float32 [B, I]: each history's weighted sum of its items' rows of the table."""
    place = _places(head, num_items)[items]  # B T
    if place.shape[1] * _FEW <= len(head):
        sums = _sum_of_rows(place, weight, table, once)
    else:
        bag = torch.zeros(len(items), len(head) + 1).scatter_add_(1, place, weight)
        bag = bag[:, :-1].clamp_max(1) if once else bag[:, :-1]
        sums = bag @ table
    return torch.zeros(len(items), num_items).index_copy_(1, head, sums)


def _sum_of_rows(place: Tensor, weight: Tensor, table: Tensor, once: bool) -> Tensor:
    """Return float32 [B, H]: the table's rows at `place` [B, T], weighed and summed."""
    if once:
        place = place.sort(1).values
        again = torch.nn.functional.pad(place.diff() == 0, (1, 0))
        weight = weight.masked_fill(again, 0)
    weight = weight.masked_fill(place == len(table), 0)
    place = place.clamp_max(len(table) - 1)
    return torch.nn.functional.embedding_bag(
        place, table, mode="sum", per_sample_weights=weight.contiguous()
    )
