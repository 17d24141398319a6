"""The verdict on a learning rate that is too high.

What was seen while training speaks for it (rollbacks, a loss that rose or overshot, units that fell
silent), and short trainings at the end: at a lower rate a model that only bounced about comes to
rest, and at the rate that was given one that had been helped by a lower one is harmed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from treadle.watch.evidence import Evidence, surely
from treadle.watch.evidence_signs import fell
from treadle.watch.overshoot import Sign, died, overshot, rose, thrown
from treadle.watch.trials import LOWERED, gain, gain_of
from treadle.watch.verdict import Verdict, sureness

HIGHER_BY = 8.0
"""The factor on the rate that its first steps had asked for, from which on it was not too high."""

SETTLED = 0.13
"""What must be gained at a tenth of the rate. Sound trainings gain up to 0.1 of it, for they, too,
bounce a little."""

HARMED, FAR, HARMED_MUCH = 0.08, 0.15, 0.3
"""What a short training at the rate that was given must lose of what a lower one gained: trainings
whose rate had been lowered for nothing lose up to 0.01, the others 0.1 and more; and the factor on
the rate above which it was not far off, and must do more harm."""

SURE, SURELY = 3.0, 1.64
"""Standard errors, of the differences row by row, from which a difference is no chance: alone, and
where another measurement must agree."""

BY_HEART = 0.5
"""The share of a constant answer's loss below which the train rows were learned."""


def rate_too_high(evidence: Evidence) -> Verdict | None:
    """Tell whether the training overshot: was put back, bounced, rose, or lost its units."""
    every = _put_back, _began_anew, _settles, rose, died, thrown, overshot, _lost
    return _said(evidence, every)


def put_back_or_thrown(evidence: Evidence) -> Verdict | None:
    """Tell of a rate that is too high by what is seen while training."""
    return _said(evidence, (_put_back, thrown))


def _said(evidence: Evidence, every: Sequence[Callable[[Evidence], Sign | None]]) -> Verdict | None:
    if evidence.better_rate > HIGHER_BY:  # from the start, far higher rates did better
        return None
    signs = [sign(evidence) for sign in every]
    found = [sign for sign in signs if sign is not None]
    if not found:
        return None
    _, why, saw = max(found, key=lambda sign: sign[0])
    taken = evidence.rollbacks > 0 or evidence.better_rate <= LOWERED
    return Verdict(
        name="rate_too_high",
        confidence=1.0 - math.prod(1.0 - sign[0] for sign in found),
        sentence=f"The model learned in steps that were too large (learning rate too high): {why}.",
        action=(
            "It was put back to earlier weights and went on with smaller steps."
            if taken
            else "Train again with a tenth of the learning rate, or let Treadle look for one "
            "(--lr auto)."
        ),
        taken=taken,
        saw=saw,
    )


def _put_back(evidence: Evidence) -> Sign | None:
    if not evidence.rollbacks:
        return None
    times = "once" if evidence.rollbacks == 1 else f"{evidence.rollbacks} times"
    return (
        0.95,
        f"its loss ran away and it had to be put back {times}",
        {"rollbacks": evidence.rollbacks},
    )


def _began_anew(evidence: Evidence) -> Sign | None:
    """Tell whether the rate had to be lowered in the first steps, and not for nothing."""
    must = HARMED if evidence.better_rate <= FAR else HARMED_MUCH
    if evidence.better_rate > LOWERED or _harm(evidence) < must:
        return None
    why = (
        "its first steps made it worse, and short trials did best at "
        f"{evidence.better_rate:.2g} of the rate"
    )
    return 0.9, why, {"lowered_to": evidence.better_rate}


def _harm(evidence: Evidence) -> float:
    """Return what a short training at the rate as it was given did to the model; 1 where none was
    made, or its loss left the finite numbers."""
    given = 1 / evidence.better_rate
    tries = [p for p in evidence.probes if p.factor == given and not (p.free or p.falls)]
    last = evidence.last
    if last is None or last.held_out is None or not tries or tries[0].broke:
        return 1.0
    before, after = last.held_out, tries[0].held_out
    if last.train is not None and tries[0].train is not None:  # which no learning by heart harms
        before, after = last.train, tries[0].train
    most = evidence.constant_loss
    # one row's loss may be millions: that many became worse is what makes it sure
    sure = surely(np.clip(after - before, -10 * most, 10 * most)) > SURELY
    return gain(after, before, most) if sure else 0.0


def _settles(evidence: Evidence) -> Sign | None:
    """Tell whether a short stretch at a lower rate makes the model much better."""
    last = evidence.last
    tries = [p for p in evidence.probes if p.factor < 1 and not p.broke]
    if last is None or last.held_out is None or not tries:
        return None
    best = min(tries, key=lambda p: float(p.held_out.mean()))
    settled = gain(last.held_out, best.held_out, evidence.constant_loss)
    if settled < SETTLED or surely(last.held_out - best.held_out) < SURE:
        return None
    why = (
        f"it bounced about, and {best.steps:,} more steps with a {1 / best.factor:g}th of the rate "
        f"brought the error on validation from {last.held_out.mean():.3g} to "
        f"{best.held_out.mean():.3g}"
    )
    return sureness(settled, SETTLED), why, {"gain": round(settled, 4), "factor": best.factor}


def _lost(evidence: Evidence) -> Sign | None:
    """Tell whether even the best model is worse than a constant answer, and not by heart."""
    last, best, constant = evidence.last, evidence.best, evidence.constant
    if last is None or best is None or best.held_out is None or constant is None:
        return None
    if last.train is None or float(last.train.mean()) < BY_HEART * float(constant.mean()):
        return None
    if surely(best.held_out - constant) < SURELY or fell(evidence) > SURE:
        return None
    if any(gain_of(evidence, found) for found in evidence.probes if found.factor > 1):
        return None
    why = "its answers are worse than always giving the same one, and do not get better"
    return 0.6, why, {"error": float(best.held_out.mean()), "constant": float(constant.mean())}
