"""Tables whose answers have known causes: some columns act, alone or together, the others do not.

Each column is drawn on its own, so what a column truly did to one row's answer is a sum over the
combinations of the causes, which can be counted out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Array = NDArray[Any]
Columns = dict[str, Array]
CITIES = ("Berlin", "Oslo", "Paris", "Rome", "Turin")
PLANS = ("basic", "family", "business")
CAUSES = ("income", "age", "city", "plan", "visits")
TASKS = ("two classes", "a number", "three classes")
SHAPES = ("additive", "interacting", "five")


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A table, the columns that act, and the true function of them.

    truth: columns → chances float64 [N, C], or values [N, 1]
    """

    name: str
    frame: pl.DataFrame
    columns: Columns
    truth: Callable[[Columns], Array]


def planted(task: str, shape: str, noise: int, rows: int, seed: int) -> Planted:
    """Return one table: three causes or five, a twin of the first, and columns that do nothing."""
    draw = np.random.default_rng(seed)
    columns: Columns = {
        "income": draw.lognormal(10, 0.5, rows).round(0),
        "age": draw.integers(18, 80, rows).astype(np.float64),
        "city": draw.choice(CITIES, rows),
        "plan": draw.choice(PLANS, rows, p=(0.5, 0.3, 0.2)),
        "visits": draw.poisson(3.0, rows).astype(np.float64),
    }
    columns["income"][draw.random(rows) < 0.08] = np.nan
    score = {"additive": additive, "interacting": interacting, "five": five}[shape]
    seen = truth_of(task, score)
    held = {name: _cells(values) for name, values in columns.items()}
    held["salary"] = _cells((columns["income"] * draw.normal(0.8, 0.02, rows)).round(0))
    for number in range(noise):
        held[f"noise {number + 1}"] = _noise(draw, rows, number)
    answers = _answers(task, seen(columns), draw)
    order = [str(name) for name in draw.permutation(list(held))]
    frame = pl.DataFrame({name: held[name] for name in order} | {"answer": answers})
    return Planted(
        name=f"{task}, {shape}, {noise} of noise", frame=frame, columns=columns, truth=seen
    )


def additive(columns: Columns) -> Array:
    """Return a score to which each cause adds its own, float64 [N]."""
    income = np.nan_to_num(np.log(columns["income"]) - 10, nan=-0.9)
    city = np.select([columns["city"] == "Rome", columns["city"] == "Oslo"], [1.6, -1.2], 0.0)
    total: Array = 2.4 * income + (columns["age"] - 49) / 14 + city
    return total


def five(columns: Columns) -> Array:
    """Return a score of two weaker causes beside the three."""
    plan = np.where(columns["plan"] == "business", 0.7, -0.2)
    total: Array = additive(columns) + plan + 0.25 * (columns["visits"] - 3)
    return total


def interacting(columns: Columns) -> Array:
    """Return a score in which age counts the other way in two cities, and income by age."""
    income = np.nan_to_num(np.log(columns["income"]) - 10, nan=-0.9)
    south = np.isin(columns["city"], ("Rome", "Turin"))
    age = (columns["age"] - 49) / 12
    total: Array = (
        np.where(south, -0.6 * age, 1.2 * age)
        + np.where(columns["age"] > 60, 3.5, 1.8) * income
        + np.select([columns["city"] == "Oslo", south], [1.5, -0.8], 0.0)
    )
    return total


def truth_of(task: str, score: Callable[[Columns], Array]) -> Callable[[Columns], Array]:
    """Return the true chances, or values, of a task."""

    def chances(columns: Columns) -> Array:
        value = score(columns)
        if task == "a number":
            return 100 + 20 * value[:, None]
        if task == "two classes":
            yes = 1 / (1 + np.exp(-1.5 * value))
            return np.stack([1 - yes, yes], axis=1)
        logits = np.stack([-1.5 * value, np.full(len(value), 0.8), 1.5 * value], axis=1)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        total: Array = powers / powers.sum(axis=1, keepdims=True)
        return total

    return chances


def true_parts(one: Planted, rows: Sequence[int], asked: Array, behind: int = 300) -> Array:
    """Return what each cause truly did to each row's answer: Shapley values, [N, 5], counted out.

    asked: which of the answers of `truth` is meant, [N]
    """
    rest = {name: values[-behind:] for name, values in one.columns.items()}
    found = np.zeros((len(rows), len(CAUSES)))
    for place, row in enumerate(rows):
        value = {
            own: float(_mixed_answer(one, row, rest, own)[:, asked[place]].mean())
            for size in range(len(CAUSES) + 1)
            for own in combinations(CAUSES, size)
        }
        for number, cause in enumerate(CAUSES):
            others = [name for name in CAUSES if name != cause]
            for size in range(len(others) + 1):
                weight = 1 / (len(CAUSES) * math.comb(len(others), size))
                for own in combinations(others, size):
                    joined = tuple(name for name in CAUSES if name in own or name == cause)
                    found[place, number] += weight * (value[joined] - value[own])
    return found


def _mixed_answer(one: Planted, row: int, rest: Columns, own: tuple[str, ...]) -> Array:
    return one.truth(
        {
            name: np.full(len(values), one.columns[name][row]) if name in own else values
            for name, values in rest.items()
        }
    )


def _answers(task: str, seen: Array, draw: np.random.Generator) -> Any:
    if task == "a number":
        return (seen[:, 0] + draw.normal(0, 8, len(seen))).round(2)
    drawn = (seen.cumsum(axis=1) < draw.random(len(seen))[:, None]).sum(axis=1)
    names = ("no", "yes") if task == "two classes" else ("low", "middle", "high")
    return np.array(names)[np.minimum(drawn, len(names) - 1)]


def _cells(values: Array) -> pl.Series:
    return pl.Series(values).fill_nan(None) if values.dtype.kind == "f" else pl.Series(values)


def _noise(draw: np.random.Generator, rows: int, number: int) -> pl.Series:
    """Return a column that does nothing: numbers, texts, counts, some with missing cells."""
    if number % 3 == 0:
        return _cells(np.where(draw.random(rows) < 0.05, np.nan, draw.normal(50, 9, rows).round(2)))
    if number % 3 == 1:
        return pl.Series(draw.choice(["red", "green", "blue", "white"], rows))
    return pl.Series(draw.poisson(4.0, rows))
