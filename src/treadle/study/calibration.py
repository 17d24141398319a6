"""Do probabilities come true? Measured, and where a map helps on rows it did not see, mapped.

The maps are fitted on all validation rows but a fifth and judged on that fifth, in turn. One is
taken only where it makes the log loss smaller by more than luck, and the calibration error no
larger. Else the probabilities stay as they are: so the cross-fitted error never rises.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.calibrator import Calibrator, Method
from treadle.decision import SMALLEST
from treadle.study.calibration_maps import fit_map

Array: TypeAlias = NDArray[Any]

LEAST_ROWS_A_CLASS = 30
LEAST_ROWS_ISOTONIC = 200
SURE = 2.0  # standard errors that the log loss must fall by
MOST_BINS = 200
MOST_SHIFTED = 50  # classes
DRAWS = 400


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """What was chosen, and how the rows look under maps that did not see them.

    crossed:       probabilities [N, C] of the validation rows, cross-fitted
    before, after: their calibration error, as the model says it and cross-fitted
    why:           the choice in one sentence
    """

    calibrator: Calibrator
    crossed: Array
    before: float
    after: float
    why: str


def calibrate(
    probabilities: Array,
    truth: Array,
    folds: Array,
    *,
    by_time: bool = False,
    usual: Array | None = None,
) -> Calibrated:
    """Choose a map on validation.

    probabilities: [N, C]; truth: codes int64 [N]; folds: int64 [N], see `folds_of`
    by_time:       folds are stretches of time, and a map must help in every one: what helps in
                   some follows a season that may be over by tomorrow
    usual:         by time, the share of each class in training [C]: a map must help, too, where
                   classes are as frequent again as they were then
    """
    before = calibration_error(probabilities, truth)
    untouched = Calibrated(
        calibrator=Calibrator(), crossed=probabilities, before=before, after=before, why=""
    )
    counts = np.bincount(truth, minlength=probabilities.shape[1])
    rarest = int(counts.min()) if probabilities.shape[1] == 2 else len(truth) - int(counts.max())
    if rarest < LEAST_ROWS_A_CLASS or _lacks_a_class(truth, folds):
        return _told(untouched, "there are too few rows to learn better ones from")
    crossed = {
        method: crossed_by(method, probabilities, truth, folds)
        for method in methods_for(probabilities.shape[1], rarest)
    }
    losses = {name: log_losses(found, truth) for name, found in crossed.items()}
    as_said = log_losses(probabilities, truth)
    for best in sorted(losses, key=lambda name: float(losses[name].mean())):
        after = calibration_error(crossed[best], truth)
        saved = as_said - losses[best]
        sure = saved.mean() > SURE * saved.std() / np.sqrt(len(saved)) and after <= before
        if sure and by_time:
            sure = _helps_always(probabilities, crossed[best], truth, saved, folds)
            sure &= usual is None or _helps_as_usual(truth, saved, usual)
        if sure:
            break
    else:
        return _told(untouched, "no correction made them surely better")
    found = Calibrated(
        calibrator=fit_map(best, probabilities, truth),
        crossed=crossed[best],
        before=before,
        after=after,
        why="",
    )
    return _told(found, "")


def _helps_always(before: Array, after: Array, truth: Array, saved: Array, folds: Array) -> bool:
    """Tell whether each fold's log loss falls and its calibration error does not rise."""
    parts = [folds == fold for fold in np.unique(folds)]
    return all(
        saved[here].mean() > 0
        and calibration_error(after[here], truth[here])
        <= calibration_error(before[here], truth[here])
        for here in parts
    )


def _helps_as_usual(truth: Array, saved: Array, usual: Array) -> bool:
    """Tell whether the log loss falls where classes are as frequent as in training.

    A change of how frequent a class is looks like wrong probabilities, and may not last.
    """
    shares = np.bincount(truth, minlength=len(usual)) / len(truth)
    weights = (usual / np.maximum(shares, SMALLEST))[truth]
    return bool((weights * saved).sum() > 0)


def methods_for(num_classes: int, rarest: int) -> list[Method]:
    """Return the maps that so many rows of the rarest class can teach."""
    if num_classes > 2:
        return ["temperature", "shifted"] if num_classes <= MOST_SHIFTED else ["temperature"]
    several: list[Method] = ["temperature", "platt", "beta"]
    return [*several, "isotonic"] if rarest >= LEAST_ROWS_ISOTONIC else several


