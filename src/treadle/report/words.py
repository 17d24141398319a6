"""A run in words alone: what `treadle explain` and `treadle runs` say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from treadle.contracts import Json
from treadle.errors import RunError
from treadle.folder import RunFolder, find_runs
from treadle.report.answer import answer, headline, readable, sentence
from treadle.report.collect import collect_in_words
from treadle.report.facts import number, record, records, text, texts
from treadle.report.fails import fails_in_words
from treadle.report.journal import lines_of, to_read
from treadle.report.longer import longer
from treadle.report.next_steps import next_steps
from treadle.report.noticed import noticed_in_words
from treadle.report.price_list import priced_in_words
from treadle.report.sentences import sentence_for
from treadle.report.spent import spent_in_words

__all__ = ["explain", "runs_table", "sentence_for"]

ROUTINE = ("plan", "forecast", "forecast_check", "track_record")
TOLD_ELSEWHERE = ("start", "data", "warning", "split", "stop", "test", "verdict", "money", *ROUTINE)
SERIOUS = ("error", "bad", "severe", "serious", "critical", "high", "warning", "warn", "medium")


def explain(run: Path | str) -> list[str]:
    """Return what a run did and found, sentence by sentence, the answer first.

    Raises: RunError when there is no run, or a newer Treadle wrote it.
    """
    folder = RunFolder.open(run)
    plan, result = readable(folder, "plan.json"), readable(folder, "result.json")
    findings = readable(folder, "findings.json")
    told = answer(folder).sentences
    told += [
        s for key in ("money", "running") for s in texts(record(result.get(key)).get("sentences"))
    ]
    told += [text(plan.get("task_sentence"))]
    told += texts(findings.get("split_sentences"))
    told += [problem for entry in records(findings.get("health")) if (problem := _problem(entry))]
    if text(folder.config.get("kind")) != "events":  # a mixture is told in one sentence
        told += [_of_member(member) for member in records(findings.get("members"))]
    told += [*decided(folder), text(findings.get("blend_sentence"))]
    told += fails_in_words(findings, text(folder.config.get("kind")), result)
    told += [f"What we noticed: {words}" for words in noticed_in_words(result)]
    head = headline(result)
    told += spent_in_words(folder, result, head.metric if head else "")
    told += would_longer_help(folder)
    told += [f"Would more data help? {words}" for words in collect_in_words(folder)[:1]]
    told += collect_in_words(folder)[1:]
    told += [f"What data earned: {line}" for line in priced_in_words(folder)]
    told += [f"What to do next: {step.words}" for step in next_steps(folder)]
    return list(dict.fromkeys(sentence(words) for words in told if words.strip()))


def _of_member(member: Json) -> str:
    name, words = text(member.get("name")), text(member.get("sentence"))
    return f"{name}: {words}" if name and words else words


def would_longer_help(run: RunFolder) -> list[str]:
    """Return one sentence on what more training would bring, for each model that was trained."""
    return [
        f"Would longer help{f', {one.name}' if one.name else ''}? {one.sentences[0]}"
        for one in longer(run)
        if one.sentences
    ]


def decided(run: RunFolder) -> list[str]:
    """Return what the loop decided on its way, with the step, oldest first, each once."""
    lines = to_read(lines_of(run.events()))
    return [
        f"At step {line.step:,}: {line.sentence}" if line.step else line.sentence
        for line in lines
        if line.topic.replace(" ", "_") not in TOLD_ELSEWHERE
    ]


def runs_table(parent: Path | str) -> list[Json]:
    """Return one record for each run at or below a folder, the newest first.

    Keys: run, path, state ("finished", "unfinished", "unreadable"), problem, kind, task, target,
    metric, value, part, validation, low, high, baseline, baseline_name, seconds, started,
    sentence; None where not known. Raises: RunError when there is no such folder.
    """
    rows = [_row(run) for run in find_runs(parent)]
    return sorted(rows, key=lambda row: row["started"] or "", reverse=True)


def _row(run: RunFolder) -> Json:
    row: dict[str, Any] = dict.fromkeys(
        "run path state problem kind task target metric value part validation low high baseline "
        "baseline_name seconds started sentence".split()
    )
    row |= {"run": run.name, "path": str(run.path)}
    try:
        config, result, plan = run.config, run.result, run.plan or {}
    except RunError as error:
        return row | {"state": "unreadable", "problem": error.message}
    events = run.events()
    row |= {
        "state": "finished" if result else "unfinished",
        "kind": text(config.get("kind")) or None,
        "task": text((result or plan).get("task")) or None,
        "target": text(readable(run, "findings.json").get("target")) or None,
        "seconds": number(record(result).get("seconds")),
        "started": text(events[0].get("time")) or None if events else None,
        "sentence": answer(run).three[0],
    }
    return row | (_figure(result) if result else {})


def _figure(result: Json) -> Json:
    head = headline(result)
    return vars(head) if head else {}


def _problem(entry: Json) -> str:
    """Return a finding on the data that someone should act on, or nothing for a mere note."""
    if text(entry.get("severity")).lower() not in SERIOUS:
        return ""
    words = text(entry.get("sentence")) or text(entry.get("title"))
    return " ".join(sentence(part) for part in (words, text(entry.get("action"))) if part)
