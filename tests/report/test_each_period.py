"""How full each day was, drawn: what was flagged, what one threshold would have, and the limit."""

from __future__ import annotations

from typing import Any

import pytest

from treadle.report.each_period import each_period


def each(**more: Any) -> dict[str, Any]:
    found = {
        "unit": "day",
        "count": 40,
        "sampled": 0.5,
        "flagged": [18, 20, 20, 19],
        "fixed": {"flagged": [10, 31, 22, 5]},
    }
    return {"each": found | more}


def test_draws_both_beside_the_limit_and_says_it_in_words() -> None:
    drawn = each_period(each())
    assert drawn is not None
    assert drawn.count('class="dot ours"') == 4 and drawn.count('class="dot other"') == 4
    assert "the line: 20 can be looked at" in drawn
    assert "Flagged in each day: 18 to 20, by one threshold for all 5 to 31" in drawn


@pytest.mark.parametrize(
    "money",
    [
        {},
        {"each": None},
        each(flagged=[1, 2, 3]),
        each(flagged="text"),
        each(count=None),
        each(fixed=None),
        each(flagged=[], fixed={"flagged": []}),
        each(flagged=[1] * 5_000, fixed={"flagged": [1] * 5_000}),
    ],
)
def test_what_cannot_be_drawn_is_left_out(money: dict[str, Any]) -> None:
    assert each_period(money) is None
