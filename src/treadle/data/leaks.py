"""Columns that give the answer away: each alone is asked to tell the target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.contracts import Task
from treadle.data.columns import Column, Schema, text_of
from treadle.data.hashing import hash_values
from treadle.data.leak import Leak, ignoring
from treadle.data.leak_scores import (
    Floats,
    answers_of,
    beside_score,
    codes_of,
    cross_score,
    least_area,
    rank_score,
    roc_auc,
    squared_correlation,
    text_codes,
)
from treadle.data.target import TargetEncoder

__all__ = ["Leak", "find_leaks"]

_SAMPLE_ROWS = 20_000
_FEWEST_ROWS = 50
_FEW_ROWS = 3_000
_SUSPICIOUS = 0.97
_SURELY = 0.96
_SAME_LINE = 0.95
_SURE = 0.9
_ONLY_FOR_ONE = 0.85
_SEVERAL = 3
_PERFECT = 0.995
_FEWEST_FILLED = 20
_LEAST_FILLED_OF_A_CLASS = 0.15
_SAME_ANSWER = 0.72
_MOST_FILLED = 0.8
_SAME_ORDER = 1 - 1e-9


@dataclass(frozen=True, kw_only=True)
class Suspects:
    """What every column is asked about.

    rows: at most 20,000 rows of training, evenly spaced; answers float64 [N, K]
    """

    rows: pl.DataFrame
    schema: Schema
    target: TargetEncoder
    answers: Floats

    @property
    def task(self) -> Task:
        return self.target.task

    @property
    def measure(self) -> str:
        return "r2" if self.task == "number" else "roc_auc"


def find_leaks(train: pl.DataFrame, schema: Schema, target: TargetEncoder) -> list[Leak]:
    """Return the columns learned from that give the answer away, the surest first.

    A column's values (numbers: up to 100 bins) get the mean answer of one half of the rows; how
    well these tell the other half, and the other way round, is the score; or, where that is more,
    how well the order of its numbers tells the answer. 20,000 rows at most.
    """
    rows = train.gather_every(max(-(-train.height // _SAMPLE_ROWS), 1))
    if rows.height < _FEWEST_ROWS:
        return _copies(rows, schema, target)
    answers = answers_of(rows[schema.target], target)
    asked = Suspects(rows=rows, schema=schema, target=target, answers=answers)
    scores = {column.name: column_score(column, asked) for column in schema.used()}
    found = [
        leak
        for column in schema.used()
        if (leak := _leak_of(column, asked, scores[column.name])) is not None
    ]
    if _is_easy(scores, [leak.column for leak in found]):
        found = [leak for leak in found if leak.kind != "alone" or leak.score >= _PERFECT]
    return sorted(found, key=lambda leak: -leak.score)


def _is_easy(scores: dict[str, float], leaks: list[str]) -> bool:
    """Return whether many columns tell the answer well: then one that does it best is no wonder."""
    return sum(score >= _SURE for name, score in scores.items() if name not in leaks) >= _SEVERAL


def column_score(column: Column, asked: Suspects) -> float:
    """Return how well a column alone tells the answer."""
    values = asked.rows[column.name]
    scores = [
        cross_score(codes_of(values, column), asked.answers, asked.task),
        rank_score(values, asked.answers, asked.task),
    ]
    if asked.task != "number" and values.len() < _FEW_ROWS:
        scores.append(beside_score(values, asked.answers, asked.task))
    return max(scores)


def _leak_of(column: Column, asked: Suspects, score: float) -> Leak | None:
    """Return the kind of leak that a column with that score is, or None."""
    values = asked.rows[column.name]
    if (late := _filled_for_one(column, asked)) is not None:
        return late
    if score >= _SUSPICIOUS and _same_answers(values, asked):
        return _copy(column.name, asked, score)
    if _is_near(column, asked, score):
        return _near(column.name, asked, score)
    if score < _SUSPICIOUS or not _is_sure(score, asked):
        return None
    return Leak(
        kind="alone",
        columns=(column.name,),
        measure=asked.measure,
        score=score,
        said=f"'{column.name}' alone tells '{asked.schema.target}' almost perfectly "
        f"({_score_words(asked.measure, score)}). If it is only known once the answer is, the "
        "result is worthless",
        action=ignoring(column.name),
    )


def _is_sure(score: float, asked: Suspects) -> bool:
    """Return whether so high a score cannot come from a few rows: honest columns reach .97, too."""
    if asked.task == "number":
        return True
    positives = int(min(asked.answers.sum(axis=0), default=0))
    return least_area(score, positives, asked.rows.height - positives) >= _SURELY


def _same_answers(values: pl.Series, asked: Suspects) -> bool:
    """Return whether values stand for the answers: one to one, and for numbers in their order."""
    truth = asked.rows[asked.schema.target]
    if not _is_copy(values, truth):
        return False
    return asked.task != "number" or (
        rank_score(values, asked.answers, asked.task) >= _SAME_ORDER or _are_equal(values, truth)
    )


def _score_words(measure: str, score: float) -> str:
    return f"{'r²' if measure == 'r2' else 'ROC AUC'} {score:.3f} of 1"


def _copy(name: str, asked: Suspects, score: float) -> Leak:
    same = _are_equal(asked.rows[name], asked.rows[asked.schema.target])
    what = (
        f"'{name}' holds what '{asked.schema.target}' holds, in every row"
        if same
        else f"'{name}' is '{asked.schema.target}' under other names: each of its values goes with "
        "one answer, and each answer with one value"
    )
    return Leak(
        kind="copy",
        columns=(name,),
        measure=asked.measure,
        score=score,
        said=f"{what}. A model that may see it learns nothing else",
        action=ignoring(name),
    )


def _near(name: str, asked: Suspects, score: float) -> Leak:
    return Leak(
        kind="near_copy",
        columns=(name,),
        measure=asked.measure,
        score=score,
        said=f"'{name}' is nearly a copy of '{asked.schema.target}' "
        f"({_score_words(asked.measure, score)}): hardly a row differs. A model that may see it "
        "learns little else",
        action=ignoring(name),
    )


def _is_near(column: Column, asked: Suspects, score: float) -> bool:
    """Return whether a column is the answer with some noise: hardly more values than answers."""
    values, truth = asked.rows[column.name], asked.rows[asked.schema.target]
    if asked.task == "number":
        if score < _SURE or not values.dtype.is_numeric() or values.dtype == pl.Boolean:
            return False
        both = pl.DataFrame({"one": values.cast(pl.Float64), "other": truth.cast(pl.Float64)})
        both = both.filter(pl.all_horizontal(pl.all().is_finite().fill_null(False)))
        one, other = both["one"].to_numpy(), both["other"].to_numpy()
        return (
            both.height >= _MOST_FILLED * values.len()
            and squared_correlation(one, other) >= _SAME_LINE
        )
    most_values = max(2 * len(asked.target.classes), len(asked.target.classes) + 2)
    if values.dtype.is_numeric() and values.n_unique() > most_values + 2:  # NaN and none are one
        return False
    codes = text_codes(values)
    if len(np.unique(codes)) > most_values:
        return False
    return _agreement(codes, text_codes(truth)) >= _SAME_ANSWER


def _agreement(codes: NDArray[np.int64], answers: NDArray[np.int64]) -> float:
    """Return how often a value's most frequent answer is right, beyond chance: 0 to 1.

    Source: Cohen, A Coefficient of Agreement for Nominal Scales (1960).
    """
    table = np.zeros((codes.max() + 1, answers.max() + 1))
    np.add.at(table, (codes, answers), 1.0)
    told = table.argmax(axis=1)[codes]
    right = float((told == answers).mean())
    shares = [np.bincount(c, minlength=table.shape[1]) / len(c) for c in (told, answers)]
    chance = float(shares[0] @ shares[1])
    return (right - chance) / (1 - chance) if chance < 1 else 0.0


def _filled_for_one(column: Column, asked: Suspects) -> Leak | None:
    """Return a leak where whether a cell is filled tells the answer."""
    filled = _filled(asked.rows[column.name])
    if not _FEWEST_FILLED <= filled.sum() <= len(filled) - _FEWEST_FILLED:
        return None
    for told, word in ((filled, "filled in"), (~filled, "empty")):
        found = _only_for(told, asked)
        if found is not None:
            return _after(column, asked, word, *found)
    return None


def _filled(cells: pl.Series) -> NDArray[np.bool_]:
    if cells.dtype == pl.String:
        cells = text_of(cells)
    elif cells.dtype.is_float():
        cells = cells.fill_nan(None)
    return cells.is_not_null().to_numpy()


def _only_for(told: NDArray[np.bool_], asked: Suspects) -> tuple[str, float, float] | None:
    """Return (for which answers cells are so, how surely, the score), or None."""
    if asked.task == "number":
        truth = asked.answers[:, 0]
        score = squared_correlation(told.astype(np.float64), truth)
        apart = roc_auc(told.astype(np.float64), truth)
        higher = apart >= 0.5
        if max(apart, 1 - apart) < _SUSPICIOUS:
            return None
        return ("high" if higher else "low") + " answers", max(apart, 1 - apart), score
    truth = asked.target.encode(asked.rows[asked.schema.target]).astype(np.int64)
    for code, name in enumerate(asked.target.classes):
        of_class = truth == code
        base, share = float(of_class.mean()), float(of_class[told].mean())
        sure = (share - base) / (1 - base) if base < 1 else 0.0
        covered = float(told[of_class].mean()) if of_class.any() else 0.0
        enough = base * told.sum() > 1 and (1 - base) * told.sum() >= _FEWEST_FILLED / 2
        if sure >= _ONLY_FOR_ONE and covered >= _LEAST_FILLED_OF_A_CLASS and enough:
            score = roc_auc(of_class.astype(np.float64), told.astype(np.float64))
            return f"'{name}'", share, score
    return None


def _after(
    column: Column, asked: Suspects, word: str, whom: str, share: float, score: float
) -> Leak:
    target = asked.schema.target
    return Leak(
        kind="after_event",
        columns=(column.name,),
        measure=asked.measure,
        score=score,
        said=f"'{column.name}' is {word} almost only where '{target}' is {whom} "
        f"({100 * share:.3g} of 100 such rows): it looks as if it were written down once the "
        "answer was known",
        action=ignoring(column.name),
        more={"cells": word, "answer": whom},
    )


def _copies(rows: pl.DataFrame, schema: Schema, target: TargetEncoder) -> list[Leak]:
    """Return the columns of a table too small for scores that say what the target says."""
    answers = np.zeros((rows.height, 0))
    asked = Suspects(rows=rows, schema=schema, target=target, answers=answers)
    return [
        _copy(column.name, asked, 1.0)
        for column in schema.used()
        if rows.height and _says_the_same(rows[column.name], rows[schema.target], target)
    ]


def _says_the_same(values: pl.Series, answers: pl.Series, target: TargetEncoder) -> bool:
    if target.task != "number":
        return values.null_count() == 0 and _is_copy(values, answers)
    return values.dtype.is_numeric() and bool((values == answers).fill_null(False).all())


def _are_equal(values: pl.Series, answers: pl.Series) -> bool:
    return bool((text_of(values) == text_of(answers)).fill_null(False).all())


def _is_copy(values: pl.Series, answers: pl.Series) -> bool:
    """Return whether values and answers stand one to one."""
    pairs = pl.DataFrame({"value": hash_values(values), "answer": hash_values(answers)})
    kinds = pairs.n_unique()
    return kinds == pairs["value"].n_unique() == pairs["answer"].n_unique()
