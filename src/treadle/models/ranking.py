"""Rank the whole catalogue for each case of a held-out log, and count what the first k contain.

How it is measured. One global time cut parts what was known from what came after; nothing after
the cut is learned from. A case is one moment of one user after the cut: all that the user did
strictly earlier is the history (events after the cut come in as they happen, the weights stay as
they were), and what the user took at that moment is to be found. Events of one user with one time
have no order: they are one case with several relevant items. The first moment of a user, with no
history, is no case, and neither are items that were unknown before the cut; both are counted by
whoever builds the cases. Items already taken are left out of the ranking, all other items of the
catalogue stay in, and items with equal scores are ordered by a seeded hash.

Shape legend: N cases, B cases of a chunk, E events, T events of a history, I items (codes 1…I;
0 is padding), P (case, relevant item) pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from treadle.models.counter import hashed

_MOST_SCORES = 16_000_000


class Cases(NamedTuple):
    """Cases over one flat log, in which each user's events stand together in time order.

    items: int64 [E] codes in 1…I     times: float64 [E] seconds     kinds: int64 [E], from 1 on
    goal:  bool [E], whether the event is the first time this user took this item (bought it; or
           had to do with it at all, where no kind of event is the goal)
    start, end, stop: int64 [N]: the history is events start:end, the moment is events end:stop
    group: int64 [N], the user of a case: cases of one user are not independent
    """

    items: Tensor
    times: Tensor
    kinds: Tensor
    goal: Tensor
    start: Tensor
    end: Tensor
    stop: Tensor
    group: Tensor

    def take(self, chosen: Tensor) -> Cases:
        """Return the cases with the numbers `chosen`, int64 [B], over the same log."""
        return self._replace(
            start=self.start[chosen],
            end=self.end[chosen],
            stop=self.stop[chosen],
            group=self.group[chosen],
        )


class Histories(NamedTuple):
    """Left-padded histories: items, times, kinds and goal, each [B, T]; item 0 where padded."""

    items: Tensor
    times: Tensor
    kinds: Tensor
    goal: Tensor


class Scorer(Protocol):
    """Whatever can score every item of the catalogue after a history."""

    def scores(self, items: Tensor, times: Tensor, kinds: Tensor) -> Tensor:
        """Return float32 [B, I] from left-padded [B, T]; column i belongs to code i + 1."""
        ...


def histories(cases: Cases, length: int) -> Histories:
    """Gather the last `length` events before each case's moment, left-padded."""
    places = cases.end[:, None] + torch.arange(-length, 0)  # B T
    inside = places >= cases.start[:, None]
    places = places.clamp_min(0)
    first = cases.times[cases.start][:, None]
    return Histories(
        items=cases.items[places].where(inside, 0),
        times=cases.times[places].where(inside, first),
        kinds=cases.kinds[places].where(inside, 0),
        goal=cases.goal[places] & inside,
    )


def longest_history(cases: Cases) -> int:
    return max(1, int((cases.end - cases.start).max()))


def taken_items(past: Histories, num_items: int) -> Tensor:
    """Return bool [B, I]: the items that histories hold as taken."""
    taken = torch.zeros(len(past.items), num_items + 1, dtype=torch.bool)  # column 0: padding
    return taken.scatter_(1, past.items.where(past.goal, 0), True)[:, 1:]


def relevant_items(cases: Cases, num_items: int) -> Tensor:
    """Return bool [B, I]: the items to be found at each case's moment."""
    sizes = cases.stop - cases.end
    owner = torch.repeat_interleave(torch.arange(len(sizes)), sizes)
    offset = torch.arange(len(owner)) - torch.repeat_interleave(sizes.cumsum(0) - sizes, sizes)
    place = cases.end[owner] + offset
    goal = cases.goal[place]
    relevant = torch.zeros(len(sizes), num_items, dtype=torch.bool)
    relevant[owner[goal], cases.items[place][goal] - 1] = True
    return relevant


def ranking_metrics(
    scorer: Scorer, cases: Cases, *, k: int = 10, seed: int = 0, chunk_size: int | None = None
) -> dict[str, Tensor]:
    """Return hit@k, recall@k and ndcg@k of every case, float32 [N] each.

    NDCG has gain 1 for a relevant item and the ideal of min(relevant, k) items first.
    Source: Järvelin and Kekäläinen, Cumulated gain-based evaluation, 2002.
    """
    parts = [
        _chunk_metrics(scorer, cases.take(chosen), k, seed, chosen)
        for chosen in _chunks(cases, chunk_size or _affordable(cases))
    ]
    order = torch.cat([part["case"] for part in parts]).argsort()
    names = (f"hit@{k}", f"recall@{k}", f"ndcg@{k}")
    return {name: torch.cat([part[name] for part in parts])[order] for name in names}


