"""The verdict on learning that stood still: most of the time brought nothing."""

from __future__ import annotations

import numpy as np

from treadle.watch.evidence import Curve, Evidence
from treadle.watch.verdict import Verdict, sureness

FEWEST_VALIDATIONS = 16
STOOD = 0.87
"""The share of the steps without which the result would have been as good. Sound trainings stand
still for up to 0.83 of theirs."""

NEXT_TO_NOTHING = 0.02
"""The share of all that was gained on validation which counts as nothing more."""

LOST, LEARNED = 0.1, 0.1
"""Shares of all that was gained that validation may have lost again, and that the training loss may
have gained since: beyond these it did not stand still, it learned by heart."""


def plateau(evidence: Evidence) -> Verdict | None:
    """Tell whether learning stood still for most of the training."""
    found = _stood_from(evidence.curve)
    if found is None:
        return None
    step, share = found
    stood = 1.0 - step / evidence.step
    if stood < STOOD:
        return None
    return Verdict(
        name="plateau",
        confidence=sureness(stood - 0.5, STOOD - 0.5) * 0.5 + 0.45,
        sentence=(
            f"From step {step:,} on learning stood still (a plateau): the other {stood:.0%} of the "
            f"training brought {share:.1%} of all that was gained, and more steps would bring "
            "nothing."
        ),
        action=(
            'Stop sooner, for instance --until "no better for 5"; for better answers it takes '
            "other inputs, more examples or another model."
        ),
        saw={"from_step": step, "stood": round(stood, 3), "gained_since": round(share, 4)},
    )


def _stood_from(curve: Curve) -> tuple[int, float] | None:
    """Return the step of the first validation that was as good as any, and the share of all that
    was gained that came later; None where it was no standing still."""
    held_out, train = curve.held_out, curve.train
    if len(held_out) < FEWEST_VALIDATIONS or not np.isfinite(held_out).all():
        return None
    best = np.minimum.accumulate(held_out)
    gained = float(held_out[0] - best[-1])
    at = int(np.argmax(best <= best[-1] + NEXT_TO_NOTHING * gained))
    late = held_out[-max(1, len(held_out) // 4) :]
    fell = train[np.isfinite(train)]
    quarter = max(1, (len(train) - at) // 4)
    learned = float(train[at:][:quarter].mean() - train[-quarter:].mean())
    if gained <= 0 or float(np.median(late)) > best[-1] + LOST * gained or not len(fell):
        return None
    if not learned <= LEARNED * max(float(fell.max() - fell.min()), 1e-12):
        return None
    return int(curve.steps[at]), float(best[at] - best[-1]) / gained
