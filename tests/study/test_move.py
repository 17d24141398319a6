"""Numbers are moved to where errors cost least, where that is cheaper at all."""

from __future__ import annotations

import numpy as np
import pytest

from treadle.costs import parse_costs
from treadle.study.folds import folds_of
from treadle.study.move import choose_move

COSTS = parse_costs("too_high=1 too_low=4")


def drawn(rows: int, *, grows: bool) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(rows)
    foretold = draw.uniform(10, 200, rows)
    spread = 0.3 * foretold if grows else 20.0
    return foretold, foretold + spread * draw.normal(size=rows)


@pytest.mark.parametrize(("grows", "way"), [(False, "add"), (True, "multiply")])
def test_the_move_follows_the_costs_and_the_errors(grows: bool, way: str) -> None:
    foretold, truth = drawn(3_000, grows=grows)
    found = choose_move(COSTS, {}, foretold, truth, folds_of(truth))
    assert found.decision.way == way
    later, happened = drawn(20_000, grows=grows)
    moved = found.decision.answer(later, {})
    assert (happened < moved).mean() == pytest.approx(0.8, abs=0.02)  # too_low / (both)
    paid = [found.decision.paid(happened, said, {}).mean() for said in (later, moved)]
    assert paid[1] < 0.9 * paid[0]


def test_nothing_is_moved_where_errors_are_none() -> None:
    truth = np.arange(100.0)
    found = choose_move(COSTS, {}, truth, truth, folds_of(truth))
    assert (found.values == truth).all() and "no move" in found.why


def test_each_row_is_moved_by_its_own_costs() -> None:
    foretold, truth = drawn(4_000, grows=False)
    margins = np.where(np.arange(4_000) % 2, 9.0, 1 / 9)
    costs = parse_costs("too_high=1 too_low=margin")
    found = choose_move(costs, {"margin": margins}, foretold, truth, folds_of(truth))
    moved = found.decision.answer(foretold, {"margin": margins}) - foretold
    assert moved[1] > 15 and moved[0] < -15


def test_rows_that_stand_for_many_cases_count_as_many() -> None:
    draw = np.random.default_rng(0)
    foretold = draw.uniform(10, 200, 4_000)
    off = np.where(np.arange(4_000) % 2 == 0, 5.0, -5.0)  # half are too low by five
    counts = np.where(off > 0, 1.0, 9.0)
    plain = choose_move(COSTS, {}, foretold, foretold + off, folds_of(foretold))
    found = choose_move(COSTS, {}, foretold, foretold + off, folds_of(foretold), weights=counts)
    assert (plain.decision.answer(foretold, {}) - foretold).mean() == pytest.approx(5, abs=0.5)
    assert (found.decision.answer(foretold, {}) - foretold).mean() == pytest.approx(-5, abs=0.5)
