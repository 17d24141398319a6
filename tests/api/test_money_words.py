"""Money in sentences: what is equal is not told as a difference."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from treadle.api.money_words import SIMPLE, UNMOVED, money_sentences
from treadle.contracts import Json

NUMBER: Any = SimpleNamespace(task="number", column="price")


def rule(name: str, cost: float, saved: float, *, without: bool = False) -> Json:
    low, high = (saved - 10, saved + 10) if saved else (0.0, 0.0)
    figures = {"cost": cost, "low": cost - 5, "high": cost + 5}
    saving = {"saved": saved, "saved_low": low, "saved_high": high}
    return {"name": name, "without_model": without} | figures | saving


def money(*rules: Json) -> Json:
    return {
        "in_money": True,
        "unit": "",
        "per": "year",
        "model": {"cost": 100.0, "low": 90.0, "high": 110.0},
        "rules": [rule("always the average", 300.0, 200.0, without=True), *rules],
        "simple": "A simple model",
    }


@pytest.mark.parametrize(
    ("saved", "words"), [(0.0, "is what is foretold"), (30.0, "is moved to where errors cost")]
)
def test_answers_are_called_moved_only_where_they_are(saved: float, words: str) -> None:
    told = money_sentences(money(rule(UNMOVED, 100.0 + saved, saved)), NUMBER)
    assert f"`prediction` {words}" in told[-1]


def test_a_simple_model_that_costs_the_same_is_said_to() -> None:
    told = money_sentences(money(rule(SIMPLE, 100.0, 0.0)), NUMBER)
    assert any(sentence.endswith("this one costs as much.") for sentence in told)
    assert not any("about 0" in sentence for sentence in told)
