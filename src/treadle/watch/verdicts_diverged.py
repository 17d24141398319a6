"""The verdict on a training that ran away."""

from __future__ import annotations

import math

import numpy as np

from treadle.watch.evidence import Evidence
from treadle.watch.evidence_signs import without_worst
from treadle.watch.verdict import Verdict

RAN_AWAY = 10.0
"""Times the loss of a model that knows nothing at which the last quarter of a training lies."""


def diverged(evidence: Evidence) -> Verdict | None:
    """Tell whether the training loss ran away and stayed far above that of knowing nothing."""
    others, first = without_worst(evidence.windows), evidence.windows.first
    known = [x for x in (first, evidence.untrained) if math.isfinite(x)]
    if len(others) < 8 or not known or max(known) <= 0:
        return None
    times = float(np.median(others[-len(others) // 4 :])) / max(known)
    if times < RAN_AWAY:
        return None
    return Verdict(
        name="diverged",
        confidence=0.97,
        sentence=(
            f"The training ran away: its error was {times:.2g} times that of a model that knows "
            "nothing, and stayed there."
        ),
        action="Train again with a tenth of the learning rate, and look for wild numbers.",
        saw={"times": times},
    )
