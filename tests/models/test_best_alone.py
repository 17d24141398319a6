"""One simple way alone, where it ranks better than the mix by more than luck."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.models.test_recommender_blend import NUM_ITEMS, Noise, circles
from treadle.models.best_alone import better_alone


class Next:
    """Knows the circle that all users walk: a perfect way."""

    def scores(self, items: Tensor, times: Tensor, kinds: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(items[:, -1] % NUM_ITEMS, NUM_ITEMS).float()


CASES = circles(60)


def test_a_way_that_is_surely_better_than_the_mix_answers_alone() -> None:
    ways = {"noise": Noise(), "next": Next()}
    assert better_alone(torch.full((60,), 0.5), ways, CASES) == "next"


def test_a_way_that_is_no_better_than_the_mix_does_not() -> None:
    assert better_alone(torch.ones(60), {"noise": Noise(), "next": Next()}, CASES) is None


def test_a_lead_that_may_be_luck_is_none() -> None:
    mixed = torch.ones(60)
    mixed[:1] = 0.0  # one case of sixty is better alone
    assert better_alone(mixed, {"next": Next()}, CASES) is None
