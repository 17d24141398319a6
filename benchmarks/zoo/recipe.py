"""A recipe: a training whose trouble is known, because it was planted, or known to have none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Kind = Literal["table", "images", "events", "module"]
Cause = Literal[
    "healthy",
    "rate_too_high",
    "rate_too_low",
    "overfitting",
    "underfitting",
    "noisy_labels",
    "leak",
    "small_validation",
    "spike",
    "dead_units",
    "plateau",
]
KINDS: tuple[Kind, ...] = ("table", "images", "events", "module")
CAUSES: tuple[Cause, ...] = Cause.__args__  # type: ignore[attr-defined]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is trained, how, and what is wrong with it.

    base:     the sound training that the cause was planted in
    settings: all that the run follows from, a record of base and plant; its trainer reads it
    accepts:  verdict → why it is as right as the planted one
    needs:    the folder of real data without which this cannot be trained, or ""
    """

    name: str
    cause: Cause
    kind: Kind
    base: str
    seed: int
    settings: Any
    accepts: Mapping[str, str] = field(default_factory=dict)
    needs: str = ""

    @property
    def key(self) -> str:
        """Return a hash of everything that the run follows from."""
        told = [self.name, self.cause, self.seed, asdict(self.settings)]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a run goes and what it may use.

    data:         folder of real data sets, or None where there are none
    cache:        for what is computed once of real data
    steps_factor: 1, or how many times the planned steps are to be taken, without early stopping
    """

    folder: Path
    data: Path | None
    cache: Path
    steps_factor: int = 1
