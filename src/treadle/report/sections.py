"""What each section of the page shows, made from the run's files; what is absent is left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from treadle.contracts import Json
from treadle.folder import RunFolder
from treadle.report.answer import Headline, capitalised
from treadle.report.charts import Whisker, importance, whiskers
from treadle.report.facts import (
    matrix,
    number,
    record,
    records,
    text,
    texts,
)
from treadle.report.sentences import higher_is_better, is_share, meaning_of
from treadle.report.spoken import raw, significant
from treadle.report.svg import Scale

CLASSES_IN_TABLE = 12
PICTURE = re.compile(r"data:image/(?:png|jpeg|webp|gif);base64,[A-Za-z0-9+/]+={0,2}")
KINDS = {"number": "numbers", "category": "categories", "date": "dates", "left_out": "left out"}
SEVERITIES = {
    "bad": ("error", "bad", "severe", "serious", "critical", "high"),
    "warn": ("warning", "warn", "medium"),
}


@dataclass(frozen=True, kw_only=True)
class MetricRow:
    """One metric in the table: as specialists call it, what it means, and its figures as texts."""

    name: str
    title: str
    test: str
    interval: str
    baseline: str


def comparison(head: Headline | None, result: Json) -> Markup | None:
    """Return the run's figure with its interval beside each baseline's, drawn.

    A lone dot with nothing to compare it with tells nothing, and is not drawn.
    """
    if head is None or (head.low is None and head.baseline is None):
        return None
    rows = [
        Whisker(name="this model", value=head.value, low=head.low, high=head.high, ours=True),
        *_other_rows(head, result),
    ]
    up = higher_is_better(head.metric)
    way = "" if up is None else " — further right is better" if up else " — further left is better"
    told = f"this model {raw(head.value)}" + "".join(f", {r.name} {raw(r.value)}" for r in rows[1:])
    return whiskers(rows, f"{head.metric}, {head.part}{way}", f"{head.metric}: {told}")


def _other_rows(head: Headline, result: Json) -> list[Whisker]:
    rows = [_baseline_row(entry, head.metric) for entry in records(result.get("baselines"))]
    named = {row.name: row for row in rows if row}
    if head.baseline is not None and head.baseline_name not in named:
        named[head.baseline_name] = Whisker(name=head.baseline_name, value=head.baseline)
    up = higher_is_better(head.metric) is not False
    return sorted(named.values(), key=lambda row: row.value, reverse=up)


def _baseline_row(entry: Json, metric: str) -> Whisker | None:
    found = record(entry.get("metrics")).get(metric)
    figures = found if isinstance(found, dict) else {"test": found}
    value = number(figures.get("test"))
    if value is None:
        return None
    low, high = number(figures.get("low")), number(figures.get("high"))
    return Whisker(name=text(entry.get("name")) or "baseline", value=value, low=low, high=high)


def metric_rows(head: Headline | None, result: Json, num_classes: int) -> list[MetricRow]:
    """Return every metric that was measured on the test rows, the one judged by first."""
    found = {name: record(entry) for name, entry in record(result.get("metrics")).items()}
    if head and head.metric not in found:
        found[head.metric] = {"test": head.value, "low": head.low, "high": head.high}
    ordered = sorted(found, key=lambda name: head is None or name != head.metric)
    rows = [_metric_row(name, found[name], head, num_classes) for name in ordered]
    return [row for row in rows if row]


def _metric_row(
    name: str, entry: Json, head: Headline | None, num_classes: int
) -> MetricRow | None:
    value = number(entry.get("test"))
    if value is None:
        return None
    low, high = number(entry.get("low")), number(entry.get("high"))
    baseline = number(entry.get("baseline"))
    if baseline is None and head and head.metric == name:
        baseline = head.baseline
    title = meaning_of(name, num_classes=num_classes).title
    return MetricRow(
        name=name,
        title="" if title == name else title,
        test=raw(value),
        interval="" if low is None or high is None else f"{raw(low)} – {raw(high)}",
        baseline="" if baseline is None else raw(baseline),
    )


def shares_chart(head: Headline | None, result: Json) -> Markup | None:
    """Return the other metrics that lie between 0 and 1, with their intervals, on one axis."""
    rows = []
    for name, found in record(result.get("metrics")).items():
        entry = record(found)
        value = number(entry.get("test"))
        if value is None or not is_share(name) or (head and name == head.metric):
            continue
        low, high = number(entry.get("low")), number(entry.get("high"))
        rows.append(Whisker(name=name, value=value, low=low, high=high, ours=True))
    if not rows:
        return None
    lowest = min(0.0, *(row.value for row in rows))
    told = "; ".join(f"{row.name} {raw(row.value)}" for row in rows)
    return whiskers(rows, "0 to 1, further right is better", told, Scale(lowest, 1.0, 12, 428))


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


def importance_chart(findings: Json, metric: str) -> Markup | None:
    """Return the columns that matter most, or None where they were not measured."""
    rows = []
    for entry in records(findings.get("importance")):
        drop, low, high = (number(entry.get(key)) for key in ("drop", "low", "high"))
        if drop is not None:
            name = text(entry.get("feature"))
            rows.append(Whisker(name=name, value=drop, low=low, high=high, ours=True))
    rows.sort(key=lambda row: -row.value)
    words = f"how much worse {metric or 'the metric'} gets when the column is shuffled"
    return importance(rows[:15], words) if rows else None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing noticed about the data; `level` is "bad", "warn" or "mild"."""

    level: str
    title: str
    sentence: str
    action: str


