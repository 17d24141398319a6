"""What each section of the page shows, made from the run's files; what is absent is left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from treadle.contracts import Json
from treadle.folder import RunFolder
from treadle.report.answer import Headline, capitalised
from treadle.report.charts import Whisker, whiskers
from treadle.report.facts import number, record, records, text
from treadle.report.sentences import SIMPLE_WAYS, higher_is_better, is_share, meaning_of
from treadle.report.spoken import raw, significant
from treadle.report.svg import Scale

PICTURE = re.compile(r"data:image/(?:png|jpeg|webp|gif);base64,[A-Za-z0-9+/]+={0,2}")
KINDS = {"number": "numbers", "category": "categories", "date": "dates", "left_out": "left out"}
OF_EVENTS = ("user", "item", "time", "event")
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
    named = {n: replace(row, name=SIMPLE_WAYS.get(n, n)) for n, row in named.items()}
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
    """Return every metric measured on the test part (else on validation), the headline's first."""
    found = {name: record(entry) for name, entry in record(result.get("metrics")).items()}
    if head and head.part == "validation":
        seen = record(result.get("validation_metrics"))
        found = {name: {"test": value} for name, value in seen.items() if name != "train_loss"}
    if head and head.metric not in found:
        found[head.metric] = {"test": head.value, "low": head.low, "high": head.high}
    ordered = sorted(found, key=lambda name: head is None or name != head.metric)
    rows = [
        _metric_row(name, found[name], _baseline_of(name, head, result), num_classes)
        for name in ordered
    ]
    return [row for row in rows if row]


def _baseline_of(metric: str, head: Headline | None, result: Json) -> float | None:
    """Return what the baseline reaches in a metric: the one in the headline, else the first."""
    if head and head.metric == metric and head.baseline is not None:
        return head.baseline
    entries = records(result.get("baselines"))
    entries.sort(key=lambda entry: head is None or text(entry.get("name")) != head.baseline_name)
    rows = [_baseline_row(entry, metric) for entry in [record(result.get("baseline")), *entries]]
    return next((row.value for row in rows if row), None)


def _metric_row(
    name: str, entry: Json, baseline: float | None, num_classes: int
) -> MetricRow | None:
    value = number(entry.get("test"))
    if value is None:
        return None
    low, high = number(entry.get("low")), number(entry.get("high"))
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
            action=capitalised(text(entry.get("action"))),
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
        known = kind if kind in (*KINDS, *OF_EVENTS) else "other"
        found.append(Column(name=name, kind=known, words=kind.replace("_", " "), why=why))
    return found


def kind_words(kind: str, count: int) -> str:
    """Return "3 numbers"."""
    return f"{count} {KINDS.get(kind, 'other')}" if count != 1 else f"1 {kind.replace('_', ' ')}"


def wrong_photos(findings: Json) -> list[Json]:
    """Return the photos that were taken for something else."""
    return shown_photos(records(findings.get("wrong_photos")))[:24]


def shown_photos(entries: Sequence[Json]) -> list[Json]:
    """Return photos with what was said of each; only plain pictures are let in."""
    return [
        {
            "picture": text(entry.get("data_uri")),
            "file": text(entry.get("file")),
            "true": text(entry.get("true")),
            "predicted": text(entry.get("predicted")),
            "probability": number(entry.get("probability")),
            "reason": text(entry.get("reason")),
        }
        for entry in entries
        if PICTURE.fullmatch(text(entry.get("data_uri")))
    ]


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