def crossed_by(method: Method, probabilities: Array, truth: Array, folds: Array) -> Array:
    """Return each fold's rows under the map that was fitted on the others."""
    found = np.empty(probabilities.shape, np.float64)
    for fold in np.unique(folds):
        here = folds == fold
        found[here] = fit_map(method, probabilities[~here], truth[~here])(probabilities[here])
    return found


def log_losses(probabilities: Array, truth: Array) -> Array:
    """Return the log loss of each row, [N]."""
    said = probabilities[np.arange(len(truth)), truth.astype(np.int64)].astype(np.float64)
    losses: Array = -np.log(np.clip(said, SMALLEST, 1.0))
    return losses


def calibration_error(probabilities: Array, truth: Array) -> float:
    """Return by how much probabilities are off on average, in probability.

    Rows are put in bins of equal size by what is said of the positive class (of several classes:
    of the most probable), as many as keep the shares that happened in order.

    Source: Roelofs et al., Mitigating Bias in Calibration Error Estimation, AISTATS 2022.
    """
    said, happened = _said_and_happened(probabilities, truth)
    said_sums, happened_sums, edges = _binned(said, happened)
    return float(np.abs(said_sums - happened_sums).sum() / len(truth)) if len(edges) > 1 else 0.0


def error_interval(probabilities: Array, truth: Array, *, seed: int = 0) -> tuple[float, float]:
    """Return the ends of a 95 % interval of the calibration error: the pivotal bootstrap.

    The bins stay, and the sum of each is drawn as a bootstrap of its rows would. The error as
    measured is a little too large, and drawn ones are so once more: the pivot takes that off.
    """
    said, happened = _said_and_happened(probabilities, truth)
    _, _, edges = _binned(said, happened)
    off = (said - happened)[np.argsort(said, kind="stable")]
    sums, squares = (np.add.reduceat(part, edges[:-1]) for part in (off, off**2))
    spread = np.sqrt(np.maximum(squares - sums**2 / np.diff(edges), 0.0))
    noise = np.random.default_rng(seed).standard_normal((DRAWS, len(sums)))
    errors = np.abs(sums + spread * noise).sum(axis=1) / len(off)
    found = calibration_error(probabilities, truth)
    low, high = np.quantile(errors, [0.025, 0.975])
    return max(0.0, 2 * found - float(high)), max(found, 2 * found - float(low))


def _said_and_happened(probabilities: Array, truth: Array) -> tuple[Array, Array]:
    if probabilities.shape[1] == 2:
        return probabilities[:, 1].astype(np.float64), (truth == 1).astype(np.float64)
    said: Array = probabilities.max(axis=1).astype(np.float64)
    return said, (probabilities.argmax(axis=1) == truth).astype(np.float64)


def _binned(said: Array, happened: Array) -> tuple[Array, Array, Array]:
    """Return by bin the sums of what was said and of what happened, and the bins' edges [B + 1]."""
    order = np.argsort(said, kind="stable")
    kept = None
    for bins in range(1, min(MOST_BINS, len(said)) + 1):
        edges = np.linspace(0, len(said), bins + 1).astype(np.int64)
        sums = np.add.reduceat(happened[order], edges[:-1])
        if (np.diff(sums / np.diff(edges)) < 0).any():
            break
        kept = edges, sums
    assert kept is not None, "there are no rows"
    return np.add.reduceat(said[order], kept[0][:-1]), kept[1], kept[0]


def _lacks_a_class(truth: Array, folds: Array) -> bool:
    """Tell whether some fold's others lack a class that there is."""
    every = len(np.unique(truth))
    return any(len(np.unique(truth[folds != fold])) < every for fold in np.unique(folds))


WORDS: dict[Method, str] = {
    "platt": "a line on their log-odds (Platt)",
    "beta": "a beta map",
    "isotonic": "an isotonic map",
    "temperature": "one temperature for all",
    "shifted": "a temperature and a shift for each class",
}


def _told(found: Calibrated, why_not: str) -> Calibrated:
    off = f"off by {100 * found.before:.2g} percentage points on average, as validation tells"
    if found.calibrator.method == "as_is":
        why = f"the probabilities are {off}; {why_not}, so they stay as the model says them."
    else:
        why = (
            f"the probabilities were {off}; corrected by {WORDS[found.calibrator.method]} they are "
            f"off by {100 * found.after:.2g} on rows that this was not fitted on, so they are said "
            "corrected."
        )
    return Calibrated(**{**vars(found), "why": why})
