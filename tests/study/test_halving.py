from __future__ import annotations

import json
import math

import pytest

from treadle.folder import finite
from treadle.study.halving import BRACKETS, Bracket, Trial, best_third


def trials(*values: float) -> list[Trial]:
    return [Trial(name=f"t-{n}", family="t", value=value) for n, value in enumerate(values)]


def test_nine_settings_are_tried_at_three_lengths_and_three_at_two() -> None:
    assert [bracket.settings for bracket in BRACKETS] == [9, 3, 3]
    assert BRACKETS[0].shares == pytest.approx((1 / 9, 1 / 3, 1))
    assert [bracket.num_trials for bracket in BRACKETS] == [13, 4, 3]


@pytest.mark.parametrize("bracket", BRACKETS)
def test_each_length_costs_one_whole_training(bracket: Bracket) -> None:
    assert bracket.whole_lengths == pytest.approx(len(bracket.shares))


def test_the_better_third_goes_on_the_best_first() -> None:
    tried = trials(0.3, 0.9, 0.5, 0.8, 0.1, 0.2)
    assert [t.name for t in best_third(tried, lambda value: value)] == ["t-1", "t-3"]
    assert [t.name for t in best_third(tried, lambda value: -value)] == ["t-4", "t-5"]


def test_what_came_to_nothing_never_goes_on() -> None:
    tried = trials(math.nan, math.inf, 0.1)
    assert [t.name for t in best_third(tried, lambda value: value)] == ["t-2"]
    assert best_third(trials(math.nan, math.nan), lambda value: value) == []


def test_of_two_alone_one_goes_on() -> None:
    assert len(best_third(trials(1, 2), lambda value: value)) == 1


def test_a_trial_is_the_same_after_the_journal() -> None:
    trial = Trial(name="trees-111", family="trees", changes={"num_leaves": 63}, value=0.5, steps=9)
    assert Trial.of(json.loads(json.dumps(trial.recorded()))) == trial
    failed = Trial.of(json.loads(json.dumps(finite(Trial(name="a", family="b").recorded()))))
    assert math.isnan(failed.value)
