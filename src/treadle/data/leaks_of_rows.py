"""Answers given away by which rows stand where: identifiers, times, and rows of one thing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.contracts import Task
from treadle.data.columns import Column, Schema, says_identifier, text_of
from treadle.data.finding import of_100
from treadle.data.leak import Leak
from treadle.data.leak_scores import (
    Codes,
    Floats,
    answers_of,
    binned,
    cross_score,
    score,
    squared_correlation,
    text_codes,
    usual_score,
)
from treadle.data.split import Split
from treadle.data.target import TargetEncoder

_MOST_ROWS = 40_000
_FEWEST_ROWS = 100
_ROWS_OF_A_STRETCH = 400
_TELLS = {"two_classes": 0.78, "classes": 0.78, "number": 0.6}
_BLOCKS = {"two_classes": 0.75, "classes": 0.75, "number": 0.5}
_BLOCKS_OF_ROWS = {"two_classes": 0.9, "classes": 0.9, "number": 0.85}
_BEYOND_A_TREND = 0.12
_FEW_BINS = 8
_ONE_THING = 0.65
_ROWS_OF_ONE = (1.7, 300.0)
_MOST_OF_ONE = 0.2
_FEWEST_THINGS = 10
_SORTED = 0.9
_IN_BOTH = 0.3
_IDENTIFIER_WORDS = "an identifier"


@dataclass(frozen=True, kw_only=True)
class Placed:
    """Rows in the order given, at most 40,000 in stretches of neighbours, and their answers.

    part: int64 [N]: 0 train, 1 validation, 2 test, 3 none
    """

    rows: pl.DataFrame
    part: Codes
    answers: Floats
    schema: Schema
    task: Task
    measure: str


def placed_rows(
    frame: pl.DataFrame, split: Split, schema: Schema, target: TargetEncoder
) -> Placed | None:
    """Return what the questions below are asked about; None where there are too few rows."""
    chosen = split.rows
    if len(chosen) > _MOST_ROWS:
        chosen = _stretches(chosen)
    if len(chosen) < _FEWEST_ROWS:
        return None
    rows = frame[chosen]
    return Placed(
        rows=rows,
        part=split.part_of(frame.height)[chosen],
        answers=answers_of(rows[schema.target], target),
        schema=schema,
        task=target.task,
        measure="r2" if target.task == "number" else "roc_auc",
    )


def _stretches(chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return evenly spaced stretches of rows that stand beside each other."""
    count = _MOST_ROWS // _ROWS_OF_A_STRETCH
    starts = np.linspace(0, len(chosen) - _ROWS_OF_A_STRETCH, count).astype(np.int64)
    found: NDArray[np.int64] = chosen[(starts[:, None] + np.arange(_ROWS_OF_A_STRETCH)).ravel()]
    return np.unique(found)


def find_row_leaks(placed: Placed, method: str) -> list[Leak]:
    """Return the leaks of identifiers, of time, and of rows that belong together.

    method: how rows were parted, as SplitRule has it
    """
    found = [] if method == "time" else list(_identifiers(placed))  # numbers count up with time
    if method not in ("time", "given"):
        found += _times(placed, by_group=method == "group")
    if method not in ("time", "group"):
        found += _groups(placed)
    return found


def _identifiers(placed: Placed) -> Iterator[Leak]:
    """Yield identifiers whose order, or the ranges they lie in, tell the answer."""
    for column in placed.schema.columns:
        values = placed.rows[column.name]
        if "as you asked" in column.why or not _names_rows(column, values):
            continue
        order = _order_of(values)
        if order is None:
            continue
        told = usual_score(binned(order), placed.answers, placed.task)
        if told < _TELLS[placed.task]:
            continue
        learned = "" if column.kind != "left_out" else " (it is not learned from)"
        yield Leak(
            kind="identifier",
            columns=(column.name,),
            measure=placed.measure,
            score=told,
            said=f"'{column.name}' only names rows, yet its order tells '{placed.schema.target}'"
            f"{learned}: the answers were collected one kind after the other, and new rows will "
            "not come so",
            action=f"never learn from it: --ignore {column.name}"
            if not learned
            else "find out how the rows were collected; leave this column out everywhere",
            more={"learned_from": not learned},
        )


