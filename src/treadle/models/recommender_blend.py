"""The recommender's last word: the network and what the simple ways know, weighed together.

The score of an item is a weighted sum of
    the network's log probability,
    the log of the decayed transitions' share, smoothed with recent popularity,
    the score of EASE after the whole history,
    the score of EASE after the last ten events alone,
    the log of the item's share of recent popularity.
The five weights are those under which the held-out items were most probable, found on validation
cases (a convex problem with one answer). The tables need no training: for the test and for
serving they are fitted again on everything known before the cut.

Source: log-linear pooling, Genest and Zidek, Combining probability distributions, 1986; smoothing
by interpolation, Jelinek and Mercer, 1980.

Shape legend: B rows, T events of a history, I items, M = 5 members, N cases.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from treadle.contracts import Frozen
from treadle.models.counter import hashed
from treadle.models.item_baselines import DecayedTransitions, Ease, RecentPopularity
from treadle.models.ranking import (
    Cases,
    Scorer,
    histories,
    longest_history,
    ranking_metrics,
    relevant_items,
    taken_items,
)

MEMBERS = ("network", "transitions", "ease", "recent_ease", "popularity")
BLEND_REGULARIZATION = 300.0
"""λ of EASE inside a blend. The λ that ranks best alone is not the one that adds most to others."""

_START = (0.5, 0.5, 1.0, 1.0, 0.0)
_MOST_VALUES = 100_000_000
_RECENT_EVENTS = 10
_SMOOTHING = 0.1
_TINY = 1e-6
_PULL = 1e-4
_MOST_STEPS = 30


class BlendFinding(Frozen):
    """What the weights came out as, for the journal.

    weights:  member → weight
    shares:   member → how much of what sets items apart is its doing; all sum to 1
    cases:    validation cases they were found on
    log_loss: mean −log probability of a relevant item with them
    """

    weights: dict[str, float]
    shares: dict[str, float]
    cases: int
    log_loss: float


class _Evidence(NamedTuple):
    features: Tensor  # float32 [N, I, M]
    relevant: Tensor  # bool [N, I]
    allowed: Tensor  # bool [N, I]: not taken yet


class RecommenderBlend(nn.Module):
    """A `ranking.Scorer` made of five. With the weights it starts with, it ranks as the network."""

    weights: Tensor

    def __init__(
        self,
        network: Scorer,
        transitions: DecayedTransitions,
        ease: Ease,
        popularity: RecentPopularity,
    ) -> None:
        super().__init__()
        self.network = network
        self.transitions, self.ease, self.popularity = transitions, ease, popularity
        self.register_buffer("weights", torch.eye(len(MEMBERS))[0])  # M

    def refitted(
        self, transitions: DecayedTransitions, ease: Ease, popularity: RecentPopularity
    ) -> RecommenderBlend:
        """Return a blend with the same network and weights over other tables."""
        blend = RecommenderBlend(self.network, transitions, ease, popularity)
        blend.weights.copy_(self.weights)
        return blend

    @torch.no_grad()
    def features(self, items: Tensor, times: Tensor, kinds: Tensor) -> Tensor:
        """Return what each member says, float32 [B, I, M]."""
        network = self.network.scores(items, times, kinds).log_softmax(1)
        popular = _shares(self.popularity.scores(items, times, kinds))
        after = _shares(self.transitions.scores(items, times, kinds))
        smoothed = (1 - _SMOOTHING) * after + _SMOOTHING * popular
        recent = tuple(part[:, -_RECENT_EVENTS:] for part in (items, times, kinds))
        says = (
            network,
            torch.log(smoothed + _TINY),
            self.ease.scores(items, times, kinds),
            self.ease.scores(*recent),
            torch.log(popular + _TINY),
        )
        return torch.stack(says, dim=-1)

    def scores(self, items: Tensor, times: Tensor, kinds: Tensor) -> Tensor:
        """Return the weighed scores float32 [B, I] after left-padded histories [B, T]."""
        return self.features(items, times, kinds) @ self.weights

    def fit_weights(self, cases: Cases, *, seed: int = 0) -> BlendFinding:
        """Find the weights on held-out cases that no member was fitted on.

        Takes a seeded sample of the cases where all of them would need too much memory.
        """
        evidence = self._evidence(cases, seed)
        found = _most_probable(evidence)
        self.weights.copy_(found)
        return BlendFinding(
            weights=dict(zip(MEMBERS, found.tolist(), strict=True)),
            shares=dict(zip(MEMBERS, _shares_of(evidence, found).tolist(), strict=True)),
            cases=len(evidence.features),
            log_loss=float(_log_loss(evidence, found)),
        )

    def cross_fitted_ndcg(self, cases: Cases, *, k: int = 10, seed: int = 0) -> Tensor:
        """Return NDCG@k of each case under weights found on other users' cases, float32 [N].

        The honest figure for validation: no case is judged by weights that it helped to find.
        The weights themselves stay as they are.
        """
        kept = self.weights.clone()
        half = (hashed(seed, cases.group) & 1).bool()
        ndcg = torch.zeros(len(half))
        for judged in (half, ~half):
            self.fit_weights(cases.take((~judged).nonzero()[:, 0]), seed=seed)
            there = judged.nonzero()[:, 0]
            ndcg[there] = ranking_metrics(self, cases.take(there), k=k, seed=seed)[f"ndcg@{k}"]
        self.weights.copy_(kept)
        return ndcg

    def _evidence(self, cases: Cases, seed: int) -> _Evidence:
        most = max(1, _MOST_VALUES // (len(self.popularity.counts) * len(MEMBERS)))
        order = torch.randperm(len(cases.start), generator=torch.Generator().manual_seed(seed))
        parts = [self._evidence_of(cases.take(some)) for some in order[:most].split(256)]
        return _Evidence(*(torch.cat(column) for column in zip(*parts, strict=True)))

    def _evidence_of(self, cases: Cases) -> _Evidence:
        past = histories(cases, longest_history(cases))
        features = self.features(past.items, past.times, past.kinds)
        num_items = features.shape[1]
        return _Evidence(features, relevant_items(cases, num_items), ~taken_items(past, num_items))


def _most_probable(evidence: _Evidence) -> Tensor:
    """Return the weights [M] of least log loss plus a pull to 0 too weak to move them.

    Newton's method, each step halved until the loss falls; float64 for a clear end.
    """
    weights = torch.tensor(_START, dtype=torch.float64)
    loss = _penalised(evidence, weights)
    for _ in range(_MOST_STEPS):
        slope, curvature = _slope_and_curvature(evidence, weights)
        step = torch.linalg.solve(curvature, slope)
        scale = 1.0
        while (lower := _penalised(evidence, weights - scale * step)) > loss and scale > _TINY:
            scale /= 2
        if lower > loss - 1e-9:
            break
        weights, loss = weights - scale * step, lower
    return weights.float()


def _shares_of(evidence: _Evidence, weights: Tensor) -> Tensor:
    """Return each member's share [M] of the spread of its weighed scores over a case's items."""
    spread = torch.cat([part.features.std(dim=1) for part in _pieces(evidence)]).mean(0)
    return _shares((spread * weights.abs())[None])[0]


def _penalised(evidence: _Evidence, weights: Tensor) -> float:
    return float(_log_loss(evidence, weights)) + _PULL * float(weights.square().sum())


def _log_loss(evidence: _Evidence, weights: Tensor) -> Tensor:
    """Return the mean over cases of −log probability of the relevant items, a scalar."""
    total = torch.zeros((), dtype=torch.float64)
    for part in _pieces(evidence):
        log_probability = _log_probability(part, weights).masked_fill(~part.relevant, 0)
        total -= (log_probability.sum(1) / part.relevant.sum(1)).double().sum()
    return total / len(evidence.features)


def _log_probability(evidence: _Evidence, weights: Tensor) -> Tensor:
    """Return float32 [N, I], -inf for items already taken."""
    logits = evidence.features @ weights.float()
    return logits.masked_fill(~evidence.allowed, -torch.inf).log_softmax(1)


def _slope_and_curvature(evidence: _Evidence, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return gradient [M] and Hessian [M, M] of the penalised loss, float64.

    With p the probabilities of a case and f the members' scores: E_p[f] less the mean f of the
    relevant items, and the covariance of f under p.
    """
    cases, size = len(evidence.features), len(weights)
    slope = 2 * _PULL * weights
    curvature = 2 * _PULL * torch.eye(size, dtype=torch.float64)
    for part in _pieces(evidence):
        probability = _log_probability(part, weights).exp()  # N I
        share = part.relevant / part.relevant.sum(1, keepdim=True)  # N I
        expected = (probability[:, None] @ part.features)[:, 0]  # N M
        wanted = (share[:, None] @ part.features)[:, 0]  # N M
        weighed = part.features * probability[..., None]
        spread = weighed.transpose(1, 2) @ part.features  # N M M
        spread -= expected[:, :, None] * expected[:, None, :]
        slope = slope + (expected - wanted).double().sum(0) / cases
        curvature = curvature + spread.double().sum(0) / cases
    return slope, curvature


def _pieces(evidence: _Evidence) -> Iterator[_Evidence]:
    """Yield the evidence of some cases at a time, to need little memory beside it."""
    parts = (tensor.split(128) for tensor in evidence)
    return (_Evidence(*piece) for piece in zip(*parts, strict=True))


def _shares(scores: Tensor) -> Tensor:
    """Return scores as shares of their row's sum, [B, I]; zeros stay zeros."""
    return scores / scores.sum(1, keepdim=True).clamp_min(1e-9)
