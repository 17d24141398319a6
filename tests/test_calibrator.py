"""Maps of probabilities: they never change an order, and a broken file is refused."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from treadle.calibrator import Calibrator

CHANCES = np.concatenate([[1e-9, 1e-6], np.linspace(0.001, 0.999, 500), [1 - 1e-6]])
BOTH = np.stack([1 - CHANCES, CHANCES], axis=1)
MAPS = [
    Calibrator(method="platt", slope=0.3, shift=2.0),
    Calibrator(method="beta", slope=0.02, other_slope=3.0, shift=-1.0),
    Calibrator(method="isotonic", before=(-2.0, 0.0, 1.0), after=(-4.0, -3.9, 2.0)),
    Calibrator(method="temperature", temperature=7.0),
]


@pytest.mark.parametrize("calibrator", MAPS, ids=lambda one: one.method)
def test_a_map_keeps_the_order_and_gives_probabilities(calibrator: Calibrator) -> None:
    said = calibrator(BOTH)
    assert (np.diff(said[:, 1]) > 0).all()
    assert said.min() >= 0 and said.sum(axis=1) == pytest.approx(1.0)


@pytest.mark.parametrize("calibrator", MAPS, ids=lambda one: one.method)
def test_a_map_comes_back_from_json_as_it_was(calibrator: Calibrator) -> None:
    again = Calibrator.model_validate_json(calibrator.model_dump_json())
    assert (again(BOTH) == calibrator(BOTH)).all()


def test_probabilities_that_stay_are_the_same_array() -> None:
    assert Calibrator()(BOTH) is BOTH


def test_a_temperature_leaves_the_most_probable_class() -> None:
    probabilities = np.random.default_rng(0).dirichlet([1, 1, 1], 200)
    said = Calibrator(method="temperature", temperature=3.0)(probabilities)
    assert (said.argmax(axis=1) == probabilities.argmax(axis=1)).all()
    assert (said.max(axis=1) < probabilities.max(axis=1)).all()


@pytest.mark.parametrize(
    "facts",
    [
        {"method": "isotonic", "before": [0.0], "after": [0.0]},
        {"method": "isotonic", "before": [0.0, 1.0], "after": [1.0, 1.0]},
        {"method": "platt", "slope": 0.0},
        {"method": "temperature", "temperature": float("nan")},
        {"method": "pickle"},
    ],
)
def test_a_map_that_would_break_an_order_is_refused(facts: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Calibrator.model_validate(facts)
