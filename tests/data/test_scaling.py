from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from treadle.data.scaling import LARGEST_SCORE, NumberScaler
from treadle.errors import DataError

RANDOM = np.random.default_rng(0)


def column(values: object) -> np.ndarray:
    return np.asarray(values, np.float32).reshape(-1, 1)


@pytest.mark.parametrize(
    "values",
    [
        RANDOM.normal(size=5000),
        RANDOM.lognormal(sigma=3, size=5000),
        RANDOM.uniform(size=5000) + 1e3,
    ],
)
def test_any_smooth_column_becomes_a_bell_curve(values: np.ndarray) -> None:
    scores = NumberScaler.fit(column(values)).transform(column(values))
    assert abs(scores.mean()) < 0.01 and abs(scores.std() - 1) < 0.02
    assert (
        np.corrcoef(np.argsort(np.argsort(values)), np.argsort(np.argsort(scores[:, 0])))[0, 1]
        > 0.999
    )


def test_ties_share_one_score_at_the_middle_of_their_ranks() -> None:
    scores = NumberScaler.fit(column([0, 0, 0, 1])).transform(column([0, 1]))[:, 0]
    assert scores == pytest.approx([-0.3186, 1.1503], abs=1e-3)


def test_few_different_values_keep_a_sane_distance() -> None:
    scores = NumberScaler.fit(column([1, 2, 3, 4, 5] * 100)).transform(column([1, 2, 3, 4, 5]))[
        :, 0
    ]
    assert scores[2] == 0 and (np.diff(scores) > 0.4).all() and (np.diff(scores) < 1.2).all()


def test_missing_cells_become_zero_and_get_a_flag() -> None:
    train = np.array([[1, 5], [2, np.nan], [3, 7], [4, 8]], np.float32)
    scaler = NumberScaler.fit(train)
    scaled = scaler.transform(train)
    assert scaler.num_features == scaled.shape[1] == 3
    assert scaled[1, 1] == 0 and scaled[:, 2].tolist() == [0, 1, 0, 0]
    assert scaler.transform(np.full((1, 2), np.nan, np.float32)).tolist() == [[0, 0, 1]]


def test_values_beyond_training_grow_gently_and_stay_bounded() -> None:
    train = column(RANDOM.normal(size=1000))
    beyond = column([train.max(), train.max() * 1.5, train.max() * 3, 1e30, np.inf, -np.inf])
    scores = NumberScaler.fit(train).transform(beyond)[:, 0]
    assert (np.diff(scores[:4]) > 0).all() and scores[1] - scores[0] < 1
    assert scores[4] == LARGEST_SCORE and scores[5] == -LARGEST_SCORE


@pytest.mark.parametrize("value", [7.0, np.nan])
def test_constant_and_empty_columns_give_finite_scores(value: float) -> None:
    scaler = NumberScaler.fit(column([value] * 10))
    assert np.isfinite(scaler.transform(column([value, 3.0, np.nan, 1e30]))).all()


def test_no_columns_at_all() -> None:
    scaler = NumberScaler.fit(np.zeros((5, 0), np.float32))
    assert scaler.transform(np.zeros((3, 0), np.float32)).shape == (3, 0)


def test_travels_as_arrays() -> None:
    train = RANDOM.normal(size=(300, 3)).astype(np.float32)
    train[5, 1] = np.nan
    scaler = NumberScaler.fit(train)
    again = NumberScaler.from_arrays(scaler.arrays())
    np.testing.assert_array_equal(again.transform(train), scaler.transform(train))


def test_refuses_what_does_not_fit() -> None:
    scaler = NumberScaler.fit(np.zeros((5, 2), np.float32))
    with pytest.raises(DataError, match="2 columns were trained"):
        scaler.transform(np.zeros((5, 3), np.float32))
    with pytest.raises(DataError, match="do not belong together"):
        NumberScaler.from_arrays({**scaler.arrays(), "scores": np.zeros(9, np.float32)})
    with pytest.raises(DataError, match="'knots' is missing"):
        NumberScaler.from_arrays({})


FLOATS = st.floats(width=32, allow_infinity=True, allow_nan=True)


@settings(max_examples=80, deadline=None)
@given(
    train=arrays.arrays(np.float32, st.tuples(st.integers(1, 30), st.just(2)), elements=FLOATS),
    later=arrays.arrays(np.float32, st.tuples(st.integers(0, 9), st.just(2)), elements=FLOATS),
)
def test_scores_are_always_finite_bounded_and_in_order(
    train: np.ndarray, later: np.ndarray
) -> None:
    scaled = NumberScaler.fit(train).transform(later)
    assert np.isfinite(scaled).all() and (np.abs(scaled) <= LARGEST_SCORE).all()
    for i in range(2):
        known = ~np.isnan(later[:, i])
        order = np.argsort(later[known, i], kind="stable")
        assert (np.diff(scaled[known, i][order]) >= -1e-6).all()
