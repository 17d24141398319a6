"""Answers that are probably wrong: what the rest of the data says with confidence, against them.

Source: Northcutt, Jiang and Chuang, Confident Learning: Estimating Uncertainty in Dataset Labels
(2021): predictions out of fold, a threshold for each class, and what lies beyond another class's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from treadle.study.out_of_fold import Examples, Floats, Places, folds_of, out_of_fold

NUM_FOLDS = 5
FOLDS_OF_MANY = 4
_MANY_ROWS = 15_000
_FAR = 6.0
_UNLIKELY = 0.75
_SUREST = 0.85
_PLAIN = 0.85
_BANDS = 10
_FEWEST_ROWS = 60
_MOST_SUSPECTS = 0.2
_ROWS_A_BAND = 50

Predict = Callable[[NDArray[np.bool_]], Floats]
"""which rows may be learned from, bool [N] → predictions out of fold, [N, K] or [N]"""


@dataclass(frozen=True, kw_only=True)
class Suspects:
    """Rows whose answer is probably wrong, worst first.

    rows:      int64 [S], places in the data that was looked at
    doubt:     float64 [S]: how sure it is; classes: 1 − the probability of the given answer;
               numbers: how many usual distances the answer lies from what was expected
    suggested: what the rest of the data says: class codes int64 [S], or values float64 [S]
    predicted: predictions out of fold for every row, with less help of the suspects
    before:    predictions out of fold for every row, learned from all answers as they are
    """

    rows: Places
    doubt: Floats
    suggested: NDArray[Any]
    predicted: Floats
    before: Floats


def find_label_errors(
    examples: Examples, *, seed: int = 0, threads: int = 1, predict: Predict | None = None
) -> Suspects | None:
    """Return the rows whose answers are probably wrong; None where there are too few to say.

    Looks twice: the second time without learning from what the first look doubted most.

    predict: another learner, for what is no table
    """
    if len(examples) < _FEWEST_ROWS:
        return None
    ask = predict or _quick_learner(examples, seed, threads)
    everything = np.ones(len(examples), bool)
    before = ask(everything)
    first = doubts(before, examples.truth)
    surest = _doubted(before, examples.truth, first)
    if not examples.is_number:
        surest &= first >= _SUREST
    after = ask(_with_every_class(everything & ~surest, examples))
    if not examples.is_number:  # two opinions: leaving rows out makes the second one too sure
        after = (before + after) / 2
    ranked = doubts(after, examples.truth)
    doubted = _doubted(after, examples.truth, ranked)
    if not examples.is_number:  # what is a toss-up for a learner of all answers is no error
        doubted &= doubts(before, examples.truth) >= _UNLIKELY
    rows = np.flatnonzero(doubted)
    rows = rows[np.argsort(-ranked[rows], kind="stable")]
    suggested = after[rows] if examples.is_number else _others(after, examples.truth)[rows]
    return Suspects(
        rows=rows, doubt=ranked[rows], suggested=suggested, predicted=after, before=before
    )


def _quick_learner(examples: Examples, seed: int, threads: int) -> Predict:
    count = NUM_FOLDS if len(examples) <= _MANY_ROWS else FOLDS_OF_MANY
    folds = folds_of(examples, count, seed)

    def predict(learn: NDArray[np.bool_]) -> Floats:
        return out_of_fold(examples, folds, seed=seed, threads=threads, learn=learn)

    return predict


def _with_every_class(learn: NDArray[np.bool_], examples: Examples) -> NDArray[np.bool_]:
    """Let rows of a class be learned from after all where nearly none of it would be left."""
    for code in range(examples.classes):
        of_class = examples.truth == code
        if (learn & of_class).sum() < 0.5 * of_class.sum():
            learn = learn | of_class
    return learn


def doubts(predicted: Floats, truth: NDArray[Any]) -> Floats:
    """Return how doubtful each answer is, float64 [N]; more is worse."""
    if predicted.ndim == 2:
        given: Floats = predicted[np.arange(len(truth)), truth]
        return 1.0 - given
    return _distances(predicted, truth)


def _distances(predicted: Floats, truth: NDArray[Any]) -> Floats:
    """Return how many usual distances each value lies from its prediction, float64 [N].

    What is usual is the median distance among rows of like predictions, times 1.4826, so that it
    is a standard deviation for normal errors. Source: Rousseeuw and Croux (1993).
    """
    off = np.asarray(truth, np.float64) - predicted
    bands = max(1, min(_BANDS, len(off) // _ROWS_A_BAND))
    place = np.argsort(np.argsort(predicted, kind="stable"), kind="stable") * bands // len(off)
    overall = float(np.median(np.abs(off - np.median(off)))) or float(off.std()) or 1.0
    usual = np.empty(len(off))
    for band in range(bands):
        inside = place == band
        usual[inside] = np.median(np.abs(off[inside] - np.median(off[inside])))
    found: Floats = np.abs(off) / (1.4826 * np.maximum(usual, 0.2 * overall))
    return found


def _others(predicted: Floats, truth: NDArray[Any]) -> Places:
    """Return the likeliest class other than the given one, int64 [N]."""
    rest = predicted.copy()
    rest[np.arange(len(truth)), truth] = -1.0
    found: Places = rest.argmax(axis=1).astype(np.int64)
    return found


def _doubted(predicted: Floats, truth: NDArray[Any], ranked: Floats) -> NDArray[np.bool_]:
    """Return which rows count as probably wrong, bool [N].

    Classes: the probability of another class reaches what rows of that class have on average (or
    .85), and is above that of the given one. Numbers: six usual distances away.
    """
    if predicted.ndim == 1:
        far: NDArray[np.bool_] = ranked >= _FAR
        return far
    classes = predicted.shape[1]
    usual = np.array(
        [predicted[truth == k, k].mean() if (truth == k).any() else 1.0 for k in range(classes)]
    )
    above = np.where(predicted >= np.minimum(usual, _PLAIN), predicted, -1.0)
    best = above.argmax(axis=1)
    given = predicted[np.arange(len(truth)), truth]
    found: NDArray[np.bool_] = (above.max(axis=1) > np.maximum(given, 0)) & (best != truth)
    if found.mean() > _MOST_SUSPECTS:
        found &= ranked >= np.quantile(ranked, 1 - _MOST_SUSPECTS)
    return found
