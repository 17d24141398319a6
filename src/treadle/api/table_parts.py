"""The user's own validation and test tables, brought to what the main table is."""

from __future__ import annotations

import polars as pl

from treadle.api.options import FitOptions
from treadle.api.table_cells import Problem, answer_problems
from treadle.data.cells import column_problems, typed_cells
from treadle.data.columns import Schema, dtype_of, text_of
from treadle.data.read import ReadResult, read_tables
from treadle.data.recognise import parse_cells
from treadle.data.target import is_answer
from treadle.errors import DataError

PartTables = dict[str, ReadResult]
_WORDS = {"number": "numbers", "text": "text", "yes_no": "yes or no", "date": "dates"}
_SHOWN = 3


def read_parts(options: FitOptions, main: ReadResult) -> PartTables:
    """Read the tables given as --validation and --test; their dates as the main table's are."""
    given = {"validation": options.validation, "test": options.test}
    dates = [name for name, written in main.formats.items() if written.reads_as == "date"]
    return {
        name: read_tables(list(paths), sheet=options.sheet, as_text=dates)
        for name, paths in given.items()
        if paths
    }


def fitting_parts(
    parts: PartTables, main: ReadResult, schema: Schema, task: str
) -> tuple[dict[str, pl.DataFrame], list[str]]:
    """Return the parts' rows that have an answer, their cells as in the main table; and notes.

    Raises: DataError naming part, column and row of all that does not fit.
    """
    frames: dict[str, pl.DataFrame] = {}
    notes: list[str] = []
    problems: list[Problem] = []
    for name, read in parts.items():
        found = _problems_of(name, read, main, schema, task)
        problems += found
        if found:
            continue
        answered = is_answer(read.frame[schema.target])
        if not answered.all():
            count = int((~answered).sum())
            rows = "1 row has" if count == 1 else f"{count:,} rows have"
            notes.append(f"In --{name}, {rows} no '{schema.target}': left out.")
        frames[name] = _as_main(read.frame, main, schema).filter(answered)
        notes += [f"--{name}: {note}" for note in read.notes]
    if problems:
        raise DataError.of(problems)
    return frames, notes


def _problems_of(
    name: str, read: ReadResult, main: ReadResult, schema: Schema, task: str
) -> list[Problem]:
    lacking = [n for n in main.frame.columns if n not in read.frame.columns]
    if lacking:
        told = ", ".join(f"'{column}'" for column in lacking[:5])
        return [(f"--{name} lacks {told}.", "give it the columns of the main table")]
    problems = [(f"--{name}: {said}", hint) for said, hint in answer_problems(schema.target, read)]
    problems += _answer_kind(name, read, main, schema.target, task)
    used = [(f"--{name}: {said}", hint) for said, hint in column_problems(read.frame, schema)]
    if used:
        return problems + used
    return problems + _unreadable(name, read, schema)


def _answer_kind(
    name: str, read: ReadResult, main: ReadResult, target: str, task: str
) -> list[Problem]:
    """Tell of answers of another type: none of them is one that the main table knows."""
    ours, theirs = main.frame[target], read.frame[target]
    kinds = dtype_of(ours.dtype), dtype_of(theirs.dtype)
    if kinds[0] == kinds[1] or pl.Null in (ours.dtype, theirs.dtype):
        return []
    known = text_of(ours).drop_nulls().unique()
    if task != "number" and text_of(theirs).drop_nulls().is_in(known.implode()).any():
        return []
    return [
        (
            f"'{target}' holds {_WORDS.get(kinds[0], kinds[0])} ({_examples(ours)}) in the main "
            f"table, but {_WORDS.get(kinds[1], kinds[1])} ({_examples(theirs)}) in --{name}: "
            f"{read.places([0])}.",
            "write the answers alike in both",
        )
    ]


def _examples(cells: pl.Series) -> str:
    filled = text_of(cells).drop_nulls().unique(maintain_order=True).head(_SHOWN)
    return ", ".join(f"'{value}'" for value in filled)


def _unreadable(name: str, read: ReadResult, schema: Schema) -> list[Problem]:
    try:
        _, told = typed_cells(read.frame, schema)
    except DataError as error:
        return [(f"--{name}: {error.message}", error.hint)]
    bad = told.is_not_null()
    if not bad.any():
        return []
    rows = bad.arg_true()
    return [
        (
            f"--{name}: {told[int(rows[0])]} {bad.sum():,} rows hold such cells: "
            f"{read.places(rows.head(5).to_list())}.",
            "correct these cells, or empty them where nothing is known",
        )
    ]


def _as_main(frame: pl.DataFrame, main: ReadResult, schema: Schema) -> pl.DataFrame:
    """Give cells the main table's types where these differ, so that both can be stacked."""
    typed, _ = typed_cells(frame, schema)
    kinds = {column.name: column.kind for column in schema.used()}
    given = frame.schema
    changed: list[pl.Series] = []
    for name, dtype in main.frame.schema.items():
        if given[name] == dtype:
            continue
        if dtype == pl.String:
            changed.append(text_of(frame[name]))
        elif kinds.get(name, "category") != "category":
            changed.append(typed[name])
        elif given[name] == pl.String and name in main.formats:
            changed.append(parse_cells(frame[name], main.formats[name])[0])
    return frame.with_columns(changed)
