"""What answers are chosen for: `--cost`, `--capacity` and `--volume` held against the data."""

from __future__ import annotations

from typing import Any, cast

import polars as pl

from treadle.api.goal_misfits import column_problems, misfits, weight_problems
from treadle.api.goal_words import class_words, costs_sentences
from treadle.api.options import FitOptions
from treadle.contracts import Frozen
from treadle.costs import Amount, Cost, Costs, parse_costs
from treadle.data.tables import Schema, TargetEncoder
from treadle.errors import OptionError
from treadle.loop.journal import Journal
from treadle.pace import SECONDS, Unit
from treadle.rates import DAYS_A_YEAR, parse_capacity, parse_rate
from treadle.report.spoken import significant

SECONDS_A_DAY = 86_400.0
LEAST_DAYS = 7.0


class EachPeriod(Frozen):
    """A capacity that is to hold in every hour, day or week.

    column:  when a case came
    sampled: how many of all cases the data hold, as a share: 1 where no volume was said
    """

    column: str
    count: float
    unit: Unit
    sampled: float = 1.0


class Goal(Frozen):
    """What answers are chosen for and what they are worth.

    positive:     of two classes the one that "missed" speaks of, as sentences name it
    in_money:     False where only a capacity was said: then each missed one counts as 1
    capacity:     the share of all cases that can be looked at; None: all of them
    each:         the capacity of an hour, a day or a week, where dates let it hold in each
    cases_a_year: how many cases a year brings; None where that is not known
    volume_words: where that number comes from, in a few words
    sentences:    what was understood, for the journal
    """

    costs: Costs
    in_money: bool
    capacity: float | None = None
    capacity_words: str = ""
    each: EachPeriod | None = None
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
    problems = misfits(costs, target, limited=options.capacity is not None)
    problems += column_problems(costs, options, frame, schema)
    problems += weight_problems(options, target, frame)
    in_data = _in_data(options, frame)
    a_year, volume_words = _volume(options, frame, in_data)
    capacity, capacity_words, each = None, "", None
    if options.capacity is not None:
        try:
            capacity, capacity_words = _capacity(options.capacity, a_year)
            each = _each(options, in_data, a_year)
        except OptionError as error:
            problems.append((error.message, error.hint))
    if problems:
        raise OptionError.of(problems)
    goal = Goal(
        costs=costs,
        in_money=options.cost is not None,
        capacity=capacity,
        capacity_words=capacity_words,
        each=each,
        cases_a_year=a_year,
        volume_words=volume_words,
        positive=class_words(target.classes[1], target) if target.task == "two_classes" else None,
    )
    told = _sentences(goal, target)
    if options.weight is not None:
        told = (*told, f"A row stands for as many cases as '{options.weight}' says.")
    return goal.model_copy(update={"sentences": told})


def say_goal(journal: Journal, goal: Goal | None) -> None:
    """Say what was understood of costs, the class they speak of named."""
    for sentence in goal.sentences if goal else ():
        journal.say("goal", sentence)


def _volume(
    options: FitOptions, frame: pl.DataFrame, in_data: float | None
) -> tuple[float | None, str]:
    """Return how many cases a year brings, as said or as the data's own dates have it."""
    if options.volume is not None:
        rate = parse_rate(options.volume, "--volume", "2,000,000 a year")
        return rate.a_year, f"{rate}, as you said"
    if in_data is None:
        return None, ""
    days = _days(frame, options.time)
    return in_data, (
        f"{significant(in_data / DAYS_A_YEAR)} a day, as in the {days:,.0f} days of the data; "
        "--volume says otherwise"
    )


def _in_data(options: FitOptions, frame: pl.DataFrame) -> float | None:
    """Return how many cases a year the data's own dates have; None without dates."""
    days = _days(frame, options.time)
    if days is None:
        return None
    cases = frame.height if options.weight is None else float(frame[options.weight].sum())
    return cases / days * DAYS_A_YEAR


def _each(options: FitOptions, in_data: float | None, a_year: float | None) -> EachPeriod | None:
    """Return the capacity of each period, where it was said so and the data have dates."""
    asked = parse_capacity(str(options.capacity))
    if isinstance(asked, float) or asked.unit not in SECONDS or in_data is None:
        return None
    sampled = in_data / a_year if options.volume is not None and a_year else 1.0
    unit = cast("Unit", asked.unit)
    return EachPeriod(column=str(options.time), count=asked.count, unit=unit, sampled=sampled)


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


def _capacity(text: str, a_year: float | None) -> tuple[float, str]:
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


def _capacity_sentence(goal: Goal) -> str:
    begin = f"No more can be looked at as '{goal.positive}' than {goal.capacity_words}"
    if goal.each is None:
        return f"{begin}: those come first that save most. It holds on average, not day by day."
    unit = goal.each.unit
    return (
        f"{begin}, and no {unit} gets more: as cases come ('{goal.each.column}'), the best of them "
        f"are flagged, and room is kept for as good ones that the {unit} is likely to bring still."
    )


def _of_hundred(share: float) -> str:
    return f"{100 * share:.3g} of 100" if share >= 0.001 else f"{1e6 * share:.3g} of a million"


def _sentences(goal: Goal, target: TargetEncoder) -> tuple[str, ...]:
    told = costs_sentences(goal.costs, target) if goal.in_money else []
    if goal.capacity is not None:
        told.append(_capacity_sentence(goal))
    if goal.cases_a_year is not None:
        told.append(f"A year brings {goal.cases_a_year:,.0f} cases ({goal.volume_words}).")
    elif goal.in_money:
        told.append(
            'Money is told for 1,000 cases; with --volume, such as "5,000 a day", for a year.'
        )
    return tuple(told)
