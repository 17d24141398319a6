"""Counter-based randomness."""

import torch

from treadle.contracts import mix
from treadle.models.counter import hashed, uniform


def test_is_the_contracts_mix_over_whole_tensors() -> None:
    numbers = torch.tensor([0, 1, 17, 2**40, 2**62])
    expected = [mix(7, 3, number) for number in numbers.tolist()]
    assert hashed(7, torch.tensor(3), numbers).tolist() == expected


def test_a_row_draws_the_same_in_any_batch() -> None:
    place = torch.arange(5)
    alone = hashed(1, torch.tensor([[4]]), place)
    among = hashed(1, torch.tensor([[2], [4], [9]]), place)
    assert torch.equal(alone[0], among[1])


def test_uniform_is_even() -> None:
    drawn = uniform(0, torch.arange(100_000))
    assert float(drawn.min()) >= 0 and float(drawn.max()) < 1
    counts = torch.histc(drawn, bins=10, min=0, max=1)
    assert (counts - 10_000).abs().max() < 500
