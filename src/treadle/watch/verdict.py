"""A verdict: what is wrong with a training, how sure that is, and one thing to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Literal, TypeAlias

from treadle.contracts import Json

Name: TypeAlias = Literal[
    "rate_too_high",
    "rate_too_low",
    "overfitting",
    "underfitting",
    "plateau",
    "noisy_labels",
    "leak",
    "dead_units",
    "small_validation",
    "spike",
    "diverged",
]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was noticed of a training, in words that anybody understands.

    confidence: 0 … 1; at one half it is as likely as not
    action:     one thing to do, or what was done
    taken:      the action was taken already
    saw:        the numbers it goes by
    """

    name: Name
    confidence: float
    sentence: str
    action: str
    taken: bool = False
    saw: Json = field(default_factory=dict)

    def as_json(self) -> Json:
        """Return the verdict as result.json and the journal hold it."""
        return asdict(self) | {"confidence": round(self.confidence, 3)}


def sureness(value: float, threshold: float) -> float:
    """Return how sure a value makes that stands above its threshold: one half there, 1 far above.

    It takes twice the threshold for three quarters, and ten times as much for 95 of 100.
    """
    return 1.0 - 0.5 * min(1.0, threshold / value) if value > 0 else 0.0
