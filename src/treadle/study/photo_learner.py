"""Predictions for every photo by a quick learner on frozen features that did not learn from it."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from treadle.study.label_errors import NUM_FOLDS, Predict
from treadle.study.out_of_fold import Examples, Floats, folds_of

_STRENGTH = 13.0
"""Over the number of photos: so much the fewer photos there are, the more each counts."""
_MOST_STEPS = 300


def photo_learner(examples: Examples, seed: int = 0) -> Predict:
    """Return a learner of probabilities out of fold: logistic regression on scaled features.

    examples: `columns` are what a frozen network sees, float32 [N, D]
    """
    folds = folds_of(examples, NUM_FOLDS, seed)
    columns = examples.columns
    scaled = (columns - columns.mean(axis=0)) / np.maximum(columns.std(axis=0), 1e-6)

    def predict(learn: NDArray[np.bool_]) -> Floats:
        from sklearn.linear_model import LogisticRegression

        found = np.zeros((len(examples), examples.classes))
        for fold in range(NUM_FOLDS):
            held = folds == fold
            train = learn & ~held
            model = LogisticRegression(C=_STRENGTH / len(examples), max_iter=_MOST_STEPS)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(scaled[train], examples.truth[train])
            places = np.flatnonzero(held)
            found[places[:, None], model.classes_] = model.predict_proba(scaled[held])
        return found

    return predict
