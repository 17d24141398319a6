"""Forecasts in plain words: what longer would bring, what came of it, and why training stops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from treadle.contracts import Json
from treadle.goal import Metric

if TYPE_CHECKING:
    from treadle.loop.until import Level


class Said(NamedTuple):
    """Why training stops: for the journal, and for the line that tells how it ended."""

    journal: str
    reason: str


def forecast(told: Sequence[Json], metric: Metric, seconds_per_step: float) -> str:
    """Return "with twice the steps (2,000) it would be about …; the best so far is …"."""
    first = told[0]
    parts = [f"{_where(one)} {_band(one)}" for one in told]
    minutes = (first["for_step"] - first["at_step"]) * seconds_per_step / 60
    time = f", in about {duration(minutes)} more" if minutes >= 0.05 else ""
    parts[0] += time
    return (
        f"would longer help? {metric.name} is at {number(first['best'])} now. "
        f"{_upper('; '.join(parts))} (8 of 10 such forecasts hold)."
    )


def _where(one: Json) -> str:
    multiple = one["for_step"] / one["at_step"]
    named = {2.0: "with twice the steps", 5.0: "with five times the steps"}
    words = named.get(multiple, "at the end of the plan")
    return f"{words} ({one['for_step']:,})"


def _band(one: Json) -> str:
    low, middle, high = (number(one[name]) for name in ("low", "middle", "high"))
    if low == high:
        return f"it stays at about {middle}"
    return f"about {middle} ({low} to {high})"


def checked(told: Json, truth: float, found: Json) -> str:
    """Return what came of a forecast. found: what `held` and was `too_hopeful`."""
    made = (
        f"at step {told['at_step']:,} it was forecast for step {told['for_step']:,} that "
        f"{told['metric']} is {number(told['low'])} to {number(told['high'])}"
    )
    if found["held"]:
        return f"{made}: it came true ({number(truth)})."
    how = "too hopeful" if found["too_hopeful"] else "not hopeful enough"
    return f"{made}: that was {how}, it is {number(truth)}."


def width(factor: float, record: str) -> str:
    """Return what the track record makes of the bands."""
    if not record:
        return "there are no earlier forecasts to learn from, so bands stay as they are."
    if abs(factor - 1) < 0.03:
        return f"{record}: bands stay as they are."
    change = "wider" if factor > 1 else "narrower"
    return f"{record}: bands are made {abs(factor - 1):.0%} {change}."


def unreachable(level: Level, best: float, step: int) -> str:
    """Return that a level will hardly be reached, and what is known of what would reach it."""
    return (
        f"{level.text} will hardly be reached: by step {step:,} {level.metric} comes to "
        f"{number(best)} at best, as far as the curve tells. Longer training would not do; more or "
        "better data may, or a larger model."
    )


def enough(
    step: int, stop: int, end: int, gain: float, worth: float, metric: Metric, said: float | None
) -> Said:
    """Return why training stops. said: what the user said that a gain must be, or None."""
    measure = (
        f"{number(worth)}, what you said it must bring to be worth it"
        if said is not None
        else f"{number(worth)}, half of how uncertain that figure is anyway"
    )
    brings = f"going on to step {end:,} would bring about {number(gain)} more of {metric.name}"
    if not metric.higher_is_better:
        brings = f"going on to step {end:,} would lower {metric.name} by about {number(gain)}"
    reason = f"more is not worth it: {brings}, less than {measure}"
    if stop <= step:
        return Said(f"{brings}: less than {measure}. So training stops here.", reason)
    journal = (
        f"{brings}: less than {measure}. So the learning rate runs out by step {stop:,} already, "
        "and training stops there."
    )
    return Said(journal, reason)


def still(checks: int, best: int, stop: int) -> Said:
    """Return why a rate that was held runs out, from the weights of which step, and by which."""
    reason = f"validation stood still for {checks} checks, and then the learning rate ran out"
    return Said(
        f"validation stood still for {checks} checks; so training goes on from its best weights, "
        f"those of step {best:,}, while the learning rate runs out by step {stop:,}, which is when "
        "it ends.",
        reason,
    )


def bounces(checks: int, best: int, part: float) -> str:
    """Return why training goes on at a part of the rate, from the weights of which step."""
    return (
        f"for {checks} checks neither validation nor the loss of training got better, so the steps "
        "are too large for what is left to learn; training goes on from its best weights, those "
        f"of step {best:,}, at {part:g} of the learning rate."
    )


def number(value: float) -> str:
    """Return four digits of a number."""
    return f"{value:.4g}"


def duration(minutes: float) -> str:
    """Return "under a second", "20 seconds", "5 minutes" or "3 hours"."""
    if minutes < 1.5:
        seconds = round(minutes * 60)
        if seconds <= 1:
            return "1 second" if seconds else "under a second"
        return f"{seconds} seconds"
    if minutes < 90:
        return f"{minutes:.0f} minutes"
    return f"{minutes / 60:.1f} hours"


def _upper(words: str) -> str:
    return words[:1].upper() + words[1:]
