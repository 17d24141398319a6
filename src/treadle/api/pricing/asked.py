"""What `--without` names: a column, rows with a value, rows of a list.

price                        the column of that name; column:NAME where a name is hard to read
"price, weight"              several columns together
supplier=B                   the rows with that value; supplier= those without one
"age<18", "date>=2024-01-01" the rows below, from, above
"supplier=B and year<2020"   the rows for which both hold
rows:bad.csv                 the rows that a file lists in its column `row` (1 is the first)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from treadle.contracts import Frozen
from treadle.errors import OptionError, did_you_mean

Operator = Literal["<=", ">=", "!=", "=", "<", ">"]
OPERATORS: tuple[Operator, ...] = ("<=", ">=", "!=", "=", "<", ">")
EXAMPLES = (
    'Name a column (price), rows with a value ("supplier=B"), rows on one side ("age<18"), or a '
    "list of rows (rows:FILE)."
)
_AND = re.compile(r"\s+and\s+", re.IGNORECASE)
_OPERATOR = re.compile("<=|>=|!=|=|<|>")


class Condition(Frozen):
    """What is asked of a row's cell; an empty value stands for a cell that is empty."""

    column: str
    operator: Operator
    value: str

    def __str__(self) -> str:
        spaced = f" {self.operator} " if self.value else f" {self.operator}"
        return f"{self.column}{spaced}{self.value}".strip()


class Asked(Frozen):
    """One thing to be priced, as it was written.

    columns: of the table, for a column or several; conditions: of rows; file: a list
    """

    text: str
    kind: Literal["columns", "rows", "listed", "corrections", "more"]
    columns: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    file: str = ""


@dataclass(frozen=True, kw_only=True)
class Asking:
    """All that was asked to be priced, as it was given to `worth_of`.

    each: a column; corrections, adding: files
    """

    without: tuple[str, ...] = ()
    each: str | None = None
    corrections: str | None = None
    adding: str | None = None

    def files(self) -> list[Asked]:
        """Return the things that are files of their own."""
        found = []
        if self.corrections is not None:
            found.append(Asked(text=self.corrections, kind="corrections", file=self.corrections))
        if self.adding is not None:
            found.append(Asked(text=self.adding, kind="more", file=self.adding))
        return found


def read_without(text: str, columns: list[str]) -> Asked:
    """Return what one --without names, of a table with these columns. Raises: OptionError."""
    asked = text.strip()
    if asked in columns:
        return Asked(text=asked, kind="columns", columns=(asked,))
    word, colon, rest = asked.partition(":")
    if colon and word.lower() in ("column", "columns"):
        return _columns(rest, columns)
    if colon and word.lower() == "rows":
        return Asked(text=asked, kind="listed", file=rest.strip())
    if found := _conditions(asked, columns):
        return Asked(text=asked, kind="rows", conditions=tuple(found))
    if _OPERATOR.search(asked):
        name = _OPERATOR.split(asked)[0].strip()
        raise _unknown(f"--without '{asked}'", name, columns)
    return _columns(asked, columns)


def _columns(text: str, columns: list[str]) -> Asked:
    asked = text.strip()
    names = [asked] if asked in columns else [name.strip() for name in asked.split(",")]
    for name in names:
        if name not in columns:
            raise _unknown(f"--without '{asked}'", name, columns)
    return Asked(text=", ".join(names), kind="columns", columns=tuple(dict.fromkeys(names)))


def _unknown(what: str, name: str, columns: list[str]) -> OptionError:
    listed = ", ".join(f"'{column}'" for column in columns[:30])
    near = did_you_mean(name, columns)
    return OptionError(
        f"{what}: there is no column '{name}'.", f"{near}There are {listed}. {EXAMPLES}"
    )


def _conditions(text: str, columns: list[str]) -> list[Condition]:
    """Return the conditions, or nothing where the first names no column.

    What stands behind "and" and is no condition is part of the value before it.
    """
    pieces = _AND.split(text)
    words = _AND.findall(text)
    found: list[Condition] = []
    for place, piece in enumerate(pieces):
        condition = _condition(piece, columns)
        if condition is not None:
            found.append(condition)
        elif found:
            longer = f"{found[-1].value}{words[place - 1]}{piece}"
            found[-1] = found[-1].model_copy(update={"value": _bare(longer)})
        else:
            return []
    return found


def _condition(text: str, columns: list[str]) -> Condition | None:
    for found in _OPERATOR.finditer(text):
        name = _bare(text[: found.start()])
        if name in columns:
            value = _bare(text[found.end() :].removeprefix("="))  # == is =
            operator = next(one for one in OPERATORS if one == found[0])
            return Condition(column=name, operator=operator, value=value)
    return None


def _bare(text: str) -> str:
    """Return text without the quotes around it."""
    bare = text.strip()
    if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "'\"":
        return bare[1:-1]
    return bare
