"""What the loop noticed and decided: as marks in the curves and as lines to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from treadle.contracts import Json
from treadle.report.answer import capitalised
from treadle.report.curves import Mark, series_of
from treadle.report.facts import number, record, text, whole
from treadle.report.sentences import higher_is_better

MARKS = 9
LINES_READ = 40
LINES_KEPT = 2_000
ROUTINE = (
    *("validation", "best", "checkpoint", "warning"),
    *("forecast", "forecast check", "track record"),
)
"""Topics that are told elsewhere, or not at all."""
MARKED = ("stop", "resume", "rate", "unfreeze", "engine", "non_finite", "drift")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the journal as it is shown."""

    time: str
    attempt: int
    step: int
    topic: str
    sentence: str
    changes: bool


def lines_of(events: Sequence[Json]) -> list[Line]:
    """Return the journal's lines that can be read; of the same words at a step the last."""
    kept: dict[tuple[int, str, str], Line] = {}
    for event, changes in zip(events, _changes(events), strict=True):
        line = Line(
            time=clock(text(event.get("time"))),
            attempt=whole(event.get("attempt")) or 1,
            step=whole(event.get("step")) or 0,
            topic=text(event.get("topic")).replace("_", " "),
            sentence=capitalised(text(event.get("sentence"))),
            changes=changes,
        )
        kept[(line.step, line.topic, line.sentence)] = line
    return list(kept.values())


def to_read(lines: Sequence[Line]) -> list[Line]:
    """Return the lines worth reading first: neither routine nor decisions to leave all as it is."""
    return [line for line in lines if line.topic not in ROUTINE and line.changes][:LINES_READ]


def marks(events: Sequence[Json], points: Sequence[Json], result: Json, metric: str) -> list[Mark]:
    """Return what to mark in the curves, by step, numbered from 1; the best step among them."""
    found: dict[tuple[int, str], tuple[str, str]] = {}
    for event, changes in zip(events, _changes(events), strict=True):
        topic, step = text(event.get("topic")), whole(event.get("step")) or 0
        decided = "value" in event and changes
        if step > 0 and (decided or topic in MARKED) and not _taken_back(event, events):
            kind = "stop" if topic == "stop" else "other"
            found[(step, topic)] = (kind, capitalised(text(event.get("sentence"))))
    chosen = sorted(found.items())[-MARKS:]
    entries = [(step, kind, sentence) for (step, _), (kind, sentence) in chosen]
    if best := _best(events, points, result, metric):
        entries.append(best)
    entries.sort(key=lambda entry: (entry[0], entry[1] == "stop"))
    return [
        Mark(number=i, step=step, kind=kind, sentence=sentence)
        for i, (step, kind, sentence) in enumerate(entries, 1)
    ]


def _changes(events: Sequence[Json]) -> list[bool]:
    """Return for each line whether it is more than a decision to leave all as it is."""
    before: dict[str, object] = {}
    changes: list[bool] = []
    for event in events:
        topic = text(event.get("topic"))
        stays = record(event.get("saw")).get("same") is True
        new = "value" not in event or before.get(topic, changes) != event["value"]
        changes.append(new and not stays)
        if "value" in event:
            before[topic] = event["value"]
    return changes


def _taken_back(event: Json, events: Sequence[Json]) -> bool:
    """Tell whether a stop was taken back, because the run was resumed afterwards."""
    later = max((whole(other.get("attempt")) or 1 for other in events), default=1)
    return event.get("topic") == "stop" and (whole(event.get("attempt")) or 1) < later


def _best(
    events: Sequence[Json], points: Sequence[Json], result: Json, metric: str
) -> tuple[int, str, str] | None:
    step = whole(record(result.get("stopped")).get("best_step"))
    if step is None:
        told = [whole(event.get("step")) for event in events if event.get("topic") == "best"]
        step = next((s for s in reversed(told) if s is not None), None)
    if step:
        values = [record(p.get("values")).get(metric) for p in points if p.get("step") == step]
        value = next((v for v in map(number, values) if v is not None), None)
    else:
        step, value = _best_point(points, metric)
    if not step:
        return None
    figure = "" if value is None else f": {metric} {value:.4g}"
    return step, "best", f"The best on validation, whose weights were kept{figure}."


def _best_point(points: Sequence[Json], metric: str) -> tuple[int | None, float | None]:
    """Return the step and value of the best measurement, where it is known what is better."""
    up = higher_is_better(metric)
    series = series_of(points).get(metric, [])
    if up is None or not series:
        return None, None
    step, value = (max if up else min)(series, key=lambda point: point[1])
    return int(step), value


def clock(written: str) -> str:
    """Return a journal's time without fractions, or as it stands where it is none."""
    try:
        return datetime.fromisoformat(written).strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return written


def day(written: str) -> str:
    """Return "22 November 2026, 16:45 UTC"."""
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return written
    zone = f" {moment.tzname()}" if moment.tzinfo else ""
    return f"{moment.day} {moment:%B %Y, %H:%M}{zone}"
