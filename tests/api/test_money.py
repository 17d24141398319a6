"""What rules cost beside the model, with their intervals."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from treadle.api.money import _rule


def test_a_model_that_made_no_mistake_may_have_been_lucky_too() -> None:
    goal: Any = SimpleNamespace(cases_a_year=1_000.0)
    nothing, paid = np.zeros(36), np.full(36, 0.5)
    lucky = _rule("the same model, flagging from 0.5 on", nothing, paid, None, 100.0, goal)
    assert lucky["cost"] == lucky["low"] == 0 and lucky["high"] > 1_000 * 100 / 36
    sure = _rule("doing nothing", nothing, paid, None, 100.0, goal)
    assert sure["low"] == sure["high"] == 0  # it has no luck to be lucky with
