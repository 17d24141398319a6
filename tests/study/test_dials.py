from __future__ import annotations

import numpy as np
import pytest

from treadle.models.tabular_settings import TabularSettings
from treadle.models.tree_settings import TreeSettings
from treadle.study.dials import NETWORK, TREES, Dial, changed_in_words, drawn

LEAVES = Dial(name="leaves", words="leaves", scale="log", low=3, high=511, factor=4, multiple=1)
PENALTY = Dial(name="penalty", words="penalty", scale="log", low=0.01, high=100, factor=10)
SHARE = Dial(name="share", words="share of columns", scale="linear", low=0.15, high=1)


def draws(dial: Dial, start: float) -> list[float]:
    generator = np.random.default_rng(0)
    return [dial.draw(start, generator) for _ in range(300)]


def test_a_log_scale_draws_up_to_its_factor_to_both_sides() -> None:
    found = draws(LEAVES, 31)
    assert 31 / 4 - 1 <= min(found) < 12 and 80 < max(found) <= 31 * 4
    assert 0.4 < np.mean(np.array(found) < 31) < 0.6


def test_whole_settings_stay_whole_and_none_leaves_its_bounds() -> None:
    assert all(value == int(value) for value in draws(LEAVES, 31))
    assert min(draws(LEAVES, 4)) == 3 and max(draws(LEAVES, 500)) == 511
    assert min(draws(SHARE, 0.3)) >= 0.15 and max(draws(SHARE, 0.3)) <= 1


def test_from_nothing_a_log_scale_draws_any_size() -> None:
    found = draws(PENALTY, 0.0)
    assert min(found) < 0.05 and max(found) > 20


def test_about_half_of_the_settings_are_changed_and_at_least_one() -> None:
    start = {"leaves": 31.0, "penalty": 0.0, "share": 0.3}
    generator = np.random.default_rng(1)
    counts = [len(drawn((LEAVES, PENALTY, SHARE), start, generator)) for _ in range(200)]
    assert min(counts) >= 1 and 1.4 < np.mean(counts) < 2.3


def test_equal_seeds_draw_equal_settings() -> None:
    start = TreeSettings().model_dump()
    first, again = (drawn(TREES, start, np.random.default_rng(7)) for _ in range(2))
    assert first == again


@pytest.mark.parametrize(
    ("dials", "settings"), [(TREES, TreeSettings()), (NETWORK, TabularSettings())]
)
def test_what_is_drawn_are_settings_of_the_model(
    dials: tuple[Dial, ...], settings: TreeSettings | TabularSettings
) -> None:
    generator = np.random.default_rng(2)
    for _ in range(100):
        changes = drawn(dials, settings.model_dump(), generator)
        made = type(settings).model_validate(settings.model_dump() | changes)
        assert {name: getattr(made, name) for name in changes} == changes


def test_changes_are_said_in_words() -> None:
    assert changed_in_words((LEAVES, SHARE), {"leaves": 63, "share": 0.25}) == (
        "leaves 63, share of columns 0.25"
    )
