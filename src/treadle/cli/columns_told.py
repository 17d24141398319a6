"""What a table's columns are taken for, on one screen however many there are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

ONE_BY_ONE = 40
"""Up to so many columns have a line each; beyond, columns alike share one."""
NAMED = 3


def columns_told(columns: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Yield (columns, what for, why) for people; `columns` as `treadle.check` has them."""
    if len(columns) <= ONE_BY_ONE:
        for column in columns:
            yield column["name"], _kind(column), column.get("why", "")
        return
    alike: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for column in columns:
        alike.setdefault((_kind(column), _without_figures(column.get("why", ""))), []).append(
            column
        )
    for (kind, _), members in alike.items():
        yield _names(members), kind, _why(members)


def _kind(column: Mapping[str, Any]) -> str:
    return str(column["kind"]).replace("_", " ")


def _without_figures(why: str) -> str:
    return re.sub(r"\d[\d,]*", "#", why.split(": ", maxsplit=1)[0])


def _names(members: Sequence[Mapping[str, Any]]) -> str:
    names = [str(column["name"]) for column in members]
    if len(names) <= NAMED + 1:
        return ", ".join(names)
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED:,} more"


def _why(members: Sequence[Mapping[str, Any]]) -> str:
    reasons = list(dict.fromkeys(str(column.get("why", "")) for column in members))
    return reasons[0] if len(reasons) == 1 else f"such as: {reasons[0]}"