def _names_rows(column: Column, values: pl.Series) -> bool:
    """Return whether a column gives nearly every row a name or number of its own."""
    is_text = values.dtype in (pl.String, pl.Categorical)
    if not (is_text or values.dtype.is_integer() or _is_whole(values)) or column.kind == "date":
        return False
    distinct = values.drop_nulls().n_unique()
    if distinct < 0.95 * values.len():
        return False
    if is_text or column.why.startswith(_IDENTIFIER_WORDS):
        return True
    numbers = values.cast(pl.Float64).drop_nulls()
    span = float(numbers.max()) - float(numbers.min())  # type: ignore[arg-type]
    return bool(distinct == values.len() and (span <= 20 * distinct or numbers.is_sorted()))


def _is_whole(values: pl.Series) -> bool:
    if not values.dtype.is_float():
        return False
    filled = values.fill_nan(None).drop_nulls()
    return filled.len() > 0 and bool((filled == filled.round(0)).all())


def _order_of(values: pl.Series) -> Floats | None:
    """Return ranks float64 [N] of numbers, or of texts by spelling."""
    if not values.dtype.is_numeric():
        values = text_of(values)
    ranks: Floats = values.rank("dense").cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return ranks if np.isfinite(ranks).any() else None


def _times(placed: Placed, *, by_group: bool) -> Iterator[Leak]:
    """Yield the times, or the order of rows, in which answers come in blocks.

    by_group: rows of one thing, which mostly stand beside each other, are in one part
    """
    for name, seconds in _moments(placed):
        near, trend = _in_blocks(seconds, placed)
        if near >= _BLOCKS[placed.task] and near >= trend + _BEYOND_A_TREND:
            yield Leak(
                kind="time",
                columns=(name,),
                measure=placed.measure,
                score=near,
                said=f"rows close in '{name}' mostly have the same '{placed.schema.target}', and "
                "the split puts neighbours into training and test alike: the figures will look "
                "better than tomorrow's",
                action=f"learn from the past and test on what came later: --time {name}",
                more={"trend": trend},
            )
            return
    if by_group or _is_sorted(placed):
        return
    order = np.arange(placed.rows.height, dtype=np.float64)
    near, trend = _in_blocks(order, placed)
    if near >= _BLOCKS_OF_ROWS[placed.task] and near >= trend + _BEYOND_A_TREND:
        yield Leak(
            kind="time",
            columns=(),
            measure=placed.measure,
            score=near,
            said=f"rows beside each other in the file mostly have the same "
            f"'{placed.schema.target}', as if they were of one day, batch or person, and the split "
            "puts neighbours into training and test alike",
            action="say what parts them: --time COLUMN or --group COLUMN",
            more={"trend": trend},
        )


def _is_sorted(placed: Placed) -> bool:
    """Return whether the file is in the order of a number that is the answer: no harm in that."""
    steps = np.diff(placed.answers[:, 0])
    moved = steps[steps != 0]
    share = float((moved > 0).mean()) if len(moved) else 0.5
    return placed.task == "number" and max(share, 1 - share) >= _SORTED


def _moments(placed: Placed) -> Iterator[tuple[str, Floats]]:
    """Yield the columns of moments as numbers float64 [N], NaN where there is none."""
    from treadle.data.cuts import time_seconds
    from treadle.errors import DataError

    for column in placed.schema.columns:
        values = placed.rows[column.name]
        if column.kind != "date" and values.dtype not in (pl.Date, pl.Datetime):
            continue
        try:
            yield column.name, time_seconds(values)
        except DataError:  # dates written in a way that --time could not read either
            continue


