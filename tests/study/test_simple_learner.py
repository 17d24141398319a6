"""A simple model on the same columns: it learns what is simple, whatever the columns hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from treadle.study.simple_learner import MOST_INPUTS, Inputs, simple_predictions

Array = NDArray[Any]


def rows(count: int, seed: int, target: Any = None, **more: Array) -> dict[str, Array]:
    draw = np.random.default_rng(seed)
    numbers = draw.normal(size=(count, 3)).astype(np.float32)
    categories = draw.integers(0, 4, (count, 1)).astype(np.int8)
    score = 2 * numbers[:, 0] + 1.5 * (categories[:, 0] == 2)
    truth = (score + draw.logistic(size=count) > 0.5).astype(np.int64)
    found = {"numbers": numbers, "categories": categories, "target": truth}
    return found | ({"target": target(score)} if target else {}) | more


def parts(count: int = 2_000, **more: Any) -> dict[str, dict[str, Array]]:
    return {
        "train": rows(count, 0, **more),
        "validation": rows(500, 1, **more),
        "test": rows(500, 2, **more),
    }


def test_it_learns_from_numbers_and_categories() -> None:
    data = parts()
    said = simple_predictions(data, num_classes=2)
    assert said is not None and set(said) == {"validation", "test"}
    right = (said["test"].argmax(axis=1) == data["test"]["target"]).mean()
    assert right > 0.75
    assert np.allclose(said["test"].sum(axis=1), 1)


def test_it_learns_numbers() -> None:
    data = parts(target=lambda score: score.astype(np.float32))
    said = simple_predictions(data, num_classes=0)
    assert said is not None
    assert np.corrcoef(said["test"], data["test"]["target"])[0, 1] > 0.99


def test_gaps_outliers_and_empty_columns_are_no_trouble() -> None:
    data = parts()
    for part in data.values():
        part["numbers"][::7, 1] = np.nan
        part["numbers"][0, 0] = np.inf
        part["numbers"][1, 0] = 1e30
        part["numbers"][:, 2] = np.nan
    said = simple_predictions(data, num_classes=2)
    assert said is not None and np.isfinite(said["test"]).all()
    assert (said["test"].argmax(axis=1) == data["test"]["target"]).mean() > 0.75


def test_a_gap_that_tells_something_is_learned_from() -> None:
    data = parts()
    for part in data.values():
        part["numbers"][:, 1] = np.where(part["target"] == 1, np.nan, 0.0)
    said = simple_predictions(data, num_classes=2)
    assert said is not None
    assert (said["test"].argmax(axis=1) == data["test"]["target"]).mean() > 0.98


def test_a_rare_flag_is_an_input_too() -> None:
    data = parts()
    for part in data.values():
        part["numbers"][:, 1] = 0
        part["numbers"][:4, 1] = 1
    inputs = Inputs.fit(data["train"])(data["test"])
    assert inputs[:4, 1].min() > inputs[4:, 1].max()


def test_a_class_that_training_lacks_gets_no_chance_and_one_class_alone_no_model() -> None:
    data = parts()
    said = simple_predictions(data, num_classes=3)
    assert said is not None and said["test"].shape == (500, 3) and (said["test"][:, 2] == 0).all()
    data["train"]["target"][:] = 1
    assert simple_predictions(data, num_classes=2) is None


def test_weights_count() -> None:
    data = parts()
    heavy = np.where(data["train"]["target"] == 1, 20.0, 1.0).astype(np.float32)
    plain = simple_predictions(data, num_classes=2)
    data["train"]["weight"] = heavy
    said = simple_predictions(data, num_classes=2)
    assert plain is not None and said is not None
    assert said["test"][:, 1].mean() > plain["test"][:, 1].mean() + 0.2


def test_of_many_columns_of_many_words_not_all_become_inputs() -> None:
    draw = np.random.default_rng(0)
    wide = {
        "numbers": draw.normal(size=(300, 40)),
        "categories": draw.integers(0, 60, (300, 200)),
        "target": draw.integers(0, 2, 300),
    }
    assert Inputs.fit(wide)(wide).shape[1] <= MOST_INPUTS
