"""What doubling one part brings: real gains are told, luck is not."""

from __future__ import annotations

import numpy as np

from treadle.study.part_gain import gain_of, reach_for, with_part

RANDOM = np.random.default_rng(0)


def test_a_half_gets_the_other_halfs_rows_of_the_part_alone() -> None:
    half, other, part = np.array([0, 2, 4]), np.array([1, 3, 5]), np.array([2, 3, 5, 9])
    assert with_part(half, other, part).tolist() == [0, 2, 3, 4, 5]


def test_a_gain_that_all_rows_share_is_sure_and_falls_with_the_flattening() -> None:
    before = [RANDOM.random(200), RANDOM.random(200)]
    after = [one - 0.2 + 0.02 * RANDOM.random(200) for one in before]
    gain = gain_of(before, after, ratio=0.8, tried=1)
    assert abs(gain.middle - 0.6 * 0.19) < 0.01 and gain.low > 0.07
    assert gain.high < 0.16


def test_luck_is_no_gain() -> None:
    sure = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        pairs = [(random.random(100), random.random(100)) for _ in range(2)]
        gain = gain_of([a for a, _ in pairs], [b for _, b in pairs], ratio=1.0, tried=4)
        sure += gain.low > 0
    assert sure <= 3


def test_a_gain_in_one_half_alone_is_not_sure() -> None:
    before = [np.full(50, 1.0), np.full(50, 1.0)]
    after = [np.full(50, 0.2), np.full(50, 1.1)]
    assert gain_of(before, after, ratio=1.0, tried=1).low < 0


def test_the_more_parts_are_looked_at_the_wider_the_interval() -> None:
    assert reach_for(1) < reach_for(5)
