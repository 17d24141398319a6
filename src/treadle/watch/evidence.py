"""What the verdicts on a training go by: curves, a few measurements at its end, and nothing else.

Everything is a number or an array of numbers, so a verdict can be tried without a training.
Losses are those that training lowers, so lower is better throughout. What a kind of model or data
cannot tell is absent (None), never made up.

Shape legend: V validations, W windows of batches, N sampled train rows, M sampled validation rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = "NDArray[np.float64]"


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The validations of a training, oldest first.

    steps, train, held_out: [V]: where, mean loss of the batches since the one before, loss on
                            validation (NaN where it was not measured)
    """

    steps: Array
    train: Array
    held_out: Array


@dataclass(frozen=True, kw_only=True)
class Windows:
    """The losses of all batches in windows of equal length: what a curve of validations hides.

    batches, mean, spread, highest: [W]: how many there were, their mean, their standard deviation,
                                    the highest of them
    first: the loss of the very first batch, NaN where there was none
    """

    batches: Array
    mean: Array
    spread: Array
    highest: Array
    first: float = math.nan


@dataclass(frozen=True, kw_only=True)
class Jumps:
    """Batches whose loss was many times the usual one.

    step, usual, loss, after: [J]: where, what was usual before, their loss, that of the next batch
                              (NaN where there was none)
    """

    step: Array
    usual: Array
    loss: Array
    after: Array


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a model does, with certain weights, in evaluation mode.

    train, held_out: [N], [M]: the loss of each row
    missed:          [M]: how far the answer to a row was off: 0 or 1 for classes, else squared
    sureness:        [M]: the probability of the class it named; None where it names none
    said, truth:     [M]: a number it said, and the true one; None where it names classes
    classes:         how many classes there are; 0 where there are none
    silent:          by layer, (units, how many of them were zero for every row), where units can be
    """

    train: Array | None = None
    held_out: Array | None = None
    missed: Array | None = None
    sureness: Array | None = None
    said: Array | None = None
    truth: Array | None = None
    classes: int = 0
    silent: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Column:
    """The one input that tells most of the answer alone.

    name:  as it is said to people: "number 3", "the column 'paid'"

    right: the share of a constant answer's errors that it alone takes away
    next:  the same of the best input that is no copy of it; None where the look at the data told
           of it, which measures otherwise and says its figure itself
    """

    name: str
    right: float
    next: float | None


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What a trial, a short training from the last weights on, came to.

    factor: on the rate; steps: how long; falls: the rate ran out towards its end
    free:   without weight decay, and without leaving units out
    train, held_out: [N], [M]: the losses after it; infinite where the trial left the numbers
    """

    factor: float
    steps: int
    train: Array | None
    held_out: Array
    falls: bool = False
    free: bool = False

    @property
    def broke(self) -> bool:
        """Whether the trial left the finite numbers."""
        return not bool(np.isfinite(self.held_out).all())


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of a training at its end, or, without what is measured there, on its way.

    rows, held_out_rows: how many the train and the validation part have
    skipped, rollbacks:  batches whose loss was no number; times that the model was put back
    better_rate: the factor on the rate that did best in short trainings, where the first steps had
                them asked, or 1; where it is below 1, training began anew at it
    constant:   [M]: the loss of each validation row for the best answer that is always the same
    constant_missed: [M]: how far off that answer is
    other:      [M]: how far off the answers of a quick learner of another kind are
    first_silent: as `silent` of Seen, before the first step
    last, best: the model with its last weights, and with those of its best validation
    wild:       [B, 2]: batches whose numbers reach far beyond the others': the step, and how many
                times as far
    wild_rows:  the same of rows of the train part: how many, and how many times as far
    decayed:    how many times over the weights would have decayed away: rate × decay × steps
    left_out:   the largest share of units that dropout leaves out
    weights_left: the size of the weights, as a share of what it was before the first step
    untouched:  of trees, the share of the error that so many rounds at their rate must leave, be
                the data as it may; NaN for other models
    same_units: training lowers the loss that is measured on the rows, and no other
    """

    step: int
    rows: int
    held_out_rows: int
    curve: Curve
    windows: Windows
    jumps: Jumps
    steps_per_epoch: int
    best_step: int | None = None
    skipped: int = 0
    rollbacks: int = 0
    better_rate: float = 1.0
    first_silent: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    last: Seen | None = None
    best: Seen | None = None
    constant: Array | None = None
    constant_missed: Array | None = None
    other: Array | None = None
    column: Column | None = None
    probes: tuple[Probe, ...] = ()
    wild: Array = field(default_factory=lambda: np.empty((0, 2)))
    wild_rows: tuple[int, float] = (0, 0.0)
    decayed: float = 0.0
    left_out: float = 0.0
    weights_left: float = 1.0
    untouched: float = math.nan
    same_units: bool = True

    @property
    def constant_loss(self) -> float:
        """The loss of the best constant answer: the yardstick; NaN where it is not known."""
        return math.nan if self.constant is None else float(self.constant.mean())

    @property
    def untrained(self) -> float:
        """The training loss of a model that knows nothing: a constant answer's, or the first."""
        return self.constant_loss if self.same_units else self.windows.first


def standard_error(values: Array) -> float:
    """Return the standard error of a mean; infinite for fewer than two values."""
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.inf


def surely(values: Array) -> float:
    """Return by how many standard errors a mean is above zero."""
    error = standard_error(values)
    mean = float(values.mean()) if len(values) else 0.0
    return mean / error if error > 0 else math.copysign(math.inf, mean) if mean else 0.0
