"""Answers cost least: the threshold follows from the costs, of a row's own where they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.costs import parse_costs
from treadle.decision import (
    ClassDecision,
    NumberDecision,
    Outcomes,
    TwoClassDecision,
    log_odds,
    read_decision,
)

CHANCES = np.linspace(0.001, 0.999, 400)


def both(positive: np.ndarray) -> np.ndarray:
    return np.stack([1 - positive, positive], axis=1)


@given(st.floats(1, 1000), st.floats(0.1, 1000), st.floats(-50, 0.5), st.floats(-50, 0.05))
def test_what_is_flagged_is_what_is_expected_to_cost_less(
    missed: float, false_alarm: float, caught: float, passed: float
) -> None:
    costs = parse_costs(
        f"missed={missed:.3f} false_alarm={false_alarm:.3f} caught={caught:.3f} passed={passed:.3f}"
    )
    outcomes = Outcomes.of(costs, {}, len(CHANCES))
    flag = CHANCES * outcomes.caught + (1 - CHANCES) * outcomes.false_alarm
    leave = CHANCES * outcomes.missed + (1 - CHANCES) * outcomes.passed
    flagged = TwoClassDecision(costs=costs).flags(CHANCES, outcomes)
    clear = np.abs(flag - leave) > 1e-6
    assert (flagged == (flag < leave))[clear].all()


def test_the_threshold_is_said_where_one_holds_for_all() -> None:
    decision = TwoClassDecision(costs=parse_costs("missed=500 false_alarm=5"))
    assert decision.threshold == pytest.approx(5 / 505)
    assert TwoClassDecision(costs=parse_costs("missed=A false_alarm=5")).threshold is None


def test_the_threshold_that_is_said_is_the_one_that_is_applied() -> None:
    for least in (None, 20.0):
        decision = TwoClassDecision(
            costs=parse_costs("missed=60 false_alarm=20 caught=3"), margin=0.4, least=least
        )
        flagged = decision.flags(CHANCES, Outcomes.of(decision.costs, {}, len(CHANCES)))
        assert decision.threshold is not None
        assert (flagged == (decision.threshold < CHANCES)).all()


def test_each_row_has_its_own_threshold_where_a_cost_is_a_column() -> None:
    decision = TwoClassDecision(costs=parse_costs("missed=amount false_alarm=5"))
    columns = {"amount": np.array([1000.0, 1000.0, 10.0, 10.0, 0.0])}
    said = decision.answer(both(np.array([0.01, 0.004, 0.2, 0.6, 0.99])), columns)
    assert said.tolist() == [1, 0, 0, 1, 0]


def test_what_rows_cost_in_the_end_follows_from_the_outcome() -> None:
    outcomes = Outcomes.of(parse_costs("missed=7 false_alarm=2 caught=-3 passed=1"), {}, 4)
    truth, flagged = np.array([1, 0, 1, 0]), np.array([False, True, True, False])
    assert outcomes.paid(truth, flagged).tolist() == [7, 2, -3, 1]


def test_among_several_classes_the_one_that_costs_least_is_said() -> None:
    decision = ClassDecision(
        costs=parse_costs("*>*=1 cat>dog=100 cat>cat=-2"), classes=("cat", "dog", "owl")
    )
    probabilities = np.array([[0.1, 0.6, 0.3], [0.0, 0.7, 0.3], [0.3, 0.1, 0.6]])
    assert decision.answer(probabilities, {}).tolist() == [2, 1, 0]
    truth, said = np.array([0, 0, 1, 2]), np.array([1, 0, 2, 2])
    assert decision.paid(truth, said, {}).tolist() == [100, -2, 1, 0]


def test_a_pair_that_is_named_goes_before_any_class() -> None:
    truth, said = np.repeat([0, 1, 2], 3), np.tile([0, 1, 2], 3)
    for text in ("*>*=1 a>*=2 a>b=3 c>c=-4", "c>c=-4 a>b=3 a>*=2 *>*=1"):
        decision = ClassDecision(costs=parse_costs(text), classes=("a", "b", "c"))
        assert decision.paid(truth, said, {}).tolist() == [0, 3, 2, 1, 0, 1, 1, 1, -4]


def test_costs_of_a_column_hold_between_classes_too() -> None:
    decision = ClassDecision(costs=parse_costs("*>*=1 a>b=price"), classes=("a", "b", "c"))
    price = {"price": np.array([5.0, 0.1])}
    probabilities = np.array([[0.4, 0.5, 0.1]] * 2)
    assert decision.expected(probabilities, price)[:, 1] == pytest.approx([2.1, 0.14])
    assert decision.answer(probabilities, price).tolist() == [0, 1]


def test_a_number_is_moved_by_the_share_that_the_costs_ask_for() -> None:
    decision = NumberDecision(
        costs=parse_costs("too_high=1 too_low=3"), levels=(0.25, 0.75), moves=(-2.0, 6.0)
    )
    assert decision.answer(np.array([10.0]), {}).tolist() == [16.0]
    assert decision.paid(np.array([10.0, 10.0]), np.array([12.0, 8.0]), {}).tolist() == [2.0, 6.0]
    own = NumberDecision(
        costs=parse_costs("too_high=1 too_low=margin"),
        way="multiply",
        levels=(0.25, 0.75),
        moves=(-0.1, 0.3),
    )
    margins = {"margin": np.array([3.0, 1 / 3])}
    assert own.answer(np.array([10.0, 10.0]), margins) == pytest.approx([13.0, 9.0])


def test_a_decision_from_a_file_is_read_or_refused() -> None:
    decision = TwoClassDecision(costs=parse_costs("missed=A false_alarm=5"), margin=0.2)
    assert read_decision(decision.model_dump(mode="json")) == decision
    number = {"kind": "number", "costs": {"entries": []}, "levels": [0.5, 0.2], "moves": [1, 2]}
    for broken, words in (
        ({"kind": "other"}, "other"),
        ({"kind": "two_classes"}, "costs"),
        (number, "do not fit its levels"),
    ):
        with pytest.raises(ValueError, match=words):
            read_decision(broken)


def test_log_odds_of_certainty_are_finite() -> None:
    assert np.isfinite(log_odds(np.array([0.0, 1.0], np.float32))).all()
