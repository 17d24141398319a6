"""Recent popularity, decayed transitions and EASE on logs small enough to count by hand."""

import pytest
import torch
from torch import Tensor

from treadle.models import item_baselines
from treadle.models.item_baselines import DecayedTransitions, Ease, RecentPopularity

DAY = 86_400.0


def log(*users: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Return (items, times, users): each user's items one second apart."""
    items = torch.tensor([item for user in users for item in user])
    owner = torch.tensor([place for place, user in enumerate(users) for _ in user])
    times = torch.tensor([float(n) for user in users for n in range(len(user))]).double()
    return items, times, owner


def after(scorer: RecentPopularity | DecayedTransitions | Ease, *history: int) -> list[float]:
    items = torch.tensor([history])
    scores = scorer.scores(items, torch.zeros(items.shape).double(), torch.ones_like(items))
    return [float(score) for score in scores[0]]


def test_popularity_halves_for_every_half_life() -> None:
    times = torch.tensor([0.0, 2 * DAY, 2 * DAY]).double()
    fitted = RecentPopularity.fit(torch.tensor([1, 2, 2]), times, torch.zeros(3), 3, 1.0)
    assert after(fitted, 1) == pytest.approx([0.25, 2.0, 0.0])


def test_transitions_count_what_came_after_and_decay_with_distance() -> None:
    fitted = DecayedTransitions.fit(*log([1, 2, 3]), 3, decay=0.5, reach=5)
    assert after(fitted, 1) == pytest.approx([0, 1 / 1.5, 0.5 / 1.5])
    assert after(fitted, 3) == pytest.approx([0, 0, 0])


def test_transitions_do_not_cross_users() -> None:
    fitted = DecayedTransitions.fit(*log([1], [2, 3]), 3)
    assert after(fitted, 1) == [0, 0, 0]


def test_transitions_of_equal_times_count_both_ways() -> None:
    items, times, users = log([1, 2])
    fitted = DecayedTransitions.fit(items, times * 0, users, 2)
    assert after(fitted, 2) == pytest.approx([1, 0])


def test_the_newest_event_speaks_loudest() -> None:
    fitted = DecayedTransitions.fit(*log([1, 2], [3, 4]), 4, decay=0.5)
    assert after(fitted, 1, 3) == pytest.approx([0, 0.5, 0, 1])


def test_ease_solves_its_least_squares_problem() -> None:
    taken = torch.rand(40, 6, generator=torch.Generator().manual_seed(0)) < 0.5
    rows = [(row.nonzero()[:, 0] + 1).tolist() for row in taken]
    fitted = Ease.fit(*log(*rows), 6, regularization=2.0)
    matrix = taken.double()
    for column in range(6):
        others = [place for place in range(6) if place != column]
        x = matrix[:, others]
        best = torch.linalg.solve(
            x.T @ x + 2 * torch.eye(5, dtype=torch.float64), x.T @ matrix[:, column]
        )
        assert torch.allclose(fitted.table[others, column].double(), best, atol=1e-5)
        assert fitted.table[column, column] == 0


def test_ease_counts_a_repeated_item_once() -> None:
    fitted = Ease.fit(*log([1, 2], [1, 2], [3, 2]), 3, regularization=1.0)
    assert after(fitted, 1, 1) == pytest.approx(after(fitted, 1))


def test_ease_is_the_same_however_many_users_are_taken_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [[1, 2], [2, 3], [1, 3], [1, 2, 3, 4], [4]]
    whole = Ease.fit(*log(*rows), 4).table
    monkeypatch.setattr(item_baselines, "_USERS_AT_ONCE", 2)
    assert torch.allclose(whole, Ease.fit(*log(*rows), 4).table)


@pytest.mark.parametrize("way", [DecayedTransitions, Ease])
def test_large_catalogues_keep_the_most_taken_items(
    way: type[DecayedTransitions] | type[Ease], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(item_baselines, "HEAD_ITEMS", 3)
    fitted = way.fit(*log([5, 2, 4], [5, 2, 4], [1, 5, 2, 4], [3]), 5)
    assert fitted.table.shape == (3, 3)
    assert fitted.head.tolist() == [1, 3, 4]
    scores = after(fitted, 0, 5, 1)
    assert scores[1] > 0 and scores[0] == scores[2] == 0


@pytest.mark.parametrize("way", [RecentPopularity, DecayedTransitions, Ease])
def test_tensors_alone_bring_a_baseline_back(way: type[RecentPopularity]) -> None:
    more = {"half_life_days": 1.0} if way is RecentPopularity else {}
    fitted = way.fit(*log([1, 2, 3], [2, 3]), 4, **more)
    other = way(4)
    other.load_state_dict(fitted.state_dict())
    assert after(other, 2) == after(fitted, 2)


def random_log(users: int, items: int, events: int) -> tuple[Tensor, Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(3)
    rows = torch.randint(1, items + 1, (users, events), generator=drawn).tolist()
    return log(*rows)


@pytest.mark.parametrize("way", [DecayedTransitions, Ease])
def test_short_histories_are_summed_to_what_the_whole_product_gives(
    way: type[DecayedTransitions] | type[Ease], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(item_baselines, "HEAD_ITEMS", 60)
    fitted = way.fit(*random_log(50, 80, 9), 80)
    histories = torch.tensor([[0, 0, 0, 5], [0, 7, 7, 80], [9, 3, 9, 9]])
    times = torch.zeros(histories.shape).double()
    summed = fitted.scores(histories, times, torch.ones_like(histories))
    monkeypatch.setattr(item_baselines, "_FEW", 1_000_000)
    product = fitted.scores(histories, times, torch.ones_like(histories))
    assert product.abs().max() > 0.005
    assert torch.allclose(summed, product, atol=1e-6)


def test_ease_of_few_users_is_ease_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    few = random_log(12, 40, 6)
    by_users = Ease.fit(*few, 40, regularization=20.0).table
    monkeypatch.setattr(item_baselines, "_USERS_AT_ONCE", 5)  # too few for the short way
    assert torch.allclose(by_users, Ease.fit(*few, 40, regularization=20.0).table, atol=1e-6)
    assert by_users.abs().max() > 0.01
