"""What answers are chosen for: `--cost`, `--capacity` and `--volume` held against the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from treadle.api.goal_words import class_words, costs_sentences
from treadle.api.options import FitOptions
from treadle.contracts import Frozen
from treadle.costs import ANY, OF_NUMBERS, OF_TWO, Amount, Cost, Costs, parse_costs
from treadle.data.amounts import read_amounts
from treadle.data.tables import Schema, TargetEncoder
from treadle.errors import OptionError, did_you_mean
from treadle.loop.journal import Journal
from treadle.rates import DAYS_A_YEAR, parse_capacity, parse_rate

if TYPE_CHECKING:
    Problems = list[tuple[str, str]]

SECONDS_A_DAY = 86_400.0
LEAST_DAYS = 7.0


class Goal(Frozen):
    """What answers are chosen for and what they are worth.

    positive:     of two classes the one that "missed" speaks of, as sentences name it
    in_money:     False where only a capacity was said: then each missed one counts as 1
    capacity:     the share of all cases that can be looked at; None: all of them
    cases_a_year: how many cases a year brings; None where that is not known
    volume_words: where that number comes from, in a few words
    sentences:    what was understood, for the journal
    """

    costs: Costs
    in_money: bool
    capacity: float | None = None
    capacity_words: str = ""
    cases_a_year: float | None = None
    volume_words: str = ""
    positive: str | None = None
    sentences: tuple[str, ...] = ()


def read_goal(
    options: FitOptions, target: TargetEncoder, frame: pl.DataFrame, schema: Schema | None = None
) -> Goal | None:
    """Return what the options ask for, or None where they name no cost and no capacity.

    frame: all rows with an answer; for photos without columns to read costs from

    Raises: OptionError with all that does not fit the data.
    """
    if options.cost is None and options.capacity is None:
        return None
    only_found = Costs(entries=(Cost(word="missed", amount=Amount(factor=1.0)),))
    costs = parse_costs(options.cost) if options.cost is not None else only_found
    problems = _misfits(costs, target, limited=options.capacity is not None)
    problems += _column_problems(costs, options, frame, schema)
    a_year, volume_words = _volume(options, frame)
    capacity, capacity_words = None, ""
    if options.capacity is not None:
        try:
            capacity, capacity_words = _capacity(options.capacity, target, a_year)
        except OptionError as error:
            problems.append((error.message, error.hint))
    if problems:
        raise OptionError.of(problems)
    goal = Goal(
        costs=costs,
        in_money=options.cost is not None,
        capacity=capacity,
        capacity_words=capacity_words,
        cases_a_year=a_year,
        volume_words=volume_words,
        positive=class_words(target.classes[1], target) if target.task == "two_classes" else None,
    )
    return goal.model_copy(update={"sentences": _sentences(goal, target)})


def say_goal(journal: Journal, goal: Goal | None) -> None:
    """Say what was understood of costs, the class they speak of named."""
    for sentence in goal.sentences if goal else ():
        journal.say("goal", sentence)


def _misfits(costs: Costs, target: TargetEncoder, *, limited: bool) -> Problems:
    """Tell of costs that this target's answers do not have."""
    words = [entry.word for entry in costs.entries]
    if target.task == "two_classes":
        return _two_class_misfits(costs, words, target, limited=limited)
    if limited:
        return [
            (
                f"--capacity is for two classes, and '{target.column}' "
                + ("is a number." if target.task == "number" else f"has {len(target.classes)}."),
                "Leave it out.",
            )
        ]
    if target.task == "number":
        return _number_misfits(costs, words, target)
    if any(words):
        return [
            (
                f"--cost: '{next(filter(None, words))}' does not fit '{target.column}', which has "
                f"{len(target.classes)} classes.",
                f"Say which mistake: {target.classes[0]}>{target.classes[1]}=5 is what a "
                f"'{target.classes[0]}' costs that is taken for '{target.classes[1]}'.",
            )
        ]
    named = [name for entry in costs.entries for name in (entry.true, entry.said) if name != ANY]
    listed = ", ".join(f"'{name}'" for name in target.classes[:20])
    return [
        (
            f"--cost: '{target.column}' has no class '{name}'.",
            f"{did_you_mean(name, target.classes)}It has {listed}.",
        )
        for name in dict.fromkeys(named)
        if name not in target.classes
    ]


def _two_class_misfits(
    costs: Costs, words: list[str], target: TargetEncoder, *, limited: bool
) -> Problems:
    positive = class_words(target.classes[1], target)
    if not set(words) <= set(OF_TWO):
        return [
            (
                f"--cost does not speak of two classes, which '{target.column}' has.",
                f"Say missed=… (a '{positive}' that is not found) and false_alarm=… (another case "
                f"that is taken for '{positive}').",
            )
        ]
    if costs.columns:
        return [_unsaid("false_alarm", positive)] if not limited and not _has_price(words) else []
    one = {word: costs.of(word).factor for word in OF_TWO}
    problems = []
    if one["missed"] <= one["caught"]:
        problems.append(
            (
                f"--cost: finding a '{positive}' saves nothing (missed {one['missed']:g}, caught "
                f"{one['caught']:g}), so nothing would ever be flagged.",
                "missed= is what one costs that is not found; a gain is below zero: caught=-20.",
            )
        )
    if one["false_alarm"] <= one["passed"] and not limited:
        problems.append(
            _unsaid("false_alarm", positive)
            if "false_alarm" not in words
            else (
                f"--cost: a false alarm costs no more ({one['false_alarm']:g}) than letting the "
                f"case pass ({one['passed']:g}), so everything would be flagged.",
                "Give false_alarm= a cost above that, or say a --capacity.",
            )
        )
    return problems


