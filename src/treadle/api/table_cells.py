"""Cells that no model should be trained on as they are, refused with file, row and column."""

from __future__ import annotations

import polars as pl

from treadle.api.options import FitOptions
from treadle.data.mixed import Mixture, find_mixture
from treadle.data.read import ReadResult
from treadle.data.target import no_answers
from treadle.errors import DataError

Problem = tuple[str, str]
_ROWS_KEPT = 5


def refuse_cells(options: FitOptions, read: ReadResult) -> None:
    """Refuse answers that are no numbers, columns of several kinds, and dates of two readings.

    Raises: DataError, of all columns together.
    """
    problems = answer_problems(str(options.target), read) + _weight_problems(options.weight, read)
    unused = {*options.ignore, options.weight, options.group}
    for column in read.frame.iter_columns():
        if column.name in unused:
            continue
        mixture = find_mixture(column)
        if mixture is not None:
            problems.append(_mixture_problem(column.name, mixture, read))
    problems += [
        (
            f"The dates of '{name}' are ambiguous: nothing tells whether they have the day first "
            f"or the month, as in {read.places([row])}.",
            f"write them as 2025-12-31, or --ignore {name}",
        )
        for name, row in read.ambiguous.items()
        if name not in unused or name == options.time
    ]
    if problems:
        raise DataError.of(problems)


def answer_problems(target: str, read: ReadResult) -> list[Problem]:
    """Return what is wrong with the answers of a table: NaN, infinite, too large."""
    if target not in read.frame.columns:
        return []
    found = no_answers(read.frame[target])
    rows = sorted({*read.not_numbers.get(target, []), *found.arg_true().head(_ROWS_KEPT)})
    if not rows:
        return []
    return [
        (
            f"'{target}' is to be predicted, but holds NaN or a number that is infinite or beyond "
            f"3e38: {read.places(rows)}.",
            "correct these cells; leave a cell empty where its answer is not known",
        )
    ]


def _weight_problems(weight: str | None, read: ReadResult) -> list[Problem]:
    """Tell of weights that are missing, negative or no numbers."""
    if weight is None:
        return []
    values = read.frame[weight].cast(pl.Float64, strict=False)
    bad = values.is_null() | ~values.is_finite() | (values < 0)
    if not bad.any():
        return []
    rows = bad.arg_true().head(_ROWS_KEPT).to_list()
    cells = ", ".join(f"'{'' if cell is None else cell}'" for cell in read.frame[weight][rows])
    return [
        (
            f"The weight column '{weight}' holds {cells}: {read.places(rows)}.",
            "Weights are finite numbers of 0 or more.",
        )
    ]


def _mixture_problem(name: str, mixture: Mixture, read: ReadResult) -> Problem:
    are = "are" if mixture.odd > 1 else "is"
    return (
        f"The column '{name}' holds {mixture.kind} in {mixture.fitting:,} rows, but "
        f"{mixture.odd:,} {are} something else, such as '{mixture.example}': "
        f"{read.places(mixture.rows)}.",
        f"write all cells alike (2025-12-31), or --ignore {name}"
        if mixture.kind == "dates"
        else f"correct these cells, or empty them where nothing is known, or --ignore {name}",
    )
