"""What `--cost` says is understood, or refused with all that is wrong with it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.costs import OF_TWO, Amount, parse_costs
from treadle.errors import OptionError


def refused(text: str) -> str:
    with pytest.raises(OptionError) as caught:
        parse_costs(text)
    return str(caught.value)


def test_numbers_columns_and_parts_of_columns_are_costs() -> None:
    costs = parse_costs("missed=Amount, false-alarm=0.1*'Order value'; caught=-20 passed=1,000")
    assert costs.of("missed") == Amount(factor=1.0, column="Amount")
    assert costs.of("false_alarm") == Amount(factor=0.1, column="Order value")
    assert costs.of("caught").factor == -20 and costs.of("passed").factor == 1000
    assert costs.columns == ["Amount", "Order value"]


def test_what_was_not_said_costs_nothing() -> None:
    assert parse_costs("missed=5").of("false_alarm") == Amount(factor=0.0)


def test_pairs_of_classes_and_any_class_are_understood() -> None:
    entries = parse_costs("cat>dog=5 *>'polar bear'=2.5").entries
    assert [(e.true, e.said, e.amount.factor) for e in entries] == [
        ("cat", "dog", 5.0),
        ("*", "polar bear", 2.5),
    ]


def test_a_sign_of_money_is_kept_and_must_be_one() -> None:
    assert parse_costs("missed=€500 false_alarm=-€5").unit == "€"
    assert "in $ and € at once" in refused("missed=€500 false_alarm=$5")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mised=5", "did you mean 'missed'?"),
        ("found=5", "did you mean 'caught'?"),
        ("missed=5k", "'5k' in 'missed=5k' is no number"),
        ("missed=0,5", "'0,5' in 'missed=0,5' is no number"),
        ("missed", "'missed' was not understood"),
        ("missed=5 missed=6", "said twice"),
        ("missed=5 too_high=2", "at once"),
        ("  ", "says nothing"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(text: str, words: str) -> None:
    message = refused(text)
    assert words in message and "hint:" in message


def test_all_that_is_wrong_is_said_at_once() -> None:
    message = refused("mised=5 false_alarm=5k caught=1 caught=2 what")
    assert message.startswith("4 problems:")


@given(st.dictionaries(st.sampled_from(OF_TWO), st.floats(-1e6, 1e6), min_size=1))
def test_every_number_comes_back_as_it_was_said(said: dict[str, float]) -> None:
    costs = parse_costs(" ".join(f"{word}={value:.4f}" for word, value in said.items()))
    for word, value in said.items():
        assert costs.of(word).factor == pytest.approx(value, abs=1e-4)
