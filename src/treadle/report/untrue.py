"""What makes a run's figures untrue, or its model not worth using: what to do about that first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from treadle.contracts import Json
from treadle.folder import RunFolder
from treadle.report.answer import sentence
from treadle.report.facts import number, record, records, text, texts
from treadle.report.noticed import GRAVE, TITLES
from treadle.report.sentences import share_mended
from treadle.report.spoken import per_words, significant
from treadle.report.step import Step

SIMPLE = "a simple model"
MUCH_WORSE, TWICE_THE_LUCK = 0.15, 2.0
"""From where on test is told to be unlike validation: the share of its error that was not there,
and how many 95 % half-widths of the difference lie between them."""


def simple_is_better(result: Json) -> Iterator[Step]:
    """Yield that a simple model is surely cheaper, where it is."""
    money = record(result.get("money"))
    for rule in records(money.get("rules")):
        low, high = number(rule.get("saved_low")), number(rule.get("saved_high"))
        if text(rule.get("name")) != SIMPLE or low is None or high is None or high >= 0:
            continue
        less = f"{text(money.get('unit'))}{significant(-high)} to {significant(-low)} less"
        per = per_words(text(money.get("per")))
        yield Step(
            title="Take a simple model instead",
            sentence=f"{text(money.get('simple'))} costs {less} {per} than this one does: that is "
            "more than luck explains.",
            first=True,
        )


def unlike(run: RunFolder, result: Json, *, deep: bool) -> Iterator[Step]:
    """Yield that test is far worse than validation was, by more than luck and choosing explain."""
    told, rows = record(result.get("metric")), record(result.get("rows"))
    name = text(told.get("name"))
    before, now, low, high = (number(told.get(k)) for k in ("validation", "test", "low", "high"))
    counts = number(rows.get("validation")), number(rows.get("test"))
    if before is None or now is None or low is None or high is None or not all(counts):
        return
    lost = share_mended(name, now, before)
    luck = (high - low) / 2 * (1 + (counts[1] or 0.0) / (counts[0] or 1.0)) ** 0.5
    if lost is None or lost < MUCH_WORSE or abs(now - before) < TWICE_THE_LUCK * luck:
        return
    by_time = record(run.config.get("options")).get("time")
    later = "later rows are unlike earlier ones" if by_time else "the two differ"
    yield Step(
        title="Find out what changed",
        sentence=f"On the rows that watched the learning {name} was {significant(before)}, on the "
        f"test rows it is {significant(now)}: {later}, by more than luck explains, and the next "
        "ones may differ as much.",
        how="" if deep else f"treadle check {run.path} --deep",
    )


def on_data(findings: Json, result: Json, run: RunFolder) -> list[Step]:
    """Return what makes figures untrue: warnings that say what to do about them."""
    steps: list[Step] = []
    ignored = set(texts(record(run.config.get("options")).get("ignore")))
    few_told = any("to learn from" in advice for advice in texts(result.get("advice")))
    for entry in records(findings.get("health")):
        action, title = text(entry.get("action")), text(entry.get("title"))
        if few_told and {"class", "rows"} <= record(entry.get("evidence")).keys():
            continue  # the advice says it, with the figure
        if text(record(entry.get("evidence")).get("column")) in ignored:
            continue  # it was left out, as asked
        if text(entry.get("severity")) == "warning" and action and not gain_of(entry):
            steps.append(Step(title=title, sentence=sentence(action), first=True))
    return _ignoring_together(steps)


def _ignoring_together(steps: list[Step]) -> list[Step]:
    """Put steps together that differ only in the column to ignore."""
    found: list[Step] = []
    for step in steps:
        before, option, column = step.sentence.partition(" --ignore ")
        same = [n for n, one in enumerate(found) if one.sentence.startswith(f"{before}{option}")]
        if option and same:
            joined = f"{found[same[0]].sentence.removesuffix('.')}{option}{column}"
            found[same[0]] = replace(found[same[0]], sentence=joined)
        else:
            found.append(step)
    return found


def on_training(result: Json, findings: Json) -> Iterator[Step]:
    """Yield what verdicts on the training propose, but for what the look at the data says too."""
    leaks = [
        f"the column '{text(seen.get('column'))}'"
        for entry in records(findings.get("health"))
        if "leak" in (seen := record(entry.get("evidence")))
    ]
    for entry in records(result.get("verdicts")):
        action, name = text(entry.get("action")), text(entry.get("name"))
        if name == "leak" and text(record(entry.get("saw")).get("input")) in leaks:
            continue  # the look at the data says it, with the option that leaves it out
        if action and entry.get("taken") is not True:
            title = TITLES.get(name, name.replace("_", " ").capitalize())
            yield Step(title=title, sentence=sentence(action), first=name in GRAVE)


def gain_of(entry: Json) -> float | None:
    """Return which share of its mistakes a quick learner lost without the doubted answers."""
    gain = record(record(entry.get("evidence")).get("gain"))
    before, after, low = (number(gain.get(key)) for key in ("before", "after", "low"))
    if not before or after is None or low is None or low <= 0:
        return None
    return (before - after) / before
