"""Ranking the whole catalogue: figures by hand, ties, and what must never count."""

import math

import pytest
import torch
from torch import Tensor

from treadle.models.ranking import (
    Cases,
    histories,
    paired_interval,
    ranking_metrics,
    top_items,
)


class Fixed:
    """Scores that do not depend on the history."""

    def __init__(self, *scores: float) -> None:
        self.values = torch.tensor(scores)

    def scores(self, items: Tensor, times: Tensor, kinds: Tensor) -> Tensor:
        return self.values.expand(len(items), -1).clone()


def one_user(
    items: list[int], end: int, times: list[float] | None = None, copies: int = 1
) -> Cases:
    """Return cases of one user whose first `end` events are history and the rest to be found."""
    size = len(items)
    return Cases(
        items=torch.tensor(items),
        times=torch.tensor(times or [float(place) for place in range(size)], dtype=torch.float64),
        kinds=torch.ones(size, dtype=torch.int64),
        goal=torch.ones(size, dtype=torch.bool),
        start=torch.zeros(copies, dtype=torch.int64),
        end=torch.full((copies,), end),
        stop=torch.full((copies,), size),
        group=torch.zeros(copies, dtype=torch.int64),
    )


def test_metrics_are_as_counted_by_hand() -> None:
    # Item 5 is taken already, so the order is 1, 2, 3, 4; to be found: 2 (rank 2) and 4 (rank 4).
    measured = ranking_metrics(Fixed(9, 8, 7, 6, 99), one_user([5, 2, 4], end=1), k=3)
    ideal = 1 + 1 / math.log2(3)
    assert measured["hit@3"].tolist() == [1.0]
    assert measured["recall@3"].tolist() == [0.5]
    assert measured["ndcg@3"].tolist() == pytest.approx([(1 / math.log2(3)) / ideal])


def test_more_relevant_items_than_places_can_still_be_perfect() -> None:
    measured = ranking_metrics(Fixed(9, 8, 7, 0), one_user([4, 1, 2, 3], end=1), k=2)
    assert measured["ndcg@2"].tolist() == pytest.approx([1.0])
    assert measured["recall@2"].tolist() == pytest.approx([2 / 3])


def test_equal_scores_are_as_good_as_chance() -> None:
    cases = one_user([1, 2], end=1, copies=4000)
    hits = ranking_metrics(Fixed(*[0.0] * 101), cases, k=10)["hit@10"]
    assert float(hits.mean()) == pytest.approx(0.1, abs=0.02)


def test_ties_break_alike_with_one_seed_and_in_any_chunk() -> None:
    cases = one_user([1, 2], end=1, copies=300)
    scorer = Fixed(*[0.0] * 30)
    first = ranking_metrics(scorer, cases, seed=3, chunk_size=7)["ndcg@10"]
    assert torch.equal(first, ranking_metrics(scorer, cases, seed=3, chunk_size=256)["ndcg@10"])
    assert not torch.equal(first, ranking_metrics(scorer, cases, seed=4)["ndcg@10"])


def test_scores_that_are_no_numbers_are_ranked_last() -> None:
    measured = ranking_metrics(Fixed(0, math.nan, 1, 2), one_user([1, 2], end=1), k=2)
    assert measured["hit@2"].tolist() == [0.0]


def test_only_goal_events_are_taken_out_of_the_ranking() -> None:
    cases = one_user([1, 2, 2], end=2)
    viewed = cases._replace(goal=torch.tensor([True, False, True]))
    assert ranking_metrics(Fixed(9, 8, 7), viewed, k=1)["hit@1"].tolist() == [1.0]


def test_top_items_are_unseen_best_first_and_say_when_there_are_no_more() -> None:
    codes, scores = top_items(Fixed(5, 7, 6), one_user([2], end=1), k=3)
    assert codes.tolist() == [[3, 1, 0]]
    assert scores.tolist() == [[6.0, 5.0, -math.inf]]


def test_top_items_and_metrics_break_ties_alike() -> None:
    cases = one_user([1, 2], end=1, copies=200)
    scorer = Fixed(*[0.0] * 25)
    codes, _ = top_items(scorer, cases, k=10, seed=5)
    hits = ranking_metrics(scorer, cases, k=10, seed=5)["hit@10"]
    assert torch.equal((codes == 2).any(1).float(), hits)


def test_histories_are_left_padded_and_keep_the_latest() -> None:
    cases = one_user([3, 1, 2, 4], end=3)
    assert histories(cases, 5).items.tolist() == [[0, 0, 3, 1, 2]]
    assert histories(cases, 2).items.tolist() == [[1, 2]]


def test_interval_holds_a_clear_difference_and_widens_for_whole_users() -> None:
    generator = torch.Generator().manual_seed(0)
    users = torch.arange(2000) // 50
    differences = 0.1 + torch.randn(40, generator=generator)[users] * 0.05
    differences += torch.randn(2000, generator=generator) * 0.1
    mean, low, high = paired_interval(differences)
    _, user_low, user_high = paired_interval(differences, users)
    assert 0 < user_low < low < mean < high < user_high


def test_no_history_at_all_can_be_ranked() -> None:
    codes, _ = top_items(Fixed(1, 2), one_user([1], end=0)._replace(stop=torch.zeros(1).long()))
    assert codes[0, :2].tolist() == [2, 1]
