"""Which learning rate: short trainings, from few steps and many rates to many steps and few rates.

The loss over the logarithm of the rate has one valley: too low is too slow, too high overshoots.
Its lowest point is looked for downhill, by short trainings first; what is best there is tried
again by longer ones, for the valley moves to lower rates as trainings grow longer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

Try = Callable[[float, int], float]
"""(factor on the learning rate, steps) → what the training came to, lower is better; infinite where
it diverged."""

SPACING = math.sqrt(10.0)
LOWEST, HIGHEST = 1e-5, 1e5
MOST_TRIALS_A_RUNG = 12
DRIFT = 0.35
"""By how many powers of ten the best rate falls where a training is ten times as long: from sweeps
over twelve rates and five lengths of 17 small tasks."""


class Trial(NamedTuple):
    """One short training: the factor on the rate, its steps, and what it came to."""

    factor: float
    steps: int
    value: float


@dataclass(frozen=True, kw_only=True)
class Found:
    """The factor to train with (1 where all diverged), and all that was tried on the way to it."""

    factor: float
    trials: tuple[Trial, ...]


def find_rate(
    attempt: Try,
    *,
    horizon: int,
    shares: Sequence[float],
    fewest_steps: int = 20,
    start: float = 1.0,
    decades: int = 0,
) -> Found:
    """Return the factor on the learning rate that a training of `horizon` steps does best with.

    shares:  how long the trainings of each round are, as shares of the horizon, shortest first
    start:   the factor where the search begins
    decades: how many powers of ten below are tried at first whatever comes of each: far above the
             valley the land is flat, and leads nowhere
    """
    trials: list[Trial] = []
    best = start
    for share in shares:
        steps = max(fewest_steps, round(share * horizon))
        if trials and steps < 1.5 * trials[-1].steps:
            continue
        known = [] if trials else _by_decades(attempt, start, decades, steps)
        if known:
            best = min(known, key=lambda trial: trial.value).factor
        rung = _downhill(attempt, best, steps, known)
        trials += rung
        best = min(rung, key=lambda trial: trial.value).factor
    if not math.isfinite(min(trial.value for trial in rung)):
        return Found(factor=1.0, trials=tuple(trials))
    longer = max(1.0, horizon / rung[0].steps)
    return Found(factor=_lowest_point(rung) * longer**-DRIFT, trials=tuple(trials))


def _by_decades(attempt: Try, start: float, decades: int, steps: int) -> list[Trial]:
    """Try a factor and those that are lower by powers of ten; none where there are no decades."""
    factors = [start * 0.1**power for power in range(decades + 1)] if decades else []
    return [Trial(factor, steps, attempt(factor, steps)) for factor in factors]


def _downhill(attempt: Try, start: float, steps: int, known: Sequence[Trial] = ()) -> list[Trial]:
    """Try factors from `start` on, in the direction in which they get better, until none does."""
    found = {round(math.log(trial.factor / start, SPACING)): trial for trial in known}

    def value(place: int) -> float:
        factor = start * SPACING**place
        if not LOWEST <= factor <= HIGHEST:
            return math.inf
        if place not in found:
            found[place] = Trial(factor, steps, attempt(factor, steps))
        return found[place].value

    best = 0
    while len(found) < MOST_TRIALS_A_RUNG + len(known):
        if value(best) == math.inf:  # diverged: that is always mended by less
            lowest = best - 1 if start * SPACING ** (best - 1) >= LOWEST else best
        else:
            lowest = min((best, best - 1, best + 1), key=value)
        if lowest == best:
            break
        best = lowest
    return [found[place] for place in sorted(found)]


def _lowest_point(rung: Sequence[Trial]) -> float:
    """Return the factor at the bottom of a parabola through the best trial and its neighbours."""
    values = [trial.value for trial in rung]
    place = min(range(len(rung)), key=values.__getitem__)
    around = values[max(0, place - 1) : place + 2]
    if len(around) < 3 or not all(math.isfinite(value) for value in around):
        return rung[place].factor
    if min(around) > 0:  # losses spread over powers of ten
        around = [math.log(value) for value in around]
    bend = around[0] - 2 * around[1] + around[2]
    shift = 0.5 * (around[0] - around[2]) / bend if bend > 0 else 0.0
    return rung[place].factor * float(SPACING**shift)
