"""What `--cost` says that the data's answers or columns do not have, in words, with what to do."""

from __future__ import annotations

from typing import TypeAlias

import polars as pl

from treadle.api.goal_words import class_words
from treadle.api.options import FitOptions
from treadle.costs import ANY, OF_NUMBERS, OF_TWO, Costs
from treadle.data.amounts import read_amounts
from treadle.data.tables import Schema, TargetEncoder
from treadle.errors import did_you_mean

Problems: TypeAlias = list[tuple[str, str]]


def misfits(costs: Costs, target: TargetEncoder, *, limited: bool) -> Problems:
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


def column_problems(
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
    return problems


def weight_problems(options: FitOptions, target: TargetEncoder, frame: pl.DataFrame) -> Problems:
    """Tell of weights that balance classes: no row stands for so many cases then."""
    weight = options.weight
    if weight is None or target.task == "number":
        return []
    counts = pl.col(weight).cast(pl.Float64, strict=False)
    by_class = (
        frame.group_by(target.column)
        .agg(pl.len(), low=counts.min(), high=counts.max())
        .sort("len", target.column)
    )
    if not (by_class["low"] == by_class["high"]).all() or by_class["low"].n_unique() == 1:
        return []
    rarest, *_, usual = by_class.iter_rows(named=True)
    if rarest["low"] <= usual["low"]:
        return []
    return [
        (
            f"--weight '{weight}' is {rarest['low']:g} for every '{rarest[target.column]}' and "
            f"{usual['low']:g} for every '{usual[target.column]}': that balances the classes, and "
            "with --cost or --capacity a weight says how many cases a row stands for.",
            "Leave --weight out: costs see to it that rare cases count.",
        )
    ]


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
