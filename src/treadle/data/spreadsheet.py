"""Text that a spreadsheet would run as a formula: marked when a CSV is written, unmarked when read.

A mark is one quotation mark ' before the cell. A marked cell that is read gives the cell it was,
and nothing that was not marked is changed: `unmark(mark(cell)) == cell` for every cell.

Source: OWASP, CSV Injection (= + - @ and control characters at a cell's beginning).
"""

from __future__ import annotations

import json
import re

import polars as pl

_FORMULA = r"^['\s]*[=+\-@＝＋－＠]|^'*[\t\r\n]"
_PLAIN_NUMBER = r"^[+-](\d+([.,]\d+)*|[.,]\d+)([eE][+-]?\d+)?\s?%?$"
_MARK = "'"


def is_formula(text: str) -> bool:
    """Return whether a cell must be marked: it begins like a formula and is no plain number."""
    return bool(re.search(_FORMULA, text)) and not re.fullmatch(_PLAIN_NUMBER[1:-1], text)


def mark_formulas(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame that is safe to write as CSV: names and text cells marked where needed."""
    text = pl.col(pl.String, pl.Categorical, pl.Enum).cast(pl.String)
    marked = frame.with_columns(
        pl.when(_must_mark(text)).then(_MARK + text).otherwise(text).name.keep()
    )
    return marked.rename({n: _MARK + n if is_formula(n) else n for n in frame.columns})


def flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame whose cells all fit into CSV: lists and other nested cells as JSON text."""
    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
    raw = [name for name, dtype in frame.schema.items() if dtype in (pl.Binary, pl.Object)]
    texts = [
        pl.Series(name, [None if cell is None else _json(cell) for cell in frame[name].to_list()])
        for name in nested
    ]
    texts += [
        pl.Series(name, [None if cell is None else str(cell) for cell in frame[name].to_list()])
        for name in raw
    ]
    return frame.with_columns(texts)


def _json(cell: object) -> str:
    return json.dumps(cell, default=str, ensure_ascii=False)


def unmark_name(name: str) -> str:
    """Return a column's name as it was before `mark_formulas`."""
    return name[1:] if name.startswith(_MARK) and is_formula(name[1:]) else name


def unmark_formulas(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Return a frame whose marked cells are as they were, and the columns that had some."""
    # a look at each cell's first character is cheap, and mostly enough
    names = [
        column.name
        for column in frame.select(pl.col(pl.String)).iter_columns()
        if column.str.starts_with(_MARK).any()
        and column.to_frame().select(_is_marked(pl.col(column.name)).any()).item()
    ]
    if not names:
        return frame, []
    cells = pl.col(names)
    unmarked = pl.when(_is_marked(cells)).then(cells.str.slice(1)).otherwise(cells)
    return frame.with_columns(unmarked), names


def _is_marked(cells: pl.Expr) -> pl.Expr:
    return cells.str.starts_with(_MARK) & _must_mark(cells.str.slice(1))


def _must_mark(text: pl.Expr) -> pl.Expr:
    return text.str.contains(_FORMULA) & ~text.str.contains(_PLAIN_NUMBER)