def _has_price(words: list[str]) -> bool:
    return "false_alarm" in words or "passed" in words


def _unsaid(word: str, positive: str) -> tuple[str, str]:
    return (
        f"--cost does not say what a {word.replace('_', ' ')} costs, so everything would be "
        "flagged.",
        f"Add {word}=…: what it costs when '{positive}' is said of a case that is none.",
    )


def _number_misfits(costs: Costs, words: list[str], target: TargetEncoder) -> Problems:
    example = 'Write for example --cost "too_high=2 too_low=5": for each unit of error.'
    if not set(words) <= set(OF_NUMBERS):
        return [(f"--cost does not speak of numbers, and '{target.column}' is one.", example)]
    problems = [
        (f"--cost does not say what it costs to be {word.replace('_', ' ')}.", example)
        for word in OF_NUMBERS
        if word not in words
    ]
    return problems + [
        (f"--cost: {entry.word} is {entry.amount.factor:g}.", "An error costs more than nothing.")
        for entry in costs.entries
        if entry.amount.factor <= 0
    ]


def _column_problems(
    costs: Costs, options: FitOptions, frame: pl.DataFrame, schema: Schema | None
) -> Problems:
    problems: Problems = []
    listed = ", ".join(f"'{name}'" for name in frame.columns[:30])
    for name in costs.columns:
        if name not in frame.columns:
            hint = did_you_mean(name, frame.columns)
            there = f"There are {listed}." if listed else "Photos have no columns: say a number."
            problems.append((f"--cost '{name}': there is no such column.", f"{hint}{there}"))
        elif name == options.target:
            problems.append(
                (
                    f"--cost '{name}': that is the column to predict, not known beforehand.",
                    "Name a column that is known when the answer is needed.",
                )
            )
        else:
            problems += _unreadable(name, frame, schema)
    if options.weight is not None:
        problems.append(
            (
                "--cost and --capacity say what a row is worth, and --weight says how much it "
                "counts.",
                "Leave --weight out: costs of their own weigh the rows.",
            )
        )
    return problems


def _unreadable(name: str, frame: pl.DataFrame, schema: Schema | None) -> Problems:
    _, unread = read_amounts(frame, [name], schema)
    bad = unread.is_not_null()
    if not bad.any():
        return []
    row = int(bad.arg_true()[0])
    return [
        (
            f"--cost '{name}' holds {frame[name][row]!r} in row {row + 1}, and no amount in "
            f"{int(bad.sum()):,} rows.",
            "Fill these cells, or remove the rows: what a mistake costs there is not known.",
        )
    ]


def _volume(options: FitOptions, frame: pl.DataFrame) -> tuple[float | None, str]:
    """Return how many cases a year brings, as said or as the data's own dates have it."""
    if options.volume is not None:
        rate = parse_rate(options.volume, "--volume", "2,000,000 a year")
        return rate.a_year, f"{rate}, as you said"
    days = _days(frame, options.time)
    if days is None:
        return None, ""
    a_day = frame.height / days
    return a_day * DAYS_A_YEAR, (
        f"{a_day:,.3g} a day, as in the {days:,.0f} days of the data; --volume says otherwise"
    )


def _days(frame: pl.DataFrame, time: str | None) -> float | None:
    """Return how many days the data spans, where --time names a column of dates."""
    if time is None or time not in frame.columns or frame.schema[time].is_numeric():
        return None
    from treadle.data.cuts import time_seconds

    seconds = time_seconds(frame[time])
    span = float(_known(seconds.max()) - _known(seconds.min())) / SECONDS_A_DAY
    return span if span >= LEAST_DAYS else None


def _known(value: Any) -> float:
    return float(value) if value == value else 0.0


def _capacity(text: str, target: TargetEncoder, a_year: float | None) -> tuple[float, str]:
    """Return the share of cases that can be looked at, and it in words. Raises: OptionError."""
    asked = parse_capacity(text)
    if isinstance(asked, float):
        return asked, f"{100 * asked:.3g} of 100 cases"
    if a_year is None:
        raise OptionError(
            f"--capacity '{text}': how many cases there are a {asked.unit} is not known.",
            'Say it with --volume, such as --volume "2,000,000 a year", or give the capacity as a '
            'share: --capacity "5 %".',
        )
    share = min(1.0, asked.a_year / a_year)
    return share, f"{asked}, which is {_of_hundred(share)} cases"


def _of_hundred(share: float) -> str:
    return f"{100 * share:.3g} of 100" if share >= 0.001 else f"{1e6 * share:.3g} of a million"


def _sentences(goal: Goal, target: TargetEncoder) -> tuple[str, ...]:
    told = costs_sentences(goal.costs, target) if goal.in_money else []
    if goal.capacity is not None:
        told.append(
            f"Only so many '{goal.positive}' can be looked at: {goal.capacity_words}; those come "
            "first that save most."
        )
    if goal.cases_a_year is not None:
        told.append(f"A year brings {goal.cases_a_year:,.0f} cases ({goal.volume_words}).")
    elif goal.in_money:
        told.append(
            'Money is told for 1,000 cases; with --volume, such as "5,000 a day", for a year.'
        )
    return tuple(told)
