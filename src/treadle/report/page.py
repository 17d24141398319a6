"""A run as one HTML file that opens anywhere: no network, no scripts, every word escaped."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from treadle.contracts import Json
from treadle.folder import RunFolder
from treadle.report import journal, sections
from treadle.report.answer import (
    Headline,
    answer,
    capitalised,
    headline,
    readable,
    sentence,
    told_by,
)
from treadle.report.charts import calibration, ranking_curve, scatter
from treadle.report.collect import collect
from treadle.report.confusion import confusion
from treadle.report.curves import CurveChart, Mark, curve_chart, epochs_of, grouped, series_of
from treadle.report.facts import number, pairs, record, records, text, texts, whole
from treadle.report.fails import fails, suggestions
from treadle.report.goes_by import goes_by
from treadle.report.longer import longer
from treadle.report.money import calibration_note, worth
from treadle.report.next_steps import next_steps
from treadle.report.noticed import noticed
from treadle.report.paper import style, template, written
from treadle.report.price_list import price_list
from treadle.report.sentences import SIMPLE_WAYS, sentence_for
from treadle.report.spent import spent
from treadle.report.tuned import tuned

FIRST_CHARTS = 2
TASKS = {
    "two_classes": "one of two classes",
    "classes": "one of several classes",
    "number": "a number",
    "next_item": "the next item",
}


def write(run: Path | str, to: Path | str | None = None) -> Path:
    """Write the report of a run, by default as report.html inside it, and return its place.

    Raises: RunError when there is no run there; SaveError when the place cannot be written to.
    """
    folder = RunFolder.open(run)
    place = Path(to) if to is not None else folder.path / "report.html"
    return written(render(folder), place, "the report")


def render(run: RunFolder) -> str:
    """Return the report of a run as HTML."""
    result, plan = readable(run, "result.json"), readable(run, "plan.json")
    findings, events = readable(run, "findings.json"), run.events()
    head = headline(result)
    return template("page.html").render(
        style=style(),
        **_top(run, result, plan, findings, events),
        **_figures(told_by(result), result, findings),
        **_training(run, head, result, plan, events),
        **_mistakes(findings, text(run.config.get("kind")), result),
        worth=worth(result, findings),
        goes_by=goes_by(findings, head.metric if head else ""),
        price_list=price_list(run),
        spent=spent(run, result, head.metric if head else ""),
        calibration_note=calibration_note(findings),
        **_data(findings),
        members=sections.members(run, findings),
        longer=longer(run),
        collect=collect(run),
        tuned=tuned(run),
        noticed=noticed(result),
        blend_sentence=sentence(text(findings.get("blend_sentence"))),
        steps=next_steps(run),
        **_appendix(run, plan, events),
    )


def _top(run: RunFolder, result: Json, plan: Json, findings: Json, events: Sequence[Json]) -> Json:
    told = answer(run)
    target, task = text(findings.get("target")), text((result or plan).get("task"))
    what = TASKS.get(task, "")
    predicted = (
        f"predicts {target}, {what}" if target and what else f"predicts {what}" if what else ""
    )
    started = journal.day(text(events[0].get("time"))) if events else ""
    return {
        "name": run.name,
        "subtitle": " · ".join(filter(None, (predicted, started))),
        "finished": bool(result),
        "figure": told.three[0],
        "told": told.three[1:],
        "sure": told.sure,
        "stop": told.stop,
        "scorings": told.scorings,
        "task_sentence": text(plan.get("task_sentence")),
    }


def _figures(head: Headline | None, result: Json, findings: Json) -> Json:
    classes = texts(findings.get("classes"))
    rows = {part: whole(count) for part, count in record(result.get("rows")).items()}
    return {
        "head": head,
        "comparison": sections.comparison(head, result),
        "metric_rows": sections.metric_rows(head, result, len(classes)),
        "metric_sentences": _metric_sentences(head, result, findings),
        "shares_chart": sections.shares_chart(head, result),
        "row_counts": [(part, f"{count:,}") for part, count in rows.items() if count],
        "test_scorings": whole(result.get("test_scorings")),
    }


def _metric_sentences(head: Headline | None, result: Json, findings: Json) -> list[tuple[str, str]]:
    """Return every test metric told in plain words with its interval: (name, sentence)."""
    told = []
    for name, found in record(result.get("metrics")).items():
        entry = record(found)
        value = number(entry.get("test"))
        if value is None:
            continue
        is_head = head is not None and head.metric == name
        words = sentence_for(
            name,
            value,
            head.baseline if head and is_head else None,
            number(entry.get("low")),
            number(entry.get("high")),
            baseline_name=SIMPLE_WAYS.get(head.baseline_name, head.baseline_name)
            if head and is_head
            else "",
            target=text(findings.get("target")),
            positive=text(findings.get("positive")),
            classes=texts(findings.get("classes")),
        )
        told.append((name, words))
    return told


def _training(
    run: RunFolder, head: Headline | None, result: Json, plan: Json, events: Sequence[Json]
) -> Json:
    asked = text(record(run.config.get("options")).get("metric"))
    metric = head.metric if head else text(plan.get("metric")) or asked
    points = run.metrics()
    found = journal.marks(events, points, result, metric)
    charts = _charts(points, metric, found)
    parts = [(part, _member_charts(part, metric)) for part in run.members()] if not charts else []
    lines = journal.lines_of(events)
    return {
        "charts": charts[:FIRST_CHARTS],
        "more_charts": charts[FIRST_CHARTS:],
        "marks": found,
        "member_charts": [(part.name, drawn, marked) for part, (drawn, marked) in parts if drawn],
        "lines": journal.to_read(lines),
        "until_sentence": capitalised(text(plan.get("until_sentence"))),
        "pace": _pace(result),
    }


def _charts(points: Sequence[Json], metric: str, marks: Sequence[Mark]) -> list[CurveChart]:
    epochs = epochs_of(points)
    groups = grouped(series_of(points), metric)
    return [curve_chart(title, lines, marks, epochs) for title, lines in groups]


def _member_charts(member: RunFolder, metric: str) -> tuple[list[CurveChart], list[Mark]]:
    points, result = member.metrics(), readable(member, "result.json")
    marks = journal.marks(member.events(), points, result, metric)
    return _charts(points, metric, marks)[:FIRST_CHARTS], marks


def _pace(result: Json) -> str:
    pace, engine = number(result.get("samples_per_second")), text(result.get("engine"))
    words = [f"{pace:,.0f} samples a second" if pace else "", f"engine {engine}" if engine else ""]
    return ", ".join(filter(None, words))


def _mistakes(findings: Json, kind: str, result: Json) -> Json:
    observed = [
        (p, o, c)
        for entry in records(findings.get("calibration"))
        for p, o, c in [[number(entry.get(key)) for key in ("predicted", "observed", "count")]]
        if p is not None and o is not None and c is not None and 0 <= o <= 1 and c > 0
    ]
    ranking, cloud = record(findings.get("ranking_curve")), record(findings.get("scatter"))
    curve = pairs(ranking.get("recall"), ranking.get("precision"))
    dots = pairs(cloud.get("actual"), cloud.get("predicted"))
    return {
        "confusion": confusion(findings),
        "calibration": calibration(sorted(observed)) if len(observed) > 1 else None,
        "ranking": ranking_curve(curve) if len(curve) > 1 else None,
        "scatter": scatter(dots, text(findings.get("target")) or "value") if dots else None,
        "wrong_photos": sections.wrong_photos(findings),
        "photo_examples": sections.shown_photos(records(findings.get("photo_examples"))),
        "examples": sections.plain_table(findings.get("examples")),
        "items": sections.plain_table(findings.get("items")),
        "fails": fails(findings, kind, result),
        "suggestions": suggestions(findings),
    }


def _data(findings: Json) -> Json:
    columns = sections.columns(findings)
    counts = Counter(column.kind for column in columns)
    return {
        "health": sections.health(findings),
        "columns": columns,
        "column_counts": [(k, sections.kind_words(k, count)) for k, count in counts.items()],
        "left_out": [column for column in columns if column.kind == "left_out"],
        "split_sentences": [sentence(words) for words in texts(findings.get("split_sentences"))],
    }


def _appendix(run: RunFolder, plan: Json, events: Sequence[Json]) -> Json:
    data = readable(run, "data.json")
    plain = {k: v for k, v in data.items() if isinstance(v, (str, int, float)) or "split" in k}
    every = journal.lines_of(events)
    parts: list[tuple[str, Any]] = [
        ("What was asked for (config.json)", run.config),
        ("What was made of it, with versions (plan.json)", plan),
        ("The data and its fingerprint (data.json)", plain),
    ]
    return {
        "appendix": [(title, _pretty(content)) for title, content in parts if content],
        "journal": every[: journal.LINES_KEPT],
        "journal_left_out": max(0, len(every) - journal.LINES_KEPT),
        "checkpoints": [place.name for place in run.checkpoints()],
    }


def _pretty(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False)
