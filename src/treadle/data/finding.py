"""One thing to know about data, and the words that all findings share."""

from __future__ import annotations

from typing import Literal

from treadle.contracts import Frozen, Json

_SHOWN = 5


class Finding(Frozen):
    """One thing to know about the data.

    severity: warning: the result may mislead; note: good to know
    title:    a few words; sentence: what was seen; action: what to do, or nothing
    evidence: the numbers behind it
    """

    severity: Literal["warning", "note"]
    title: str
    sentence: str
    evidence: Json
    action: str = ""


def worst_first(findings: list[Finding]) -> list[Finding]:
    """Return findings in their order, warnings first."""
    return sorted(findings, key=lambda finding: finding.severity != "warning")


def quoted(names: list[str]) -> str:
    """Return "'a', 'b' and 3 more"."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(f"'{name}'" for name in names[:_SHOWN]) + more


def with_and(words: list[str]) -> str:
    """Return "a, b and c"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def rows_word(count: int) -> str:
    """Return "1 row" or "1,234 rows"."""
    return counted(count, "row")


def counted(count: int, noun: str) -> str:
    """Return "1 photo" or "1,234 photos"."""
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"


def of_all(count: int, total: int, things: str = "rows") -> str:
    """Return "3 of 1,225 rows", or "all 68 rows", with its share of a hundred where that helps."""
    if count == total:
        return f"all {total:,} {things}"
    share = f" ({of_100(count / total)} of 100)" if min(count, total - count) >= 10 else ""
    return f"{count:,} of {total:,} {things}{share}"


def of_100(share: float) -> str:
    """Return a share as what it makes of a hundred, in two digits or three."""
    return f"{100 * share:.2g}" if share < 0.995 else f"{100 * share:.3g}"


def begun_large(sentence: str) -> str:
    """Return a sentence that begins with a capital letter."""
    return sentence[:1].upper() + sentence[1:]