def health(findings: Json) -> list[Finding]:
    """Return what was noticed about the data, the gravest first."""
    found = [
        Finding(
            level=_level(text(entry.get("severity"))),
            title=text(entry.get("title")),
            sentence=text(entry.get("sentence")),
            action=text(entry.get("action")),
        )
        for entry in records(findings.get("health"))
    ]
    return sorted(found, key=lambda finding: ("bad", "warn", "mild").index(finding.level))


def _level(severity: str) -> str:
    return next((level for level, words in SEVERITIES.items() if severity.lower() in words), "mild")


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: what it was taken for, "other" for a kind this page does not know, and why."""

    name: str
    kind: str
    words: str
    why: str


def columns(findings: Json) -> list[Column]:
    """Return what each column was taken for."""
    found = []
    for entry in records(findings.get("columns")):
        name, kind, why = (text(entry.get(key)) for key in ("name", "kind", "why"))
        known = kind if kind in KINDS else "other"
        found.append(Column(name=name, kind=known, words=kind.replace("_", " "), why=why))
    return found


def kind_words(kind: str, count: int) -> str:
    """Return "3 numbers"."""
    return f"{count} {KINDS.get(kind, 'other')}" if count != 1 else f"1 {kind.replace('_', ' ')}"


def wrong_photos(findings: Json) -> list[Json]:
    """Return the photos that were taken for something else; only plain pictures are let in."""
    return [
        {
            "picture": text(entry.get("data_uri")),
            "file": text(entry.get("file")),
            "true": text(entry.get("true")),
            "predicted": text(entry.get("predicted")),
            "probability": number(entry.get("probability")),
        }
        for entry in records(findings.get("wrong_photos"))
        if PICTURE.fullmatch(text(entry.get("data_uri")))
    ][:24]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A plain table: its column names, and rows of texts."""

    names: list[str]
    rows: list[list[str]]


def plain_table(value: object, most: int = 20) -> Table | None:
    """Return a list of records as a table, lists inside it told one after the other."""
    rows = records(value)[:most]
    names = list(dict.fromkeys(key for row in rows for key in row))
    if not names:
        return None
    return Table(names=names, rows=[[_cell(row.get(name)) for name in names] for row in rows])


def _cell(value: object) -> str:
    if isinstance(value, float):
        return significant(value, 4)
    if isinstance(value, list):
        return ", ".join(_cell(entry) for entry in value[:20])
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_cell(entry)}" for key, entry in value.items())
    return text(value)


def members(run: RunFolder, findings: Json) -> list[Json]:
    """Return what is told of each part of the answer."""
    return [
        {
            "name": text(entry.get("name")),
            "metric": "" if (m := number(entry.get("metric_validation"))) is None else raw(m),
            "sentence": capitalised(text(entry.get("sentence"))),
        }
        for entry in records(findings.get("members"))
    ] or [{"name": member.name, "metric": "", "sentence": ""} for member in run.members()]
