"""Thresholds are chosen on validation, judged on rows they did not see, and kept to a capacity."""

from __future__ import annotations

import numpy as np
import pytest

from treadle.costs import parse_costs
from treadle.decision import Outcomes, TwoClassDecision
from treadle.study.folds import folds_of
from treadle.study.threshold import best_margin, choose_threshold, saved_by
from treadle.study.tradeoff import tradeoff

COSTS = parse_costs("missed=50 false_alarm=5")


def drawn(rows: int, *, shift: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """What a model says, its log-odds too high by `shift`, and what happens."""
    draw = np.random.default_rng(seed)
    odds = draw.normal(-3, 1.5, rows)
    truth = (draw.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    return 1 / (1 + np.exp(-(odds + shift))), truth


def test_right_probabilities_are_flagged_from_break_even_on() -> None:
    chance, truth = drawn(4_000)
    outcomes = Outcomes.of(COSTS, {}, len(chance))
    found = choose_threshold(COSTS, outcomes, chance, truth, folds_of(truth))
    assert found.decision.margin == 0 and found.decision.threshold == pytest.approx(5 / 55)


def test_wrong_probabilities_are_not_believed() -> None:
    chance, truth = drawn(8_000, shift=2.5)
    outcomes = Outcomes.of(COSTS, {}, len(chance))
    found = choose_threshold(COSTS, outcomes, chance, truth, folds_of(truth))
    assert found.decision.margin == pytest.approx(2.5, abs=0.6)
    assert "surely cheaper" in found.why
    paid = outcomes.paid(truth, found.decision.flags(chance, outcomes)).mean()
    assert paid < outcomes.paid(truth, chance > 5 / 55).mean()


def test_the_place_that_saves_most_is_found() -> None:
    margins = np.array([4.0, 3.0, 2.0, 1.0, 0.0, -1.0])
    saved = np.array([1.0, 1.0, 1.0, -9.0, -9.0, -9.0]) * 1e3
    assert best_margin(np.repeat(margins, 50), np.repeat(saved, 50)) == pytest.approx(1.5)
    assert best_margin(np.array([np.inf, -np.inf]), np.zeros(2)) == 0.0


@pytest.mark.parametrize("share", [0.01, 0.05])
def test_no_more_are_flagged_than_can_be_looked_at(share: float) -> None:
    chance, truth = drawn(4_000)
    outcomes = Outcomes.of(COSTS, {}, len(chance))
    found = choose_threshold(COSTS, outcomes, chance, truth, folds_of(truth), capacity=share)
    flagged = found.decision.flags(chance, outcomes)
    assert flagged.sum() == share * 4_000
    assert chance[flagged].min() > chance[~flagged].max()
    later, _ = drawn(20_000, seed=1)
    after = found.decision.flags(later, Outcomes.of(COSTS, {}, len(later))).mean()
    assert after == pytest.approx(share, rel=0.3)


def test_a_capacity_alone_flags_the_most_probable() -> None:
    only = parse_costs("missed=1")
    chance, truth = drawn(2_000)
    outcomes = Outcomes.of(only, {}, len(chance))
    found = choose_threshold(only, outcomes, chance, truth, folds_of(truth), capacity=0.1)
    assert found.decision.flags(chance, outcomes).sum() == 200


def test_equal_cases_at_the_edge_of_a_capacity_are_left_alone_together() -> None:
    chance, truth = np.full(1_000, 0.5), np.arange(1_000) % 2
    outcomes = Outcomes.of(COSTS, {}, 1_000)
    found = choose_threshold(COSTS, outcomes, chance, truth, folds_of(truth), capacity=0.1)
    assert found.decision.flags(chance, outcomes).sum() == 0


def test_by_amount_those_are_looked_at_first_that_save_most() -> None:
    costs = parse_costs("missed=amount false_alarm=5")
    chance, truth = np.full(1_000, 0.5), np.arange(1_000) % 2
    amounts = np.arange(1_000.0)
    outcomes = Outcomes.of(costs, {"amount": amounts}, 1_000)
    found = choose_threshold(costs, outcomes, chance, truth, folds_of(truth), capacity=0.1)
    assert amounts[found.decision.flags(chance, outcomes)].tolist() == list(range(900, 1_000))


def test_the_curve_passes_through_nothing_everything_and_the_choice() -> None:
    chance, truth = drawn(3_000)
    outcomes = Outcomes.of(COSTS, {}, len(chance))
    decision = TwoClassDecision(costs=COSTS)
    curve = tradeoff(decision, outcomes, chance, truth, decision.flags(chance, outcomes))
    paid = [
        outcomes.paid(truth, flagged).mean()
        for flagged in (chance > 2, chance < 2, decision.flags(chance, outcomes))
    ]
    assert [curve["costs"][0], curve["costs"][-1], curve["chosen"]["cost"]] == pytest.approx(paid)
    assert curve["best"]["cost"] <= min(curve["costs"]) + 1e-12
    assert min(abs(share - curve["chosen"]["share"]) for share in curve["shares"]) < 1e-9
    none = outcomes.paid(truth, chance > 2)
    assert none - saved_by(outcomes, truth) == pytest.approx(outcomes.paid(truth, chance < 2))


def test_rows_that_stand_for_many_cases_count_as_many() -> None:
    chance, truth = drawn(8_000)
    kept = (truth == 1) | (np.arange(8_000) % 4 == 0)  # of the harmless ones every fourth
    thin, counts = chance[kept], np.where(truth[kept] == 1, 1.0, 4.0)
    outcomes = Outcomes.of(COSTS, {}, len(thin))
    folds = folds_of(truth[kept])
    plain = choose_threshold(COSTS, outcomes, thin, truth[kept], folds)
    found = choose_threshold(COSTS, outcomes, thin, truth[kept], folds, weights=counts)
    assert plain.decision.margin < -0.5  # among these rows the positives are too many
    assert abs(found.decision.margin) < 0.3
    few = choose_threshold(COSTS, outcomes, thin, truth[kept], folds, capacity=0.05, weights=counts)
    flagged = few.decision.flags(thin, outcomes)
    assert counts[flagged].sum() / counts.sum() == pytest.approx(0.05, abs=0.002)
    curve = tradeoff(few.decision, outcomes, thin, truth[kept], flagged, counts)
    assert curve["chosen"]["share"] == pytest.approx(0.05, abs=0.002)
    assert curve["costs"][0] == pytest.approx(50 * truth.mean(), rel=0.02)
