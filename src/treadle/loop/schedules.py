"""Schedules: pure functions (step, horizon, scale) → factor on the learning rate.

step counts from 0; horizon is the number of steps planned; scale is changed only by decisions.
Every factor is in [0, scale]. Beyond the horizon the last value holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from treadle.contracts import Schedule
from treadle.errors import OptionError, did_you_mean


def constant() -> Schedule:
    """The same rate throughout."""
    return lambda step, horizon, scale: scale


def warmup_cosine(*, warmup: float = 0.05, floor: float = 0.0) -> Schedule:
    """Rise linearly over the `warmup` share of the horizon, then fall as half a cosine to `floor`.

    Source: Loshchilov and Hutter, SGDR (2017), equation 5 with one cycle.
    """

    def factor(step: int, horizon: int, scale: float) -> float:
        rising, along = _phases(step, horizon, warmup)
        falling = floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * along))
        return scale * (rising if rising < 1 else falling)

    return factor


def one_cycle(*, warmup: float = 0.3, start: float = 0.04, end: float = 1e-5) -> Schedule:
    """Rise along half a cosine from `start` to 1, then fall along another to `end`.

    Source: Smith and Topin, Super-Convergence (2018), with cosine arms.
    """

    def factor(step: int, horizon: int, scale: float) -> float:
        rising, along = _phases(step, horizon, warmup)
        if rising < 1:
            return scale * (start + (1 - start) * 0.5 * (1 - math.cos(math.pi * rising)))
        return scale * (end + (1 - end) * 0.5 * (1 + math.cos(math.pi * along)))

    return factor


def warmup_stable_decay(*, warmup: float = 0.05, decay: float = 0.2) -> Schedule:
    """Rise, stay at the full rate, and fall as 1 − √x over the last `decay` share of the horizon.

    Source: Hägele et al., Scaling Laws and Compute-Optimal Training Beyond Fixed Training
    Durations (2024), section 3.
    """

    def factor(step: int, horizon: int, scale: float) -> float:
        rising, _ = _phases(step, horizon, warmup)
        left = min(1.0, max(0.0, (horizon - step) / max(1.0, decay * horizon)))
        return scale * min(rising, 1 - math.sqrt(1 - left))

    return factor


def plateau(*, warmup: float = 0.0) -> Schedule:
    """Stay at the full rate; a watcher lowers `scale` by decision where validation stands still."""
    if not warmup:
        return constant()
    return lambda step, horizon, scale: scale * _phases(step, horizon, warmup)[0]


def _phases(step: int, horizon: int, warmup: float) -> tuple[float, float]:
    """Return how far the warm-up is (1 when over), and how far what follows is, both in [0, 1].

    Raises: OptionError where there is no horizon to lay a schedule out for.
    """
    if horizon < 1:
        raise OptionError(
            f"a schedule is laid out for a number of steps, and the state's horizon is {horizon}.",
            "Say TrainState(…, horizon=STEPS), the steps that training will take.",
        )
    rise = max(0, round(warmup * horizon))
    rising = 1.0 if step >= rise else (step + 1) / (rise + 1)
    along = min(1.0, max(0.0, (step - rise) / max(1, horizon - rise)))
    return rising, along


SCHEDULES: dict[str, Callable[[], Schedule]] = {
    "constant": constant,
    "cosine": warmup_cosine,
    "one-cycle": one_cycle,
    "warmup-stable-decay": warmup_stable_decay,
    "held": partial(warmup_stable_decay, warmup=0.02),
    "plateau": partial(plateau, warmup=0.02),
}


def by_name(name: str) -> Schedule:
    """Return the schedule of that name with its default shape."""
    if name in SCHEDULES:
        return SCHEDULES[name]()
    hint = did_you_mean(name, SCHEDULES)
    raise OptionError(
        f"there is no schedule '{name}'.", f"{hint}Schedules are {', '.join(SCHEDULES)}."
    )
