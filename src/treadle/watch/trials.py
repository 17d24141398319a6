"""Which short trainings are worth making at the end, to learn what was wrong with the long one.

From the last weights on, training is turned for a few more steps and undone: at a lower rate, where
it is asked whether the model only bounced about; at a higher one, where it is asked whether it only
crept; without weight decay and dropout, where these may have held it back; and at the rate that was
given, where the first steps had it lowered.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from treadle.watch.evidence import Array, Evidence, Probe
from treadle.watch.evidence_signs import best_at_end, fell

LOWER, HIGHER, LONGER = 40, 20, 8
"""Of how many steps of the training a trial takes one: at a lower rate, at a higher one, and for
longer, where something speaks for a higher rate that the first trial could not settle, or for a
model that is held back."""

FEWEST_STEPS, MOST_STEPS = 10, 500
"""Of a trial. In so many steps at thirty times the rate a training goes as far as in 15,000."""

FALLS = 2.0
"""By how many standard errors the training loss must fall in the second half, for a higher rate to
be tried."""

SUSPECT = 0.03
"""What the first trial of a higher rate must gain for a longer one."""

HARDLY = 0.3
"""The share of a constant answer's loss below which all that was learned is little."""

DECAYED, LEFT_OUT = 2.0, 0.5
"""How many times over the weights would have decayed away, by rate and steps, and which share of
the units is left out at a time, from which on these may have held the model back."""

LOWERED = 0.34
"""The factor that the first steps put on the rate, up to which it is asked whether they were right.
"""

NEXT_TO_NOTHING = 0.02
"""The least share of a constant answer's loss that counts as the way from it."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A short training from the last weights on.

    factor: on the rate; steps: how long
    falls:  the rate runs out towards the end, so that what bounces comes to rest
    free:   without weight decay and without leaving units out
    """

    factor: float
    steps: int
    falls: bool = False
    free: bool = False


def wanted_trials(evidence: Evidence, *, is_behind: bool = False) -> list[Trial]:
    """Return the trials that are worth making and were not made: ask again after each round.

    is_behind: a quick learner of another kind is far better
    """
    made = [_of(probe) for probe in evidence.probes]
    return [trial for trial in _worth_making(evidence, is_behind) if trial not in made]


def _of(probe: Probe) -> Trial:
    """Return the trial that was made."""
    return Trial(factor=probe.factor, steps=probe.steps, falls=probe.falls, free=probe.free)


def _worth_making(evidence: Evidence, is_behind: bool) -> Iterator[Trial]:
    given = 1 / min(evidence.better_rate, 1.0)  # the factor that leads to the rate as it was given
    yield Trial(factor=0.1, steps=_steps(evidence, LOWER))
    if evidence.decayed > DECAYED or evidence.left_out >= LEFT_OUT:
        yield Trial(factor=given, steps=_steps(evidence, LONGER), falls=True, free=True)
    lowered = evidence.better_rate <= LOWERED
    if lowered:
        yield Trial(factor=given, steps=_steps(evidence, LOWER))
    little = best_at_end(evidence) and _learned_little(evidence)
    suspected = is_behind or evidence.better_rate > 1 or little
    if not suspected and fell(evidence) <= FALLS:
        return
    first = Trial(factor=10.0 * given, steps=_steps(evidence, HIGHER), falls=True)
    yield first
    gains = [gain_of(evidence, probe) for probe in evidence.probes if _of(probe) == first]
    if suspected or any(gain > SUSPECT for gain in gains):
        yield Trial(factor=30.0 * given, steps=_steps(evidence, LONGER), falls=True)


def _steps(evidence: Evidence, share: int) -> int:
    fewest = min(FEWEST_STEPS, max(evidence.step // 10, 1))
    return min(max(evidence.step // share, fewest), MOST_STEPS)


def _learned_little(evidence: Evidence) -> bool:
    best = evidence.best or evidence.last
    if best is None or best.held_out is None or not math.isfinite(evidence.constant_loss):
        return False
    return float(best.held_out.mean()) > (1 - HARDLY) * evidence.constant_loss


def gain_of(evidence: Evidence, probe: Probe) -> float:
    """Return what a trial gained on validation over the best weights: see `gain`."""
    best = evidence.best or evidence.last
    if best is None or best.held_out is None or probe.broke:
        return 0.0
    return gain(best.held_out, probe.held_out, evidence.constant_loss)


def gain(before: Array, after: Array, constant_loss: float) -> float:
    """Return how much better losses became: the geometric mean of the share of the loss that went
    and of the share of the way from a constant answer. Alone, the first makes much of what is
    learned to the last digit, and the second of what can hardly be learned at all.
    """
    gained, left = float((before - after).mean()), float(after.mean())
    of_loss = gained / max(float(before.mean()), 1e-12)
    way = max(constant_loss - left, NEXT_TO_NOTHING * constant_loss, 1e-12)
    return math.sqrt(max(of_loss, 0.0) * max(min(gained / way, 1.0), 0.0))
