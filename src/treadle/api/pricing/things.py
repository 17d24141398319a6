"""Things to be priced, found in a table: which rows or columns, and what their forks are named."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.api.corrections import corrected_answers, overlay_of
from treadle.api.options import FitOptions
from treadle.api.pricing.asked import Asked, Condition
from treadle.api.pricing.rows import Mask, nearest_value, rows_held
from treadle.api.table_data import TableData, prepare
from treadle.api.table_parts import fitting_parts
from treadle.data.columns import text_of
from treadle.data.finding import quoted
from treadle.data.hashing import hash_rows, hash_values
from treadle.data.read import ReadResult, read_tables
from treadle.errors import DataError, OptionError, did_you_mean

MOST_EACH = 10
MOST_VALUES_OF_NUMBERS = 50
EMPTY = "no value"


@dataclass(frozen=True, kw_only=True)
class Thing:
    """One thing to be priced.

    name:    as a line of the list names it; label: as a chart does, in fewer words; key: as its
             forks' folders do
    rows:    bool [N], rows of the frame that are taken out of learning and choosing
    columns: that are not learned from
    answers: the answers that the other side learns from, with corrections or without
    judged:  the answers that both sides are judged by, where that is not the data's own
    more:    rows that the other side learns from besides
    adds:    the run has it not yet: the other side is the one that has it
    count:   how many rows, answers; 0 for columns
    """

    name: str
    label: str
    key: str
    kind: str
    rows: Mask | None = None
    columns: tuple[str, ...] = ()
    answers: pl.Series | None = None
    judged: pl.Series | None = None
    more: pl.DataFrame | None = None
    adds: bool = False
    count: int = 0


def find_thing(asked: Asked, data: TableData, options: FitOptions, read: ReadResult) -> Thing:
    """Return what was asked for as it lies in the data. Raises: OptionError, DataError."""
    if asked.kind == "columns":
        return _columns(asked, data)
    if asked.kind == "rows":
        return _rows(asked, rows_held(data.frame, asked.conditions), data)
    if asked.kind == "listed":
        return _rows(asked, _listed(asked, data), data)
    if asked.kind == "corrections":
        return _corrections(asked, data, options, read)
    return _more(asked, data, options, read)


def each_value(column: str, data: TableData) -> tuple[list[Asked], str]:
    """Return one thing for each value of a column, the most frequent first, and what to say.

    Raises: OptionError where the column is absent, the target, or has a value a row.
    """
    _known("--each", column, data)
    cells = text_of(data.frame[column][_pool(data)])
    if data.frame.schema[column].is_numeric() and cells.n_unique() > MOST_VALUES_OF_NUMBERS:
        raise OptionError(
            f"--each {column}: it holds {cells.n_unique():,} different numbers.",
            f'Price ranges of it: --without "{column}<…".',
        )
    counts = cells.value_counts(sort=True, name="rows").sort(
        ["rows", column], descending=[True, False]
    )
    values = counts[column].head(MOST_EACH).to_list()
    asked = [
        Asked(
            text=f"{column}={value or ''}",
            kind="rows",
            conditions=(Condition(column=column, operator="=", value=value or ""),),
        )
        for value in values
    ]
    told = ""
    if counts.height > MOST_EACH:
        told = (
            f"these are the {MOST_EACH} most frequent of {counts.height:,} values of '{column}'; "
            f'--without "{column}=…" prices another.'
        )
    return asked, told


def _pool(data: TableData) -> NDArray[np.int64]:
    """Return the rows that may learn: all but those of the test part."""
    return np.sort(np.concatenate([data.split.train, data.split.validation]))


def _known(what: str, column: str, data: TableData) -> None:
    if column == data.target.column:
        raise OptionError(
            f"{what}: '{column}' is the column to predict.", "Name another, or rows by another."
        )
    if column not in data.frame.columns:
        listed = ", ".join(f"'{name}'" for name in data.frame.columns[:30])
        near = did_you_mean(column, data.frame.columns)
        raise OptionError(f"{what}: there is no column '{column}'.", f"{near}There are {listed}.")


def _columns(asked: Asked, data: TableData) -> Thing:
    reasons = {column.name: column for column in data.schema.columns}
    for name in asked.columns:
        _known("--without", name, data)
        if reasons[name].kind == "left_out":
            raise OptionError(
                f"--without {name}: the model does not learn from that column, so it earns "
                f"nothing ({reasons[name].why}).",
                "Leave it out of the list.",
            )
    if not {column.name for column in data.schema.used()} - set(asked.columns):
        raise OptionError(f"--without {asked.text}: no column would be left.", "Name fewer.")
    one = len(asked.columns) == 1
    return Thing(
        name=f"the column{'' if one else 's'} {quoted(list(asked.columns))}",
        label=", ".join(asked.columns),
        key=key_of(asked.text, *sorted(asked.columns)),
        kind="columns",
        columns=asked.columns,
    )


def _rows(asked: Asked, rows: Mask, data: TableData) -> Thing:
    count = int(rows.sum())
    if not count:
        raise OptionError(
            f"--without '{asked.text}': no row is meant by that.",
            nearest_value(asked.conditions, data.frame),
        )
    if not rows[_pool(data)].any():
        raise OptionError(
            f"--without '{asked.text}': all {count:,} rows are test rows, which nothing is learned "
            "from.",
            "So they earned nothing.",
        )
    rows_word = "1 row" if count == 1 else f"{count:,} rows"
    label = asked.text
    if label.endswith("="):
        label = f"{label[:-1]}: {EMPTY}"
    return Thing(
        name=f"{label} ({rows_word})",
        label=label,
        key=key_of(asked.text, np.packbits(rows).tobytes().hex()),
        kind="rows",
        rows=rows,
        count=count,
    )


def _listed(asked: Asked, data: TableData) -> Mask:
    """Tell which rows a file names by their number. Raises: OptionError, DataError."""
    if not Path(asked.file).expanduser().is_file():
        raise OptionError(f"--without rows:{asked.file}: there is no such file.")
    numbers = read_tables([asked.file]).frame
    if "row" not in numbers.columns:
        raise OptionError(
            f"--without rows:{asked.file}: it has no column 'row'.",
            "Give the numbers of the rows in a column named row; 1 is the first row of data.",
        )
    places = numbers["row"].cast(pl.Int64, strict=False).drop_nulls().to_numpy() - 1
    found: Mask = np.isin(data.places, places)
    return found


def _corrections(asked: Asked, data: TableData, options: FitOptions, read: ReadResult) -> Thing:
    """Return corrected answers: those that the run has, to take them away; others, to put in."""
    answers = data.frame[data.target.column]
    own = options.corrections
    if own is not None and Path(own).resolve() == Path(asked.file).resolve():
        plain = prepare(options.model_copy(update={"corrections": None}), read)
        return changed_answers(asked.file, plain.frame[answers.name], answers, adds=False)
    overlay = overlay_of(asked.file, data.frame, data.places, answers.name)
    corrected, _ = corrected_answers(overlay, answers, data.target)
    return changed_answers(asked.file, answers, corrected, adds=True)


def changed_answers(file: str, before: pl.Series, after: pl.Series, *, adds: bool) -> Thing:
    """Return corrections as a thing; both sides are judged by the corrected answers.

    adds: the run has not got them yet

    Raises: OptionError where they change nothing.
    """
    count = int((text_of(before) != text_of(after)).fill_null(True).sum())
    if not count:
        raise OptionError(
            f"--corrections {file} changes no answer of this data.",
            "Fill in its column 'corrected' where an answer is wrong.",
        )
    some = f"{count:,} corrected answers" if count > 1 else "corrected answer"
    changed = after if adds else before
    return Thing(
        name=f"the {some} of {Path(file).name}",
        label=f"{Path(file).name}, {count:,} answers",
        key=key_of(Path(file).stem, _digest(changed)),
        kind="corrections",
        answers=changed,
        judged=after,
        adds=adds,
        count=count,
    )


def _more(asked: Asked, data: TableData, options: FitOptions, read: ReadResult) -> Thing:
    """Return further rows of a file, their cells as in the main table."""
    dates = [name for name, written in read.formats.items() if written.reads_as == "date"]
    given = read_tables([asked.file], sheet=options.sheet, as_text=dates)
    frames, _ = fitting_parts({"with": given}, read, data.schema, data.target.task)
    more = frames["with"].select(data.frame.columns)
    if data.target.task != "number":
        odd = text_of(more[data.target.column]).unique()
        odd = odd.filter(~odd.is_in(list(data.target.classes)))
        if len(odd):
            raise DataError(
                f"--with {asked.file} holds answers that the run does not know: "
                f"{quoted(odd.sort().to_list())}.",
                "Only rows with the same answers can be added.",
            )
    return Thing(
        name=f"the {more.height:,} rows of {Path(asked.file).name}",
        label=f"{Path(asked.file).name}, {more.height:,} rows",
        key=key_of(Path(asked.file).stem, str(hash_rows(more).sum()), str(more.height)),
        kind="more",
        more=more,
        adds=True,
        count=more.height,
    )


def _digest(values: pl.Series) -> str:
    return hashlib.sha256(hash_values(values).astype(np.dtype("<u8")).tobytes()).hexdigest()


def key_of(text: str, *content: Any) -> str:
    """Return a folder's name: readable, and its own for each content."""
    plain = "".join(c if c.isalnum() else "-" for c in text)[:40].strip("-")
    mark = hashlib.sha256("\0".join([text, *map(str, content)]).encode()).hexdigest()[:10]
    return f"{plain}-{mark}" if plain else mark
