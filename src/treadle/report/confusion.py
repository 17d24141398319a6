"""What was true beside what the model said, as a table or, for many classes, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treadle.contracts import Json
from treadle.report.facts import matrix, number, record, text, texts
from treadle.report.spoken import significant

CLASSES_IN_TABLE = 12


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """What was true beside what was predicted.

    rows:     for few classes, one a class: its name, (count, strength 0 … 10, hover) a class, and
              how many of 100 were found
    frequent: for many classes, the commonest confusions in words
    """

    classes: list[str]
    rows: list[tuple[str, list[tuple[str, int, str]], str]]
    right_when_said: list[str]
    frequent: list[str]
    sentences: list[str]
    looked_for: str
    threshold: str


def confusion(findings: Json) -> Confusion | None:
    """Return the table of true and predicted classes, or None where there is none."""
    found = record(findings.get("confusion"))
    classes = texts(found.get("classes"))
    counts = matrix(found.get("matrix"), len(classes))
    if not counts:
        return None
    small = len(classes) <= CLASSES_IN_TABLE
    threshold = number(found.get("threshold"))
    positive = text(findings.get("positive"))
    looked_for = positive if positive in classes else classes[-1]
    columns = [[row[i] for row in counts] for i in range(len(classes))]
    return Confusion(
        classes=classes,
        rows=[_confusion_row(i, counts[i], classes) for i in range(len(classes))] if small else [],
        right_when_said=[_share(column[i], sum(column)) for i, column in enumerate(columns)],
        frequent=_frequent(classes, counts),
        sentences=_two_class_sentences(classes, counts, looked_for),
        looked_for=looked_for,
        threshold="" if threshold is None else significant(threshold),
    )


def _confusion_row(
    true: int, counts: Sequence[float], classes: Sequence[str]
) -> tuple[str, list[tuple[str, int, str]], str]:
    total = sum(counts)
    cells = []
    for said, count in enumerate(counts):
        share = count / total if total else 0.0
        hover = f"truly {classes[true]}, said {classes[said]}: {count:,.0f} of {total:,.0f}"
        cells.append((f"{count:,.0f}", round(10 * share), hover))
    return classes[true], cells, _share(counts[true], total)


def _two_class_sentences(
    classes: Sequence[str], counts: Sequence[Sequence[float]], looked_for: str
) -> list[str]:
    """Return what is found and what is reported falsely, for two classes."""
    if len(classes) != 2:
        return []
    yes = list(classes).index(looked_for)
    missed, false_alarms, hits = counts[yes][1 - yes], counts[1 - yes][yes], counts[yes][yes]
    return [
        f"Of {hits + missed:,.0f} that truly were “{looked_for}” it found {hits:,.0f} and missed "
        f"{missed:,.0f}; of {hits + false_alarms:,.0f} times it said “{looked_for}”, "
        f"{false_alarms:,.0f} were false alarms."
    ]


def _frequent(classes: Sequence[str], counts: Sequence[Sequence[float]]) -> list[str]:
    size = range(len(classes))
    wrong = [(counts[t][s], t, s) for t in size for s in size if t != s and counts[t][s] > 0]
    wrong.sort(key=lambda entry: -entry[0])
    return [
        f"{count:,.0f} of {sum(counts[t]):,.0f} that truly were “{classes[t]}” were taken for "
        f"“{classes[s]}”"
        for count, t, s in wrong[:8]
    ]


def _share(part: float, total: float) -> str:
    return f"{part / total:.0%}" if total else "–"
