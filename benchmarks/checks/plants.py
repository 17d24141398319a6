"""Leaks planted into tables, of every kind: a table with answers in, a table that leaks out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from benchmarks.checks.tables import Table, answers

Random: TypeAlias = np.random.Generator
Plant: TypeAlias = Callable[[Table, Random], tuple[Table, str]]
"""Returns the table with a leak in it, and the column that is at fault ("" for the rows' order)."""


def _with(table: Table, name: str, values: Any) -> tuple[Table, str]:
    series = pl.Series(name, values)
    return replace(table, frame=table.frame.with_columns(series)), name


def _is_number(table: Table) -> bool:
    values = table.frame[table.target]
    return bool(values.dtype.is_float() or values.n_unique() > 20)


def _spread(y: np.ndarray[Any, Any]) -> float:
    return float(y.std()) or 1.0


def _high(table: Table) -> np.ndarray[Any, Any]:
    """Return 0/1: the rarest class, or the highest fifth of a number."""
    y = answers(table)
    if _is_number(table):
        return (y >= np.quantile(y, 0.8)).astype(np.float64)
    return (y == y.max()).astype(np.float64)


def equal(table: Table, random: Random) -> tuple[Table, str]:
    """Plant the answer itself."""
    return _with(table, "status_now", table.frame[table.target])


def renamed(table: Table, random: Random) -> tuple[Table, str]:
    """Plant the answer under other names, or in other units."""
    y = answers(table)
    if _is_number(table):
        return _with(table, "with_tax", 1.19 * y + 3)
    return _with(table, "segment", [f"S{int(v) * 7 + 3}" for v in y])


def flipped(table: Table, random: Random) -> tuple[Table, str]:
    """Plant the answer with one cell in 33 changed, or with a tenth of its spread as noise."""
    y = answers(table)
    if _is_number(table):
        return _with(table, "second_reading", y + random.normal(0, 0.1 * _spread(y), len(y)))
    wrong = random.random(len(y)) < 0.03 * min(1.0, float(_high(table).mean()) / 0.2)
    return _with(table, "checked", np.where(wrong, random.permutation(y), y).astype(int))


def noisy(table: Table, random: Random) -> tuple[Table, str]:
    """Plant the answer as a number with noise."""
    y = answers(table)
    scale = 0.08 * _spread(y) if _is_number(table) else 0.15
    return _with(table, "index_value", y + random.normal(0, scale, len(y)))


def bent(table: Table, random: Random) -> tuple[Table, str]:
    """Plant what tells the answer without being it: a bent scale that goes up and down."""
    y = answers(table)
    if _is_number(table):
        z = (y - y.mean()) / _spread(y)
        return _with(table, "gauge", np.exp(np.clip(z, -3, 3)) + random.normal(0, 0.02, len(y)))
    side = random.choice([-1.0, 1.0], len(y))
    return _with(table, "gauge", side * (1 + 2 * y) + random.normal(0, 0.3, len(y)))


def many_codes(table: Table, random: Random) -> tuple[Table, str]:
    """Plant many codes of which each goes with one answer."""
    y = answers(table)
    if _is_number(table):
        edges = np.quantile(y, np.linspace(0, 1, 41)[1:-1])
        y = np.searchsorted(edges, y).astype(np.float64)
    code = (y * 5 + random.integers(5, size=len(y))).astype(int)
    return _with(table, "desk", [f"D{(c * 7919) % 1009}" for c in code])


def filled_later(table: Table, random: Random) -> tuple[Table, str]:
    """Plant a column that is only filled for some answers, and not for all of those."""
    high = _high(table).astype(bool)
    filled = high & (random.random(len(high)) < (0.98 if _is_number(table) else 0.6))
    values = random.gamma(2, 40, len(high)).round(2)
    return _with(
        table,
        "refund",
        [float(v) if f else None for v, f in zip(values, filled, strict=True)],
    )


def closed_at(table: Table, random: Random) -> tuple[Table, str]:
    """Plant the time of each row, and a date some days after it."""
    begin = np.datetime64("2024-01-01T00:00:00") + random.integers(
        0, 86_400 * 500, len(table.frame)
    )
    later = begin + random.integers(3_600, 86_400 * 20, len(begin))
    frame = table.frame.with_columns(
        pl.Series("opened", begin.astype("datetime64[us]")),
        pl.Series("closed", later.astype("datetime64[us]")),
    )
    return replace(table, frame=frame, options={"time": "opened"}), "closed"


def ranges(table: Table, random: Random) -> tuple[Table, str]:
    """Plant numbers of rows in ranges that go with the answer, in shuffled rows."""
    y = answers(table) + (random.normal(0, 0.02, len(table.frame)))
    order = np.argsort(np.argsort(y, kind="stable"), kind="stable")
    shuffled = table.frame.with_columns(case_id=pl.Series(100_000 + order * 3))
    return replace(table, frame=shuffled.sample(fraction=1, shuffle=True, seed=1)), "case_id"


def lettered(table: Table, random: Random) -> tuple[Table, str]:
    """Plant names of rows whose first letters go with the answer."""
    y = answers(table)
    if _is_number(table):
        y = np.searchsorted(np.quantile(y, np.linspace(0, 1, 11)[1:-1]), y).astype(np.float64)
    number = random.permutation(len(y))
    return _with(
        table,
        "reference",
        [f"{'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[int(v)]}-{n:06}" for v, n in zip(y, number, strict=True)],
    )


def blocks_in_time(table: Table, random: Random) -> tuple[Table, str]:
    """Put rows into stretches of time that share the answer; the time is a column."""
    frame = _in_blocks(table, random)
    begin = np.datetime64("2024-01-01T00:00:00")
    moments = begin + np.cumsum(random.integers(30, 900, frame.height))
    return replace(
        table,
        frame=frame.with_columns(pl.Series("seen_at", moments.astype("datetime64[us]"))).sample(
            fraction=1, shuffle=True, seed=2
        ),
        options={},
    ), "seen_at"


def blocks_in_file(table: Table, random: Random) -> tuple[Table, str]:
    """Put rows into stretches of the file that share the answer."""
    return replace(table, frame=_in_blocks(table, random), options={}), ""


def _in_blocks(table: Table, random: Random) -> pl.DataFrame:
    """Return the rows in some forty or more blocks, each of one answer (or of near ones)."""
    y = answers(table)
    order = np.argsort(y + random.normal(0, 1e-6, len(y)), kind="stable")
    size = max(8, len(y) // 80)
    starts = range(0, len(order), size)
    blocks = [random.permutation(order[start : start + size]) for start in starts]
    turn = random.permutation(len(blocks))
    return table.frame[np.concatenate([blocks[i] for i in turn])]


def same_patient(table: Table, random: Random) -> tuple[Table, str]:
    """Give rows of one answer to the same person, who comes about six times."""
    y = answers(table)
    order = np.argsort(y + random.normal(0, 1e-3, len(y)), kind="stable")
    persons = max(len(y) // 6, 12)
    person = np.empty(len(y), np.int64)
    person[order] = np.arange(len(y)) * persons // len(y)
    names = random.permutation(persons)[person]
    return _with(table, "patient", [f"P{n:05}" for n in names])


def same_machine(table: Table, random: Random) -> tuple[Table, str]:
    """Repeat rows with a little noise: the same thing measured several times, numbered."""
    few = table.frame.sample(max(table.frame.height // 5, 60), seed=4)
    again = pl.concat([few] * 5)
    serial = random.permutation(few.height)
    numbers = [n for n in few.columns if few.schema[n].is_float() and n != table.target]
    noise = [
        pl.col(n) + pl.Series(random.normal(0, 0.01 * (few[n].std() or 1), again.height))
        for n in numbers
    ]
    frame = again.with_columns(*noise, serial=pl.Series(np.tile(serial, 5)))
    return replace(
        table, frame=frame.sample(fraction=1, shuffle=True, seed=3), options={}
    ), "serial"


def mean_of_group(table: Table, random: Random) -> tuple[Table, str]:
    """Plant the mean answer of each region over all rows; the region stays in the table."""
    return _mean(table, random, groups=60, keep=True)


def mean_alone(table: Table, random: Random) -> tuple[Table, str]:
    """Plant the mean answer of small groups over all rows, the group left out."""
    return _mean(table, random, groups=max(len(table.frame) // 8, 10), keep=False)


def mean_of_others(table: Table, random: Random) -> tuple[Table, str]:
    """Plant the mean answer of the other rows of the group."""
    group = random.integers(max(len(table.frame) // 20, 6), size=len(table.frame))
    y = answers(table) if _is_number(table) else _high(table)
    counts, sums = np.bincount(group), np.bincount(group, weights=y)
    others = (sums[group] - y) / np.maximum(counts[group] - 1, 1)
    frame = table.frame.with_columns(
        area=pl.Series([f"A{g}" for g in group]), area_rate=pl.Series(others)
    )
    return replace(table, frame=frame), "area_rate"


def _mean(table: Table, random: Random, groups: int, keep: bool) -> tuple[Table, str]:
    y, group = answers(table), random.integers(groups, size=len(table.frame))
    if not _is_number(table):
        y = _high(table)
    means = (np.bincount(group, weights=y) / np.maximum(np.bincount(group), 1))[group]
    columns = [pl.Series("region_rate", means)]
    if keep:
        columns.append(pl.Series("region", [f"R{g}" for g in group]))
    return replace(table, frame=table.frame.with_columns(*columns)), "region_rate"


PLANTS: dict[str, tuple[str, Plant]] = {
    "equal": ("copy", equal),
    "renamed": ("copy", renamed),
    "flipped": ("near_copy", flipped),
    "noisy": ("near_copy", noisy),
    "bent": ("alone", bent),
    "many codes": ("alone", many_codes),
    "filled later": ("after_event", filled_later),
    "closed at": ("after_event", closed_at),
    "ranges": ("identifier", ranges),
    "lettered": ("identifier", lettered),
    "blocks in time": ("time", blocks_in_time),
    "blocks in file": ("time", blocks_in_file),
    "same patient": ("group", same_patient),
    "same machine": ("group", same_machine),
    "mean of group": ("derived", mean_of_group),
    "mean alone": ("derived", mean_alone),
    "mean of others": ("derived", mean_of_others),
}
