"""Successive halving over whole trainings: many short ones, the best of them again for longer.

Source: Jamieson and Talwalkar, Non-stochastic best arm identification and hyperparameter
optimization, AISTATS 2016. A training is not broken off and gone on with: each length is a whole
training whose schedule runs out, because half of a long one tells little of its end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from treadle.contracts import Json

THIRD = 3


class Bracket(NamedTuple):
    """How many settings are tried first, and at which shares of a usual training's length."""

    settings: int
    shares: tuple[float, ...]

    @property
    def whole_lengths(self) -> float:
        """How many whole lengths all its trainings take together."""
        return float(sum(share * self.trials_at(n) for n, share in enumerate(self.shares)))

    @property
    def num_trials(self) -> int:
        return sum(self.trials_at(n) for n in range(len(self.shares)))

    def trials_at(self, rung: int) -> int:
        """Return how many settings are still there at a length."""
        return int(self.settings // THIRD**rung)


BRACKETS = (
    Bracket(9, (1 / 9, 1 / 3, 1.0)),
    Bracket(3, (1 / 3, 1.0)),
    Bracket(3, (1 / 3,)),
)
"""What may be tried at once, the most thorough first: the last where time holds nothing more."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training of a bracket.

    name:    its run folder's; bracket: which of its family's, from 1
    changes: the settings that are not the usual ones
    share:   of a usual training's length
    value:   of the deciding metric on validation; steps, seconds: what it took
    """

    name: str
    family: str
    bracket: int = 1
    changes: Json = field(default_factory=dict)
    share: float = 1.0
    value: float = math.nan
    steps: int = 0
    seconds: float = 0.0

    def recorded(self) -> Json:
        return asdict(self)

    @classmethod
    def of(cls, record: Any) -> Trial:
        """Return the trial that a journal's line holds; no number stands for one that failed."""
        value = record.get("value")
        return cls(**(record | {"value": math.nan if value is None else value}))


def best_third(trials: Sequence[Trial], rank: Callable[[float], float]) -> list[Trial]:
    """Return the better third, at least one, of those that came to a result; the best first.

    rank: value → larger is better
    """
    sound = [trial for trial in trials if math.isfinite(trial.value)]
    ordered = sorted(sound, key=lambda trial: (-rank(trial.value), trial.name))
    return ordered[: max(1, len(trials) // THIRD)]