def _in_blocks(order: Floats, placed: Placed) -> tuple[float, float]:
    """Return how well neighbours in an order tell the answer, and how well a slow trend does."""
    known = np.isfinite(order)
    turn = np.argsort(order[known], kind="stable")
    answers = placed.answers[known][turn]
    trend = cross_score(np.arange(len(turn)) * _FEW_BINS // max(len(turn), 1), answers, placed.task)
    return _beside_score(answers, placed.task), trend


def _beside_score(answers: Floats, task: Task) -> float:
    """Return how well the mean answer of a row's two neighbours tells its own, the worst class."""
    if len(answers) < _FEWEST_ROWS:
        return 0.0
    beside = (answers[:-2] + answers[2:]) / 2
    return min(score(answers[1:-1, k], beside[:, k], task) for k in range(answers.shape[1]))


def _groups(placed: Placed) -> Iterator[Leak]:
    """Yield columns that name things with several rows each, whose rows share the answer."""
    found: list[tuple[bool, float, str, float]] = []
    for column in placed.schema.columns:
        values = placed.rows[column.name]
        if column.kind == "date" or "as you asked" in column.why or _names_nothing(values.dtype):
            continue
        alike = _one_thing(values, placed)
        if alike is not None and alike[0] >= _ONE_THING and alike[1] >= _IN_BOTH:
            names_things = says_identifier(column.name)  # a person before their weight
            found.append((names_things, alike[0], column.name, alike[1]))
    if found:
        _, alike_share, name, in_both = max(found)
        yield Leak(
            kind="group",
            columns=tuple(column for _, _, column, _ in sorted(found, reverse=True)),
            measure=placed.measure,
            score=alike_share,
            said=f"rows with the same '{name}' nearly always have the same "
            f"'{placed.schema.target}', and {of_100(in_both)} of 100 rows of test have a "
            f"'{name}' that training knows: it recognises them, and learns nothing about new ones",
            action=f"keep the rows of each '{name}' in one part: --group {name}",
            more={
                "in_both": in_both,
                "identifiers": [name for named, _, name, _ in found if named],
            },
        )


def _names_nothing(dtype: pl.DataType) -> bool:
    return dtype.is_float() or dtype.is_nested()


def _one_thing(values: pl.Series, placed: Placed) -> tuple[float, float] | None:
    """Return (how alike the answers of one value are, 0 to 1; the share of test in training)."""
    codes = text_codes(values)
    codes[values.is_null().to_numpy()] = -1
    known = codes >= 0
    if known.sum() < _FEWEST_ROWS:
        return None
    counts = np.bincount(codes[known])
    things = int((counts > 0).sum())
    several = float(counts[counts > 1].sum()) / known.sum()
    mean = known.sum() / max(things, 1)
    common = float(counts.max()) / known.sum()
    sizes_fit = _ROWS_OF_ONE[0] <= mean <= _ROWS_OF_ONE[1] and common <= _MOST_OF_ONE
    if things < _FEWEST_THINGS or not sizes_fit or several < 0.5:
        return None
    alike = _alike(codes[known], placed.answers[known])
    is_amount = not says_identifier(values.name) and _is_amount(values, codes, placed)
    if alike < _ONE_THING or is_amount:
        return None
    test = known & (placed.part == 2)
    in_both = np.isin(codes[test], codes[known & (placed.part == 0)])
    return alike, float(in_both.mean()) if test.any() else 0.0


def _alike(codes: Codes, answers: Floats) -> float:
    """Return how much of the answers' spread lies between things rather than inside them.

    The intraclass correlation of one answer, the worst of the classes'.
    Source: Shrout and Fleiss, Intraclass Correlations (1979), ICC(1,1) for groups of unequal size.
    """
    counts = np.bincount(codes).astype(np.float64)
    kept = counts > 0
    total, things = len(codes), int(kept.sum())
    usual = (total - float((counts**2).sum()) / total) / max(things - 1, 1)
    worst = 1.0
    for k in range(answers.shape[1]):
        sums = np.bincount(codes, weights=answers[:, k], minlength=len(counts))
        means = sums / np.maximum(counts, 1)
        between = float((counts * (means - answers[:, k].mean()) ** 2)[kept].sum())
        inside = float(((answers[:, k] - means[codes]) ** 2).sum())
        between, inside = between / max(things - 1, 1), inside / max(total - things, 1)
        spread = between + (usual - 1) * inside
        worst = min(worst, (between - inside) / spread if spread > 0 else 0.0)
    return worst


def _is_amount(values: pl.Series, codes: Codes, placed: Placed) -> bool:
    """Return whether a number's neighbours tell the answer nearly as well as its equals do."""
    if not values.dtype.is_numeric():
        return False
    numbers = values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    distinct, place = np.unique(numbers[codes >= 0], return_inverse=True)
    answers = placed.answers[codes >= 0]
    worst = 1.0
    for k in range(answers.shape[1]):
        counts = np.bincount(place).astype(np.float64)
        means = np.bincount(place, weights=answers[:, k]) / np.maximum(counts, 1)
        beside = (np.roll(means, 1) + np.roll(means, -1))[1:-1] / 2
        worst = min(worst, squared_correlation(beside, means[1:-1]))
    return len(distinct) > 2 and worst >= 0.3