def top_items(
    scorer: Scorer, cases: Cases, *, k: int = 10, seed: int = 0, chunk_size: int | None = None
) -> tuple[Tensor, Tensor]:
    """Return the codes int64 [N, k] and scores float32 [N, k] of the best unseen items.

    Where fewer than k items are left, the rest has code 0 and the score -inf.
    """
    codes, values = [], []
    for chosen in torch.arange(len(cases.start)).split(chunk_size or _affordable(cases)):
        best, value = _best(_unseen_scores(scorer, cases.take(chosen)), k, seed, chosen)
        codes.append((best + 1).where(value > -torch.inf, 0))
        values.append(value)
    return torch.cat(codes), torch.cat(values)


def paired_interval(
    differences: Tensor, groups: Tensor | None = None, *, seed: int = 0, repeats: int = 2000
) -> tuple[float, float, float]:
    """Return (mean, low, high): the mean of [N] differences and its 95 % bootstrap interval.

    With `groups`, int64 [N], whole groups are drawn (cases of one user stand or fall together).
    Source: Efron and Tibshirani, An introduction to the bootstrap, 1993, chapters 8 and 13.
    """
    members = (
        torch.arange(len(differences)) if groups is None else groups.unique(return_inverse=True)[1]
    )
    num_groups = int(members.max()) + 1
    sums = torch.zeros(num_groups, dtype=torch.float64).index_add_(0, members, differences.double())
    counts = torch.bincount(members, minlength=num_groups).double()
    generator = torch.Generator().manual_seed(seed)
    means = torch.stack(
        [
            sums[drawn].sum() / counts[drawn].sum()
            for drawn in (
                torch.randint(num_groups, (num_groups,), generator=generator)
                for _ in range(repeats)
            )
        ]
    )
    low, high = torch.quantile(means, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return float(differences.double().mean()), low, high


def _affordable(cases: Cases) -> int:
    """Return how many cases to score at once: fewer of a large catalogue."""
    largest = int(cases.items.max()) if len(cases.items) else 1
    return max(1, min(256, _MOST_SCORES // largest))


def _chunks(cases: Cases, size: int) -> Iterator[Tensor]:
    """Yield case numbers in chunks of like history length: little padding, small matrices."""
    order = (cases.end - cases.start).argsort(stable=True)
    yield from order.split(size)


def _unseen_scores(scorer: Scorer, cases: Cases) -> Tensor:
    """Return scores float32 [B, I] with -inf for the items a user already took (and for NaN)."""
    past = histories(cases, longest_history(cases))
    scores = scorer.scores(past.items, past.times, past.kinds).float()
    scores = torch.nan_to_num(scores, nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
    return scores.masked_fill(taken_items(past, scores.shape[1]), -torch.inf)


def _best(scores: Tensor, k: int, seed: int, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Return columns int64 [B, k] and scores float32 [B, k] of the k best, best first.

    Equal scores are ordered by a hash of (seed, case, item), so each of them has the same chance.
    Where there are fewer than k columns, the rest is column 0 with -inf.
    """
    least = scores.topk(min(k, scores.shape[1])).values[:, -1:]
    owner, column = (scores >= least).nonzero().unbind(1)  # P: k a case, and more on ties
    value = scores[owner, column]
    order = hashed(seed, chosen[owner], column).argsort(descending=True)
    order = order[value[order].argsort(descending=True, stable=True)]
    order = order[owner[order].argsort(stable=True)]
    owner, column, value = owner[order], column[order], value[order]
    rank = torch.arange(len(owner)) - torch.searchsorted(owner, owner)
    kept = rank < k
    columns = torch.zeros(len(scores), k, dtype=torch.int64)
    values = torch.full((len(scores), k), -torch.inf)
    columns[owner[kept], rank[kept]] = column[kept]
    values[owner[kept], rank[kept]] = value[kept]
    return columns, values


def _chunk_metrics(
    scorer: Scorer, cases: Cases, k: int, seed: int, chosen: Tensor
) -> dict[str, Tensor]:
    scores = _unseen_scores(scorer, cases)
    relevant = relevant_items(cases, scores.shape[1])
    best, value = _best(scores, k, seed, chosen)
    found = (relevant.gather(1, best) & (value > -torch.inf)).float()  # B k
    discount = 1 / torch.log2(torch.arange(k).float() + 2)  # k
    sought = relevant.sum(1)
    ideal = discount.cumsum(0)[sought.clamp(1, k) - 1]
    return {
        "case": chosen,
        f"hit@{k}": (found.sum(1) > 0).float(),
        f"recall@{k}": found.sum(1) / sought,
        f"ndcg@{k}": found @ discount / ideal,
    }
