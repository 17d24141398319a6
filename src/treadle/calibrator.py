"""Probabilities brought to what happens: a map with a few numbers, kept with the model as JSON.

Of two classes every map is strictly increasing, so rankings, and what is measured of them, stay as
they are. Of several it is a temperature, and a shift for each class where that helps.
"""

from __future__ import annotations

from typing import Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat, model_validator

from treadle.contracts import Frozen
from treadle.decision import SMALLEST, log_odds

Array: TypeAlias = NDArray[Any]
Method = Literal["as_is", "platt", "beta", "isotonic", "temperature", "shifted"]
LEAST_SLOPE = 1e-3


class Calibrator(Frozen):
    """How the model's probabilities become those that are said.

    as_is:       they are said as they are
    platt:       log-odds times `slope`, plus `shift`
    beta:        slope · log p − other_slope · log(1 − p) + shift are the log-odds
    isotonic:    lines between knots (`before`, `after`), both log-odds, strictly ascending
    temperature: log p divided by `temperature`
    shifted:     and `shifts` added to that, one a class, for several classes
    """

    method: Method = "as_is"
    slope: FiniteFloat = Field(default=1.0, gt=0)
    other_slope: FiniteFloat = Field(default=1.0, gt=0)
    shift: FiniteFloat = 0.0
    temperature: FiniteFloat = Field(default=1.0, gt=0)
    shifts: tuple[FiniteFloat, ...] = ()
    before: tuple[FiniteFloat, ...] = ()
    after: tuple[FiniteFloat, ...] = ()

    @model_validator(mode="after")
    def _knots(self) -> Self:
        if self.method != "isotonic":
            return self
        if len(self.before) != len(self.after) or len(self.before) < 2:
            raise ValueError("an isotonic map needs two knots at least")
        if min(np.diff(self.before).min(), np.diff(self.after).min()) <= 0:
            raise ValueError("the knots of an isotonic map must ascend")
        return self

    def __call__(self, probabilities: Array) -> Array:
        """Return probabilities of the same shape, [N, C]; float64 unless they stay as they are."""
        if self.method == "as_is":
            return probabilities
        if self.method == "temperature":
            return softened(probabilities, self.temperature)
        if self.method == "shifted":
            return softened(probabilities, self.temperature, np.array(self.shifts))
        odds = self.odds(probabilities[:, 1].astype(np.float64))
        positive = 1 / (1 + np.exp(-np.clip(odds, -700, 700)))
        return np.stack([1 / (1 + np.exp(np.clip(odds, -700, 700))), positive], axis=1)

    def odds(self, probability: Array) -> Array:
        """Return the log-odds that are said where the model says `probability`, [N]."""
        if self.method == "platt":
            return self.slope * log_odds(probability) + self.shift
        if self.method == "beta":
            safe = np.clip(probability, SMALLEST, 1 - SMALLEST)
            found: Array = self.slope * np.log(safe) - self.other_slope * np.log1p(-safe)
            return found + self.shift
        return _lines(log_odds(probability), np.array(self.before), np.array(self.after))


def softened(probabilities: Array, temperature: float, shifts: Array | float = 0.0) -> Array:
    """Return softmax(log p / temperature + shifts), float64 [N, C].

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017; with shifts:
    Alexandari, Kundaje and Shrikumar, Maximum Likelihood with Bias-Corrected Calibration is
    Hard-To-Beat at Label Shift Adaptation, ICML 2020.
    """
    logs = np.log(np.clip(probabilities.astype(np.float64), SMALLEST, 1.0)) / temperature + shifts
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    total: Array = powers / powers.sum(axis=1, keepdims=True)
    return total


def _lines(values: Array, before: Array, after: Array) -> Array:
    """Return lines between knots, going on outside them with a slope that never is zero."""
    inside = np.interp(values, before, after)
    beyond = np.minimum(values - before[0], 0.0) + np.maximum(values - before[-1], 0.0)
    found: Array = inside + LEAST_SLOPE * beyond
    return found
