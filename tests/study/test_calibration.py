"""Probabilities are mapped where that surely helps, left alone where it does not."""

from __future__ import annotations

import numpy as np
import pytest

from treadle.study.calibration import (
    calibrate,
    calibration_error,
    error_interval,
    log_losses,
)
from treadle.study.calibration_maps import fit_map
from treadle.study.folds import folds_of


def drawn(rows: int, *, sureness: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """What a model says, too sure by a factor on its log-odds, and what happens."""
    draw = np.random.default_rng(seed)
    odds = draw.normal(-1.5, 1.5, rows)
    truth = (draw.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    said = 1 / (1 + np.exp(-sureness * odds))
    return np.stack([1 - said, said], axis=1), truth


@pytest.mark.parametrize("sureness", [0.4, 2.5])
def test_what_is_too_sure_or_too_timid_is_mended_on_rows_of_its_own(sureness: float) -> None:
    probabilities, truth = drawn(4_000, sureness=sureness)
    found = calibrate(probabilities, truth, folds_of(truth))
    later, happened = drawn(20_000, sureness=sureness, seed=1)
    assert calibration_error(later, happened) > 0.08
    assert calibration_error(found.calibrator(later), happened) < 0.02
    assert found.after < found.before and "rows that this was not fitted on" in found.why


def test_what_comes_true_stays_as_it_is() -> None:
    for seed in range(5):
        probabilities, truth = drawn(2_000, sureness=1.0, seed=seed)
        found = calibrate(probabilities, truth, folds_of(truth))
        assert found.calibrator.method == "as_is" and found.crossed is probabilities
        assert "they stay" in found.why


def test_few_rows_teach_no_map() -> None:
    probabilities, truth = drawn(80, sureness=4.0)
    found = calibrate(probabilities, truth, folds_of(truth))
    assert found.calibrator.method == "as_is" and "too few rows" in found.why


def test_what_helps_in_some_seasons_alone_is_not_taken() -> None:
    probabilities, truth = drawn(5_000, sureness=1.0)
    moments = np.arange(5_000.0)
    folds = folds_of(truth, moments=moments)
    draw = np.random.default_rng(3)
    quiet = (folds > 0) & (draw.random(5_000) < 0.5)  # after the first season half as many happen
    truth = np.where(quiet, 0, truth)
    assert calibrate(probabilities, truth, folds).calibrator.method != "as_is"
    by_time = calibrate(probabilities, truth, folds, by_time=True)
    assert by_time.calibrator.method == "as_is"


def test_what_a_change_of_frequency_makes_look_wrong_is_not_taken_for_good_by_time() -> None:
    probabilities, truth = drawn(6_000, sureness=1.0)
    quiet = np.random.default_rng(3).random(6_000) < 0.5  # half as many happen, all the while
    seen = np.where(quiet, 0, truth)
    folds = folds_of(seen, moments=np.arange(6_000.0))
    usual = np.bincount(truth) / len(truth)
    found = [
        calibrate(probabilities, seen, folds, by_time=True, usual=shares).calibrator.method
        for shares in (None, usual)
    ]
    assert found[0] != "as_is" and found[1] == "as_is"
    too_sure, truth = drawn(6_000, sureness=2.5)
    mended = calibrate(too_sure, truth, folds, by_time=True, usual=np.bincount(truth) / len(truth))
    assert mended.calibrator.method != "as_is"


def test_crossed_probabilities_never_saw_their_own_rows() -> None:
    probabilities, truth = drawn(1_000, sureness=2.5)
    folds = folds_of(truth)
    found = calibrate(probabilities, truth, folds)
    here = folds == 0
    alone = fit_map(found.calibrator.method, probabilities[~here], truth[~here])
    assert (found.crossed[here] == alone(probabilities[here])).all()


@pytest.mark.parametrize("method", ["platt", "beta", "isotonic"])
def test_each_map_brings_the_log_loss_down_and_keeps_the_order(method: str) -> None:
    probabilities, truth = drawn(3_000, sureness=3.0)
    said = fit_map(method, probabilities, truth)(probabilities)  # type: ignore[arg-type]
    assert log_losses(said, truth).mean() < log_losses(probabilities, truth).mean() - 0.02
    order = np.argsort(probabilities[:, 1])
    ascending = np.diff(said[order, 1])
    assert (ascending[np.diff(probabilities[order, 1]) > 1e-12] > 0).all()


@pytest.mark.parametrize("method", ["platt", "beta", "isotonic"])
def test_a_model_that_ranks_backwards_is_not_turned_around(method: str) -> None:
    probabilities, truth = drawn(2_000, sureness=1.0)
    said = fit_map(method, probabilities[:, ::-1], truth)(probabilities[:, ::-1])  # type: ignore[arg-type]
    assert np.corrcoef(said[:, 1], probabilities[:, 0])[0, 1] > 0
    assert said[:, 1].std() < 0.05  # it says the same of nearly all, rather than the contrary


def test_several_classes_get_a_temperature() -> None:
    draw = np.random.default_rng(0)
    odds = draw.normal(0, 1.5, (4_000, 4))
    chances = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    truth = np.array([draw.choice(4, p=row) for row in chances])
    sure = chances**3 / (chances**3).sum(axis=1, keepdims=True)
    found = calibrate(sure, truth, folds_of(truth))
    assert found.before > 0.1 and found.after < 0.03


def test_the_interval_of_the_error_holds_the_truth() -> None:
    _, at_large = drawn(200_000, sureness=1.8, seed=9)
    probabilities, _ = drawn(200_000, sureness=1.8, seed=9)
    truth = calibration_error(probabilities, at_large)
    held = 0
    for seed in range(40):
        low, high = error_interval(*drawn(1_500, sureness=1.8, seed=seed), seed=seed)
        held += low <= truth <= high
    assert held >= 34
