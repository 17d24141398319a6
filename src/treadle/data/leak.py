"""The eight ways in which data gives the answer away, and how each is said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from treadle.contracts import Json
from treadle.data.finding import Finding, begun_large

LeakKind: TypeAlias = Literal[
    "copy",  # the answer itself, or the same under other names: one value for each answer
    "near_copy",  # the answer with some cells changed, or with noise on it
    "alone",  # no copy, yet it alone tells the answer almost perfectly
    "after_event",  # filled in (or dated) only once the answer is known
    "identifier",  # a number or name of a row whose order or range tells the answer
    "time",  # rows near in time, or in the file, share the answer and lie in several parts
    "group",  # rows of one person, machine or place share the answer and lie in several parts
    "derived",  # made out of the answers: a mean per group over all rows, a sum with the answer
]

LEAK = "A column gives the answer away"
TITLES: dict[LeakKind, str] = {
    "identifier": "An identifier tells the answer",
    "time": "Rows close in time share the answer",
    "group": "Rows that belong together are in several parts",
}


@dataclass(frozen=True, kw_only=True)
class Leak:
    """One way in which the answer is given away.

    columns: those that do it, the main one first; none where the order of the rows does
    measure, score: "roc_auc" for classes (the worst class against the rest), "r2" for numbers
    said:    what was seen, without a full stop; action: what to do
    """

    kind: LeakKind
    columns: tuple[str, ...]
    measure: str
    score: float
    said: str
    action: str
    more: Json = field(default_factory=dict)

    @property
    def column(self) -> str:
        """The column that does it, or nothing."""
        return self.columns[0] if self.columns else ""

    @property
    def is_copy(self) -> bool:
        """Whether it is the answer itself, or the answer under other names."""
        return self.kind == "copy"

    def finding(self) -> Finding:
        """Return what is said of it."""
        evidence: Json = {
            "leak": self.kind,
            self.measure: round(self.score, 6),
            "copy": self.is_copy,
            **self.more,
        }
        if self.columns:
            evidence |= {"column": self.column, "columns": list(self.columns)}
        return Finding(
            severity="warning",
            title=TITLES.get(self.kind, LEAK),
            sentence=begun_large(f"{self.said}."),
            evidence=evidence,
            action=self.action,
        )


def ignoring(column: str) -> str:
    """Return the one thing to do about a column that may be known too late."""
    return f"if it is only known once the answer is: --ignore {_typed(column)}"


def _typed(column: str) -> str:
    """Return a column's name as a shell takes it."""
    import shlex

    return shlex.quote(column)
