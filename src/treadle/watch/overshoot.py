"""Signs of a learning rate that is too high, in the losses of the batches and in the units."""

from __future__ import annotations

import math

import numpy as np

from treadle.watch.evidence import Array, Evidence
from treadle.watch.evidence_signs import without_worst
from treadle.watch.verdict import sureness

SURE = 3.0
"""Standard errors from which a rise is no chance."""

ROSE = 0.25
"""The share of what was gained that the training loss gave up again, and did not win back."""

OVERSHOT, OVERSHOT_FIRST = 1.25, 1.5
"""Times the loss of the first batch, and of a constant answer, that three windows are above: sound
trainings come up to 1.17 of it; and where there is no constant answer to go by, only the first
batches, which scatter: up to 1.3."""

LEARNED, CHANCE, FEWEST_TIMES = 0.3, 0.5, 3
"""Shares of a constant answer's loss below which a model has learned, and above which it has lost
that; and how often that must happen."""

DIED = 0.7
"""The share of a layer's units that fell silent while training."""

Sign = tuple[float, str, dict[str, float]]
"""How sure one sign makes of a rate that is too high, why in words, and the numbers."""


def rose(evidence: Evidence) -> Sign | None:
    """Tell whether the training loss rose again for good, or never came below a constant answer."""
    mean = evidence.windows.mean
    constant = evidence.untrained
    if len(mean) < 8 or not math.isfinite(constant):
        return None
    quarters = [float(np.median(part)) for part in np.array_split(mean, 4)]
    lowest, end = min(quarters), quarters[-1]
    share = (end - lowest) / max(constant - lowest, 1e-12)
    if lowest < constant and share > ROSE and _apart(mean, quarters):
        why = f"its error in training fell to {lowest:.3g} and rose again to {end:.3g}"
        return sureness(share, ROSE), why, {"lowest": lowest, "end": end}
    return None


def _apart(mean: Array, quarters: list[float]) -> bool:
    """Tell whether the last quarter is above the lowest one by more than both scatter."""
    parts = np.array_split(mean, 4)
    low, end = parts[int(np.argmin(quarters))], parts[-1]
    error = math.hypot(*(float(p.std()) / math.sqrt(len(p)) for p in (low, end)))
    return quarters[-1] - min(quarters) > SURE * error


def died(evidence: Evidence) -> Sign | None:
    """Tell whether most units of a layer fell silent while training."""
    if evidence.last is None:
        return None
    shares = {
        name: (silent - evidence.first_silent.get(name, (units, silent))[1]) / max(units, 1)
        for name, (units, silent) in evidence.last.silent.items()
        if units >= 4
    }
    worst = max(shares.values(), default=0.0)
    if worst < DIED:
        return None
    why = f"{worst:.0%} of the units of a layer fell silent while it trained"
    return sureness(worst, DIED), why, {"died": round(worst, 3)}


def thrown(evidence: Evidence) -> Sign | None:
    """Tell whether the model was thrown off again and again: back to answers like chance."""
    jumps, constant = evidence.jumps, evidence.untrained
    thrown = (jumps.usual < LEARNED * constant) & (jumps.loss > CHANCE * constant)
    steps = jumps.step[thrown]
    times = int((np.diff(steps) > 1).sum()) + 1 if len(steps) else 0
    if times < FEWEST_TIMES:
        return None
    why = f"{times} times its error jumped up to that of guessing, and had to be won back"
    return sureness(times, FEWEST_TIMES / 2), why, {"thrown_off": times}


def overshot(evidence: Evidence) -> Sign | None:
    """Tell whether the training loss went far above that of a model that knows nothing."""
    mean, first = evidence.windows.mean, evidence.windows.first
    # in other units than those of the rows the first batch alone is the yardstick: take a few
    early = first if evidence.same_units or not len(mean) else max(first, float(mean[0]))
    known = [x for x in (early, evidence.untrained) if math.isfinite(x)]
    if len(mean) < 8 or not known or max(known) <= 0:
        return None
    others = without_worst(evidence.windows)
    three = np.median(np.stack([others[:-2], others[1:-1], others[2:]]), axis=0)
    times = float(three.max()) / max(known)
    if times < (OVERSHOT if evidence.same_units else OVERSHOT_FIRST):
        return None
    why = f"its error in training went up to {times:.3g} times that of a model that knows nothing"
    return sureness(times - 1.0, OVERSHOT - 1.0), why, {"times": round(times, 3)}
