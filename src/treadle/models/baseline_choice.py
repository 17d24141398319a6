"""Give each simple way its best settings, so that being better than it means something.

A handful of settings is tried for each, fitted on train and measured on validation cases; the
best is then fitted again by whoever asked, on everything before the test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from treadle.contracts import Frozen
from treadle.models.item_baselines import DecayedTransitions, Ease, RecentPopularity
from treadle.models.ranking import Cases, Scorer, ranking_metrics

Fit: TypeAlias = Callable[..., Scorer]
"""(items, times, users, num_items, **settings) → a fitted scorer."""

BASELINES: dict[str, Fit] = {
    "recent popularity": RecentPopularity.fit,
    "decayed transitions": DecayedTransitions.fit,
    "EASE": Ease.fit,
}
_MOST_CASES, _LEAST_CASES = 4000, 300
_MOST_SCORES = 30_000_000
_HALF_LIFE_SHARES = (0.005, 0.02, 0.1, 0.3, 1.0, 10.0)
_DECAYS = ((0.5, 10), (0.7, 15), (0.8, 20), (0.9, 40), (0.95, 60))
_REGULARIZATIONS = (30.0, 100.0, 300.0, 1000.0, 3000.0)


class Choice(Frozen):
    """The settings of a baseline that came out best, with their NDCG on validation."""

    name: str
    settings: dict[str, int | float]
    ndcg: float


def settings_to_try(name: str, times: Tensor) -> list[dict[str, int | float]]:
    """Return the settings of a baseline; half-lives are shares of the span of `times`."""
    if name == "recent popularity":
        span_days = max(float(times.max() - times.min()) / 86_400, 1e-3)
        return [{"half_life_days": share * span_days} for share in _HALF_LIFE_SHARES]
    if name == "decayed transitions":
        return [{"decay": decay, "reach": reach} for decay, reach in _DECAYS]
    return [{"regularization": value} for value in _REGULARIZATIONS]


def choose(
    name: str,
    items: Tensor,
    times: Tensor,
    users: Tensor,
    num_items: int,
    validation: Cases,
    *,
    k: int = 10,
    seed: int = 0,
) -> Choice:
    """Return the settings under which a baseline of `BASELINES` ranks validation cases best.

    items int64 [E] codes, times float64 [E], users int64 [E]: the train part of the log. At most
    4,000 validation cases, drawn by the seed, are looked at (300 for a very large catalogue).
    """
    order = torch.randperm(len(validation.start), generator=torch.Generator().manual_seed(seed))
    enough = min(_MOST_CASES, max(_LEAST_CASES, _MOST_SCORES // num_items))
    some = validation.take(order[:enough].sort().values)
    tried = []
    for settings in settings_to_try(name, times):
        scorer = BASELINES[name](items, times, users, num_items, **settings)
        measured = ranking_metrics(scorer, some, k=k, seed=seed)[f"ndcg@{k}"]
        tried.append(Choice(name=name, settings=settings, ndcg=float(measured.mean())))
    return max(tried, key=lambda choice: choice.ndcg)
