"""How many in how long: understood as people write it, or refused."""

from __future__ import annotations

import pytest

from treadle.errors import OptionError
from treadle.rates import Rate, parse_capacity, parse_rate


@pytest.mark.parametrize(
    ("text", "a_year"),
    [
        ("200 a day", 73_000),
        ("200/day", 73_000),
        ("2,000,000 a year", 2_000_000),
        ("2 million per year", 2_000_000),
        ("1.5k a month", 18_000),
        ("70 every week", 3_650),
        ("2 an hour", 17_520),
    ],
)
def test_rates_are_counted_by_the_year(text: str, a_year: float) -> None:
    assert parse_rate(text, "--volume", "1 a day").a_year == pytest.approx(a_year)


def test_a_capacity_may_be_a_share() -> None:
    assert parse_capacity("5 %") == parse_capacity("5 of 100") == 0.05
    assert parse_capacity("200 a day") == Rate(count=200, unit="day")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("200", "was not understood"),
        ("200 a dya", "did you mean 'day'?"),
        ("0 a day", "no number above zero"),
        ("2 milion a year", "did you mean 'million'?"),
        ("120 %", "more than all there are"),
        ("1,5 a day", "no number above zero"),
    ],
)
def test_what_is_no_rate_is_refused_with_an_example(text: str, words: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_capacity(text)
    assert words in str(caught.value) and caught.value.hint


def test_a_rate_is_said_as_it_was() -> None:
    assert str(parse_rate("2 million a year", "--volume", "")) == "2,000,000 a year"
    assert str(parse_rate("2/hour", "--volume", "")) == "2 an hour"
