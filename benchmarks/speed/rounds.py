"""Interleaved rounds: everyone trains once a round, alone, in an order that rotates."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

PROBE_SECONDS = 0.15
Seconds = dict[str, list[float]]


class Timed(Protocol):
    def seconds_per_step(self, steps: int) -> float: ...


class Ratio(NamedTuple):
    """Ours over theirs, taken within each round: median, lowest, highest."""

    median: float
    low: float
    high: float


def interleave(
    workers: Mapping[str, Timed],
    rounds: int,
    turn_seconds: float | None,
    lost: Callable[[str, Exception], None],
    fewer: Mapping[str, int] | None = None,
) -> Seconds:
    """Return each contender's seconds per step, round by round.

    turn_seconds: about how long a turn lasts; None makes it one step
    lost:         told who dropped out, and why
    fewer:        by name, who takes part in the first so many rounds only
    """
    steps = {}
    found: Seconds = {}
    going = dict(workers)

    def take(name: str, count: int) -> float | None:
        try:
            return going[name].seconds_per_step(count)
        except Exception as problem:  # one contender's end is not the suite's
            lost(name, problem)
            del going[name], found[name]
            return None

    for name in workers:
        found[name] = []
        steps[name] = 1 if turn_seconds is None else _steps_for(turn_seconds, partial(take, name))
    for number in range(rounds):
        taking_part = [name for name in going if number < (fewer or {}).get(name, rounds)]
        for name in rotated(taking_part, number):
            seconds = take(name, steps[name])
            if seconds is not None:
                found[name].append(seconds)
    return found


def _steps_for(turn_seconds: float, seconds_per_step: Callable[[int], float | None]) -> int:
    """Return how many steps fill a turn: probe with more and more until a probe is long enough."""
    count = 1
    while True:
        seconds = seconds_per_step(count)
        if seconds is None:
            return count
        if seconds * count >= min(PROBE_SECONDS, turn_seconds):
            return max(1, round(turn_seconds / seconds))
        count *= 4


def rotated(names: Sequence[str], by: int) -> list[str]:
    """Return the names from another start, so that nobody always follows the same neighbour."""
    start = by % len(names) if names else 0
    return [*names[start:], *names[:start]]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Return how many times their time we took, in the rounds that both took part in."""
    found = sorted(our / their for our, their in zip(ours, theirs, strict=False))
    return Ratio(statistics.median(found), found[0], found[-1])
