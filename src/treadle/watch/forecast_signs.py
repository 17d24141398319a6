"""What a curve shows of how it may go on: a few gains, all in the metric's own units.

Shapes that saturate (power laws, exponentials, logarithms, and those with a rise added), fitted
and weighed by how well they foretold the newest part, were tried as signs too: they made the bands
no better than the gains of late alone, and by themselves a fifth worse.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NAMES = (
    "noise",
    "last_half",
    "last_third",
    "last_fifth",
    "last_tenth",
    "behind_best",
    "stale_half",
    "decay_noise",
    "decay_half",
    "decay_behind",
    "longer_noise",
    "longer_half",
)
MOST_ROOMS = 20.0
SLOWER = 0.75
"""The power of the number of doublings ahead that gains grow with."""


class Signs(NamedTuple):
    """What was read off a curve.

    values: [T, S] by target and sign; noise: of one measurement; best: so far, less is better;
    room:   from the best to what no model can be better than
    """

    values: Array
    noise: float
    best: float
    room: float


def signs(
    steps: Array, values: Array, targets: Array, decays: Array, replanned: Array, bound: float
) -> Signs:
    """Return the signs of a curve of which less is better.

    steps: [V] rising; values: [V] finite; targets: [T] steps, later than the newest
    decays:    [T] by how much of its full size the learning rate falls until there
    replanned: [T] whether another, longer plan of the rate leads there
    bound:     what no model can be better than
    """
    now, best = float(steps[-1]), float(values.min())
    room = best - bound
    values = np.minimum(values, best + MOST_ROOMS * room)  # what flew apart tells no more
    lowest = np.minimum.accumulate(values)
    noise = min(room, deviation(values))

    def gain(before: float) -> float:
        return _gain(before - bound, room)

    half, third, fifth, tenth = (
        gain(_at(steps, lowest, now * share)) for share in (0.5, 0.65, 0.8, 0.9)
    )
    behind = gain(float(np.mean(values[-max(1, min(5, len(values) // 8)) :])))
    stale = 1 - float(steps[int(values.argmin())]) / now
    longer = np.log2(np.maximum(targets / now, 1.0)) ** SLOWER
    columns = [
        noise * np.sqrt(longer),
        half * longer,
        third * longer,
        fifth * longer,
        tenth * longer,
        behind * np.ones(len(targets)),
        half * stale * longer,
        noise * decays,
        half * decays,
        behind * decays,
        noise * np.sqrt(longer) * replanned,
        half * longer * replanned,
    ]
    return Signs(np.minimum(np.stack(columns, axis=1), 3 * room), noise, best, room)


def deviation(values: Array) -> float:
    """Return one measurement's deviation from the trend, by how neighbours differ; robust."""
    recent = values[-max(12, len(values) // 2) :]
    if len(recent) < 4:
        return float(np.abs(np.diff(recent)).mean()) if len(recent) > 1 else 0.0
    second = np.abs(recent[2:] - 2 * recent[1:-1] + recent[:-2])
    return float(max(np.median(second) / 0.6745, 0.5 * second.mean()) / np.sqrt(6.0))


def _gain(before: float, room: float) -> float:
    """Return a gain as it counts today: the logarithm of how the room shrank, times what is left.

    So a loss that fell from a million to ten is not expected to fall by a million more.
    """
    return room * float(np.log(max(1.0, before / room))) if room > 0 else 0.0


def _at(steps: Array, lowest: Array, step: float) -> float:
    """Return the best until a step; before the first measurement, that one."""
    return float(lowest[max(0, int(np.searchsorted(steps, step, side="right")) - 1)])
