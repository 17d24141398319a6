"""The weights of the blend."""

import pytest
import torch
from torch import Tensor

from treadle.models.item_baselines import DecayedTransitions, Ease, RecentPopularity
from treadle.models.ranking import Cases, ranking_metrics
from treadle.models.recommender_blend import MEMBERS, RecommenderBlend, _log_loss

NUM_ITEMS = 12


class Noise:
    """A network that knows nothing."""

    def scores(self, items: Tensor, times: Tensor, kinds: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(int(items.sum()))
        return torch.randn(len(items), NUM_ITEMS, generator=generator)


def circles(users: int) -> Cases:
    """Return users who walk the catalogue in a circle; the last of their four steps is a case."""
    items = (torch.arange(users)[:, None] + torch.arange(4)) % NUM_ITEMS + 1
    start = torch.arange(users) * 4
    return Cases(
        items=items.flatten(),
        times=(torch.arange(4).double() * 60).repeat(users),
        kinds=torch.ones(users * 4, dtype=torch.int64),
        goal=torch.ones(users * 4, dtype=torch.bool),
        start=start,
        end=start + 3,
        stop=start + 4,
        group=torch.arange(users),
    )


def blend(log: Cases) -> RecommenderBlend:
    users = torch.arange(len(log.items)) // 4
    flat = (log.items, log.times, users, NUM_ITEMS)
    return RecommenderBlend(
        Noise(),
        DecayedTransitions.fit(*flat, decay=0.3, reach=3),
        Ease.fit(*flat),
        RecentPopularity.fit(*flat, half_life_days=1.0),
    )


def test_begins_as_the_network_and_ends_with_what_helps() -> None:
    cases = circles(60)
    built = blend(cases)
    before = ranking_metrics(built, cases, k=1)["hit@1"].mean()
    assert torch.equal(built.weights, torch.eye(len(MEMBERS))[0])
    finding = built.fit_weights(cases)
    after = ranking_metrics(built, cases, k=1)["hit@1"].mean()
    assert before < 0.5 and after == 1
    assert abs(finding.weights["network"]) < finding.weights["transitions"]
    assert finding.cases == 60
    assert sum(finding.shares.values()) == pytest.approx(1)
    assert max(finding.shares, key=lambda name: finding.shares[name]) != "network"


def test_weights_are_the_same_whatever_they_start_from() -> None:
    cases = circles(60)
    built = blend(cases)
    first = built.fit_weights(cases)
    assert built.fit_weights(cases) == first


def test_refitted_tables_keep_the_weights() -> None:
    cases = circles(60)
    built = blend(cases)
    built.fit_weights(cases)
    other = built.refitted(built.transitions, built.ease, built.popularity)
    assert torch.equal(other.weights, built.weights)
    assert torch.equal(
        ranking_metrics(other, cases)["ndcg@10"], ranking_metrics(built, cases)["ndcg@10"]
    )


def test_cross_fitting_judges_by_other_users_and_keeps_the_weights() -> None:
    cases = circles(60)
    built = blend(cases)
    built.fit_weights(cases)
    kept = built.weights.clone()
    assert built.cross_fitted_ndcg(cases).mean() > 0.9
    assert torch.equal(built.weights, kept)


def test_weights_are_where_the_held_out_items_are_most_probable() -> None:
    cases = circles(60)
    built = blend(cases)
    best = built.fit_weights(cases).log_loss
    evidence = built._evidence(cases, 0)
    for place in range(len(MEMBERS)):
        for nudge in (-0.3, 0.3):
            other = built.weights.clone()
            other[place] += nudge
            assert float(_log_loss(evidence, other)) > best - 0.01
