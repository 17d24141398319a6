from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from treadle.models.blend import Array, choose, choose_beside, combine


def minus_squared_error(target: Array, prediction: Array) -> float:
    return -float(np.mean((target - prediction) ** 2))


def members(noise: dict[str, float], num_rows: int = 2000) -> tuple[Array, dict[str, Array]]:
    """A target, and predictions of it whose errors do not depend on each other."""
    draw = np.random.default_rng(0)
    target = draw.normal(size=num_rows)
    return target, {name: target + draw.normal(size=num_rows) * by for name, by in noise.items()}


def test_two_equals_with_errors_of_their_own_are_blended() -> None:
    target, parts = members({"trees": 1.0, "neural": 1.0})
    found = choose(parts, target, minus_squared_error)
    assert found.is_blend
    assert abs(found.shares["trees"] - 0.5) < 0.11
    assert found.score > max(found.alone.values())
    assert found.won == found.drawn == 40


def test_a_useless_member_is_left_out() -> None:
    target, parts = members({"trees": 0.1, "neural": 30.0})
    found = choose(parts, target, minus_squared_error)
    assert found.shares == {"trees": 1.0}
    assert found.score == found.alone["trees"]


def test_a_gain_by_luck_on_few_rows_is_not_taken() -> None:
    draw = np.random.default_rng(3)
    target = (draw.random(40) < 0.5).astype(float)
    trees = np.clip(target * 0.6 + 0.2 + draw.normal(size=40) * 0.2, 0.01, 0.99)
    parts = {"trees": trees, "neural": np.clip(trees + draw.normal(size=40) * 0.3, 0.01, 0.99)}
    found = choose(parts, target, roc_auc_score, needed_share=0.9)
    assert not found.is_blend


def test_one_member_alone_is_chosen() -> None:
    target, parts = members({"trees": 1.0})
    assert choose(parts, target, minus_squared_error).shares == {"trees": 1.0}


def test_probabilities_of_many_classes_are_blended_to_probabilities() -> None:
    draw = np.random.default_rng(0)
    target = draw.integers(3, size=600)
    parts = {}
    for name in ("trees", "neural"):
        logits = draw.normal(size=(600, 3)) * 1.5 + 2 * np.eye(3)[target]
        parts[name] = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    found = choose(parts, target, lambda truth, guess: -log_loss(truth, guess))
    assert found.is_blend
    np.testing.assert_allclose(combine(parts, found.shares).sum(1), 1)


def test_the_choice_is_the_same_every_time() -> None:
    target, parts = members({"trees": 1.0, "neural": 1.2, "other": 2.0}, 300)
    first = choose(parts, target, minus_squared_error)
    assert first == choose(parts, target, minus_squared_error)
    assert sum(first.shares.values()) == pytest.approx(1)


def test_a_member_that_cannot_be_scored_is_never_the_best() -> None:
    target, parts = members({"trees": 1.0})
    parts["neural"] = np.full_like(target, np.nan)
    assert choose(parts, target, minus_squared_error).shares == {"trees": 1.0}


def test_other_models_that_help_on_rows_they_were_not_chosen_on_are_taken() -> None:
    target, parts = members({"trees": 1.0, "neural": 1.2, "trees-1": 1.0, "trees-2": 1.0})
    found = choose_beside(parts, ["trees", "neural"], target, minus_squared_error)
    assert found.is_better and found.won == found.halves == 8
    usual = choose({n: parts[n] for n in ("trees", "neural")}, target, minus_squared_error)
    assert {"trees-1", "trees-2"} <= set(found.chosen.shares)
    assert found.chosen.score - usual.score == pytest.approx(found.gain, rel=0.3)


def test_many_models_that_look_better_by_luck_alone_are_not_taken() -> None:
    taken = 0
    for seed in range(20):
        draw = np.random.default_rng(seed)
        target = draw.normal(size=60)
        usual = target + draw.normal(size=60) * 0.5
        others = {f"trees-{n}": usual + draw.normal(size=60) * 0.4 for n in range(8)}
        parts = {"trees": usual, **others}
        found = choose_beside(parts, ["trees"], target, minus_squared_error, seed=seed)
        taken += found.is_better
        if not found.is_better:
            assert found.chosen.shares == {"trees": 1.0}
    assert taken <= 3  # on the rows it was chosen on, a mixture of all is better in each of them


def test_a_class_of_one_row_leaves_no_halves_to_ask() -> None:
    target = np.array([0] * 30 + [1])
    parts = {"trees": np.linspace(0, 1, 31), "trees-1": np.linspace(1, 0, 31)}
    found = choose_beside(parts, ["trees"], target, lambda t, p: float(roc_auc_score(t, p)))
    assert (found.halves, found.is_better) == (0, False) and found.chosen.shares == {"trees": 1.0}
