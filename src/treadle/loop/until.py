"""When to stop: conditions that compose with `|`, and the words they are written in.

    epochs(50) | minutes(10) | reaches("average_precision", 0.85) | no_better_for(5)
    parse("50 epochs or 10 minutes or average_precision >= 0.85")

Each condition looks at the state after a step and gives a reason, in words, or nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from treadle.errors import OptionError, did_you_mean

if TYPE_CHECKING:
    from treadle.loop.state import TrainState


class StopReason(NamedTuple):
    """Why training ended: one word for programs, one sentence for people."""

    kind: str
    sentence: str


@dataclass(frozen=True)
class StopCondition:
    """One or several conditions; the first that holds gives the reason.

    text:        how a person would write it; `parse(text)` gives the same condition again
    max_steps:   how many steps it can last, given the steps of an epoch; infinite if unknown
    max_minutes: how many minutes it can last; infinite if unbounded
    """

    check: Callable[[TrainState], StopReason | None]
    text: str
    steps_limit: float = math.inf
    epochs_limit: float = math.inf
    max_minutes: float = math.inf

    def __call__(self, state: TrainState) -> StopReason | None:
        return self.check(state)

    def __or__(self, other: StopCondition) -> StopCondition:
        return StopCondition(
            check=lambda state: self.check(state) or other.check(state),
            text=" or ".join(filter(None, (self.text, other.text))),
            steps_limit=min(self.steps_limit, other.steps_limit),
            epochs_limit=min(self.epochs_limit, other.epochs_limit),
            max_minutes=min(self.max_minutes, other.max_minutes),
        )

    def max_steps(self, steps_per_epoch: int) -> float:
        """Return how many steps this can last at most; infinite when time or quality ends it."""
        return min(self.steps_limit, self.epochs_limit * steps_per_epoch)

    @staticmethod
    def never() -> StopCondition:
        return StopCondition(check=lambda _: None, text="")


def steps(count: int) -> StopCondition:
    """Stop after `count` steps in all."""

    def check(state: TrainState) -> StopReason | None:
        if state.step < count:
            return None
        return StopReason("steps", f"all {count:,} steps were taken")

    return StopCondition(check, f"{count} steps", steps_limit=count)


def epochs(count: float) -> StopCondition:
    """Stop after `count` whole epochs."""

    def check(state: TrainState) -> StopReason | None:
        if state.epoch < count:
            return None
        return StopReason("epochs", f"all {count:g} epochs were turned")

    return StopCondition(check, f"{count:g} epochs", epochs_limit=count)


def minutes(count: float) -> StopCondition:
    """Stop when training has taken `count` minutes, the time before a resume included."""

    def check(state: TrainState) -> StopReason | None:
        if state.seconds < count * 60:
            return None
        return StopReason("minutes", f"the {count:.3g} minutes were used up")

    return StopCondition(check, f"{count:g} minutes", max_minutes=count)


def reaches(metric: str, value: float, *, below: bool = False) -> StopCondition:
    """Stop when the newest validation of `metric` is at or beyond `value`."""
    sign = "<=" if below else ">="

    def check(state: TrainState) -> StopReason | None:
        if not state.history:
            return None
        newest = state.history[-1].metrics
        if metric not in newest:
            hint = did_you_mean(metric, newest)
            raise OptionError(
                f"the stop condition asks for {metric}, which is not measured.",
                f"{hint}Measured here: {', '.join(newest)}.",
            )
        got = newest[metric]
        if (got <= value) if below else (got >= value):
            return StopReason("reached", f"{metric} reached {got:.4g} (asked: {sign} {value:g})")
        return None

    return StopCondition(check, f"{metric} {sign} {value:g}")


def no_better_for(validations: int) -> StopCondition:
    """Stop when the last `validations` validations brought no new best."""

    def check(state: TrainState) -> StopReason | None:
        if state.best_step is None:
            return None
        since = sum(entry.step > state.best_step for entry in state.history)
        if since < validations:
            return None
        return StopReason(
            "no_better",
            f"validation was no better for {since} checks in a row; best was step "
            f"{state.best_step:,}",
        )

    return StopCondition(check, f"no better for {validations}")


UNITS: dict[str, Callable[[float], StopCondition]] = {
    "step": lambda count: steps(int(count)),
    "epoch": epochs,
    "second": lambda count: minutes(count / 60),
    "minute": minutes,
    "hour": lambda count: minutes(count * 60),
}
AMOUNT = re.compile(r"(?P<count>\d+(?:[.,]\d+)*)\s*(?P<unit>[a-z]+?)s?", re.IGNORECASE)
LEVEL = re.compile(r"(?P<metric>[\w@]+)\s*(?P<sign>>=|<=|>|<|=)\s*(?P<value>[-+.\deE]+)")
PATIENCE = re.compile(r"no better for (?P<count>\d+)(?: validations?| checks?)?", re.IGNORECASE)
SHORT = {"min": "minute", "sec": "second", "h": "hour", "hr": "hour", "s": "second", "m": "minute"}
EXAMPLE = '"50 epochs or 10 minutes or average_precision >= 0.85 or no better for 5"'


def parse(text: str) -> StopCondition:
    """Return the condition that `text` says, such as "50 epochs or 10 minutes".

    Raises: OptionError naming the part that was not understood.
    """
    condition = StopCondition.never()
    for part in re.split(r"\s+or\s+|\s*\|\s*", text.strip()):
        condition = condition | _parse_part(part.strip())
    return condition


def _parse_part(part: str) -> StopCondition:
    if found := PATIENCE.fullmatch(part):
        return no_better_for(int(_positive(int(found["count"]), part)))
    if found := LEVEL.fullmatch(part):
        return reaches(found["metric"], _number(found["value"], part), below="<" in found["sign"])
    if found := AMOUNT.fullmatch(part):
        word = found["unit"].lower()
        unit = SHORT.get(word, word)
        if unit not in UNITS:
            hint = did_you_mean(unit, UNITS)
            raise OptionError(
                f"--until: '{part}' counts in '{found['unit']}', which is not a unit.",
                f"{hint}Units are steps, epochs, seconds, minutes, hours.",
            )
        count = _number(found["count"].replace(",", ""), part)
        return UNITS[unit](_positive(count, part))
    raise OptionError(f"--until: '{part}' was not understood.", f"Write for example {EXAMPLE}.")


def _number(text: str, part: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise OptionError(
            f"--until: '{text}' in '{part}' is no number.", f"Write for example {EXAMPLE}."
        ) from None


def _positive(count: float, part: str) -> float:
    if count > 0:
        return count
    raise OptionError(f"--until: '{part}' would never start.", "Ask for more than zero.")
