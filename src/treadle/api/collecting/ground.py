"""What `treadle collect` needs of a run of any kind: rows to learn from, and how to fit on some."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.api.bootstrap import drawn_values
from treadle.contracts import Json
from treadle.goal import Metric
from treadle.study.data_size import loss_of, value_of
from treadle.study.part_gain import Part

Array: TypeAlias = NDArray[Any]
Places: TypeAlias = NDArray[np.int64]

DRAWS = 200


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to fit: which models, and how long a training, as a share of the usual length.

    seconds: about how long that takes on all rows
    same:    it is what the run itself did, so that its own figure belongs to the curve
    words:   said of the curve where it is not
    """

    models: tuple[str, ...]
    length: float
    seconds: float
    same: bool
    words: str


@dataclass(frozen=True, kw_only=True)
class Example:
    """What a good example looks like.

    fields: (name, what it is in words), the answer last; rows: of each example the cells in order
    photos: data URIs with what they show; left_out: how many more fields there are
    """

    fields: Sequence[tuple[str, str]] = ()
    rows: Sequence[Sequence[str]] = ()
    photos: Sequence[tuple[str, str]] = ()
    left_out: int = 0


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A run's data, ready to be learned from in part.

    kind, task: as the run has them; noun: what a row is called, in the singular
    truth:     of the validation rows
    pieces:    the train rows in random order, in pieces that stay whole
    ways:      how fits may be made, the closest to what the run did first
    fit:       rows to learn from, a way, a seed → the answers for the validation rows
    answered:  the run's own answers for the validation rows
    far:       answers → how far off each is, in words' units and finer: two float64 [N]
    parts:     answers of the run or of a fit like it → parts that may want more rows
    example:   a part, or None for any row → what a good example looks like
    moments:   of the train rows, in seconds, where there is a column of time
    facts:     for words: target, positive, classes
    """

    kind: str
    task: str
    noun: str
    metric: Metric
    truth: Array
    pieces: list[Places]
    num_rows: int
    ways: Sequence[Way]
    fit: Callable[[Places, Way, int], Array]
    answered: Callable[[], Array]
    far: Callable[[Array], tuple[Array, Array]]
    parts: Callable[[Array], list[Part]]
    example: Callable[[Part | None], Example]
    moments: Array | None = None
    notes: list[str] = field(default_factory=list)
    facts: Json = field(default_factory=dict)

    def loss_of(self, value: float) -> float:
        """Return what a value of the metric falls short of the best there is."""
        return loss_of(self.metric, value)

    def value_of(self, loss: float) -> float:
        """Return the metric's value at such a loss."""
        return value_of(self.metric, loss)

    def drawn(self, answers: Array) -> Array:
        """Return that loss on draws of the validation rows, [D], the same rows for all answers."""
        drawn = drawn_values([self.metric], self.truth, answers, draws=DRAWS, seed=0)
        values = drawn[self.metric.name]
        return 1 - values if self.metric.higher_is_better else values

    def error(self, answers: Array) -> float:
        """Return the standard error of that loss over the validation rows."""
        finite = (drawn := self.drawn(answers))[np.isfinite(drawn)]
        return float(finite.std()) if len(finite) > 1 else 0.0
