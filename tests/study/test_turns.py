"""Who learns, chooses and judges: a rule, in which every row takes its turn."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.data.hashing import mixed
from treadle.study.turns import CHOOSE, TURNS, turns_of


def keys_of(rows: int, seed: int = 0) -> np.ndarray:
    return mixed(np.arange(rows, dtype=np.uint64) + np.uint64(seed * 1_000_003))


@settings(max_examples=30, deadline=None)
@given(st.integers(60, 400), st.integers(0, 5), st.integers(1, 3))
def test_no_row_has_two_parts_and_in_five_turns_each_judges_once(
    rows: int, seed: int, kinds: int
) -> None:
    codes = np.arange(rows) % kinds
    turns = turns_of(keys_of(rows, seed), codes, TURNS, seed=seed)
    judged = np.concatenate([turn.judge for turn in turns])
    assert sorted(judged) == list(range(rows))
    for turn in turns:
        whole = np.concatenate([turn.learn, turn.choose, turn.judge])
        assert sorted(whole) == list(range(rows))


def test_each_kind_has_its_share_in_each_part() -> None:
    codes = (np.arange(1_000) % 10 == 0).astype(int)
    for turn in turns_of(keys_of(1_000), codes, TURNS):
        assert abs(codes[turn.judge].sum() - 100 / TURNS) <= 1
        assert abs(codes[turn.choose].sum() - 100 * CHOOSE) <= 1


def test_rows_of_one_key_go_together() -> None:
    keys = keys_of(40)[np.arange(200) % 40]
    for turn in turns_of(keys, np.zeros(200), 7):
        parts = [set(keys[rows]) for rows in (turn.learn, turn.choose, turn.judge)]
        assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]


def test_the_turns_are_a_rule_and_a_sixth_turn_is_another_order() -> None:
    first, again = (turns_of(keys_of(300), np.zeros(300), 6) for _ in range(2))
    assert all((a.judge == b.judge).all() for a, b in zip(first, again, strict=True))
    assert set(first[5].judge) != set(first[0].judge)
