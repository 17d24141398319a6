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
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from treadle.errors import OptionError, did_you_mean

if TYPE_CHECKING:
    from treadle.loop.state import TrainState


class StopReason(NamedTuple):
    """Why training ended: one word for programs, one sentence for people."""

    kind: str
    sentence: str


class Level(NamedTuple):
    """A level of a metric that is waited for."""

    metric: str
    value: float
    below: bool
    text: str

    def holds(self, got: float) -> bool:
        return got <= self.value if self.below else got >= self.value


@dataclass(frozen=True)
class StopCondition:
    """One or several conditions; the first that holds gives the reason.

    text:        how a person would write it; `parse(text)` gives the same condition again
    max_steps:   how many steps it can last, given the steps of an epoch; infinite if unknown
    max_minutes: how many minutes it can last; infinite if unbounded
    metrics:     the metrics that it looks at, by name
    levels:      what is waited for, of those metrics
    patience:    how many validations without a better one it waits for; infinite if for any number
    """

    check: Callable[[TrainState], StopReason | None]
    text: str
    steps_limit: float = math.inf
    epochs_limit: float = math.inf
    max_minutes: float = math.inf
    metrics: frozenset[str] = frozenset()
    levels: tuple[Level, ...] = ()
    patience: float = math.inf

    def __call__(self, state: TrainState) -> StopReason | None:
        return self.check(state)

    def __or__(self, other: StopCondition) -> StopCondition:
        return StopCondition(
            check=lambda state: self.check(state) or other.check(state),
            text=" or ".join(filter(None, (self.text, other.text))),
            steps_limit=min(self.steps_limit, other.steps_limit),
            epochs_limit=min(self.epochs_limit, other.epochs_limit),
            max_minutes=min(self.max_minutes, other.max_minutes),
            metrics=self.metrics | other.metrics,
            levels=self.levels + other.levels,
            patience=min(self.patience, other.patience),
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
    """Stop after `count` epochs; a part of one counts as one."""
    whole = math.ceil(count)

    def check(state: TrainState) -> StopReason | None:
        if state.epoch < whole:
            return None
        return StopReason("epochs", f"all {count:g} epochs were turned")

    return StopCondition(check, f"{_plain(count)} epochs", epochs_limit=whole)


def minutes(count: float) -> StopCondition:
    """Stop when training has taken `count` minutes, the time before a resume included."""

    def check(state: TrainState) -> StopReason | None:
        if state.seconds < count * 60:
            return None
        time = f"{count * 60:.3g} seconds" if count < 2 else f"{count:.3g} minutes"
        return StopReason("minutes", f"the {time} were used up")

    seconds = round(count * 60)
    whole = 0 < seconds < 60 and math.isclose(seconds, count * 60)
    told = f"{seconds} seconds" if whole else f"{_plain(count)} minutes"
    return StopCondition(check, told, max_minutes=count)


def reaches(metric: str, value: float, *, below: bool = False) -> StopCondition:
    """Stop when the newest validation of `metric` is at or beyond `value`."""
    sign = "<=" if below else ">="
    level = Level(metric, value, below, f"{metric} {sign} {_plain(value)}")

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
        if level.holds(got):
            return StopReason("reached", f"{metric} reached {got:.4g} (asked: {sign} {value:g})")
        return None

    return StopCondition(check, level.text, metrics=frozenset({metric}), levels=(level,))


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

    return StopCondition(check, f"no better for {validations}", patience=validations)


UNITS: dict[str, Callable[[float], StopCondition]] = {
    "step": lambda count: steps(math.ceil(count)),
    "epoch": epochs,
    "second": lambda count: minutes(count / 60),
    "minute": minutes,
    "hour": lambda count: minutes(count * 60),
}
AMOUNT = re.compile(r"(?P<count>\d[\d.,]*)\s*(?P<unit>[a-z]+)", re.IGNORECASE)
THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")
LEVEL = re.compile(r"(?P<metric>[\w@]+)\s*(?P<sign>>=|<=|>|<|=+)\s*(?P<value>[-+.\deE]+)")
PATIENCE = re.compile(r"no better for (?P<count>\d+)(?: validations?| checks?)?", re.IGNORECASE)
SHORT = {
    word: unit
    for unit, words in {
        "second": "s sec secs second seconds",
        "minute": "m min mins minute minutes",
        "hour": "h hr hrs hour hours",
        "epoch": "epoch epochs",
        "step": "step steps",
    }.items()
    for word in words.split()
}
EXAMPLE = '"50 epochs or 10 minutes or average_precision >= 0.85 or no better for 5"'


def parse(text: str) -> StopCondition:
    """Return the condition that `text` says, such as "50 epochs or 10 minutes".

    Raises: OptionError naming the part that was not understood.
    """
    condition = StopCondition.never()
    for part in re.split(r"\s+or\s+|\s*\|\s*", text.strip(), flags=re.IGNORECASE):
        condition = condition | _parse_part(part.strip())
    return condition


def _parse_part(part: str) -> StopCondition:
    if found := PATIENCE.fullmatch(part):
        return no_better_for(int(_positive(int(found["count"]), part)))
    if found := LEVEL.fullmatch(part):
        if found["sign"].startswith("="):
            raise OptionError(
                f"--until: '{part}' asks for exactly one value, which may never come.",
                "Write >= where more is better, <= where less is.",
            )
        return reaches(found["metric"], _number(found["value"], part), below="<" in found["sign"])
    if found := AMOUNT.fullmatch(part):
        unit = SHORT.get(found["unit"].lower())
        if unit is None:
            hint = did_you_mean(found["unit"].lower(), [f"{unit}s" for unit in UNITS])
            raise OptionError(
                f"--until: '{part}' counts in '{found['unit']}', which is not a unit.",
                f"{hint}Units are steps, epochs, seconds, minutes, hours.",
            )
        return UNITS[unit](_positive(_number(found["count"], part), part))
    raise OptionError(f"--until: '{part}' was not understood.", f"Write for example {EXAMPLE}.")


def _number(text: str, part: str) -> float:
    """Return the number that `text` says: 0.5, 1000 or 1,000, but never 0,5."""
    try:
        number = float(text.replace(",", "") if THOUSANDS.fullmatch(text) else text)
    except ValueError:
        number = math.nan
    if math.isfinite(number):
        return number
    raise OptionError(
        f"--until: '{text}' in '{part}' is no number.", f"Write for example {EXAMPLE}."
    )


def _plain(number: float) -> str:
    """Return the digits of a number, all that it needs and without an exponent."""
    return f"{Decimal(repr(float(number))).normalize():f}"


def _positive(count: float, part: str) -> float:
    if count > 0:
        return count
    raise OptionError(f"--until: '{part}' would never start.", "Ask for more than zero.")
