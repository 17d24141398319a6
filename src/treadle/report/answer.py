"""The answer of a run in plain sentences: how good, how sure, why training ended."""

from __future__ import annotations

from dataclasses import dataclass

from treadle.contracts import Json
from treadle.errors import RunError
from treadle.folder import RunFolder
from treadle.report.facts import number, record, records, text, texts, whole
from treadle.report.money import money_first
from treadle.report.sentences import (
    SIMPLE_WAYS,
    higher_is_better,
    meaning_of,
    sentence_for,
    sorted_ends,
)
from treadle.report.spoken import duration, plural, raw

NOUNS = {"images": "photo", "events": "moment", "module": "sample"}


@dataclass(frozen=True, kw_only=True)
class Headline:
    """The figure that a run is judged by.

    part:     what it was measured on: "test", or "validation" where nothing was held back
    low/high: its 95 % interval; None where not known
    """

    metric: str
    value: float
    part: str
    low: float | None
    high: float | None
    baseline: float | None
    baseline_name: str
    validation: float | None = None


def headline(result: Json) -> Headline | None:
    """Return the figure a result is judged by, or None when it names none."""
    metric, baseline = record(result.get("metric")), record(result.get("baseline"))
    name, test = text(metric.get("name")), number(metric.get("test"))
    value = number(metric.get("validation")) if test is None else test
    if not name or value is None:
        return None
    guess = (0.5, "guessing") if name == "roc_auc" else (None, "")
    given = number(baseline.get("test"))
    return Headline(
        metric=name,
        value=value,
        part="validation" if test is None else "test",
        low=None if test is None else number(metric.get("low")),
        high=None if test is None else number(metric.get("high")),
        baseline=guess[0] if given is None else given,
        validation=number(metric.get("validation")),
        baseline_name=guess[1] if given is None else text(baseline.get("name")) or "the baseline",
    )


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a run found out: three sentences, the first the figure, and those that come after.

    sure: what the figure was measured on and how sure it is; stop: why training ended; both are
    empty where they stand among the three
    """

    three: list[str]
    sure: str = ""
    stop: str = ""
    scorings: str = ""

    @property
    def sentences(self) -> list[str]:
        """All of them, the first three first."""
        return [*self.three, *filter(None, (self.sure, self.stop, self.scorings))]


def told_by(result: Json) -> Headline | None:
    """Return the figure that people are told: of suggestions, how many hold the next item.

    What decides there, NDCG, counts how high it stands as well, and cannot be read aloud.
    """
    head = headline(result)
    name = head.metric.replace("ndcg@", "hit@") if head else ""
    best = max(
        ((value, text(entry.get("name"))) for entry, value in _reached(result, name)),
        default=None,
    )
    found = record(record(result.get("metrics")).get(name))
    value = number(found.get("test"))
    if head is None or name == head.metric or value is None or best is None:
        return head
    low, high = number(found.get("low")), number(found.get("high"))
    return Headline(
        metric=name,
        value=value,
        part="test",
        low=low,
        high=high,
        baseline=best[0],
        baseline_name=best[1],
    )


def _reached(result: Json, metric: str) -> list[tuple[Json, float]]:
    """Return what each baseline reaches in a metric, where that is known."""
    both = [
        (entry, number(record(entry.get("metrics")).get(metric)))
        for entry in records(result.get("baselines"))
    ]
    return [(entry, value) for entry, value in both if value is not None]


def answer(run: RunFolder) -> Answer:
    """Return what a run found out."""
    result = readable(run, "result.json")
    if not result:
        return Answer(three=_unfinished(run))
    head = told_by(result)
    money = money_first(result)
    figure = figure_sentence(head, run) if head else ""
    sure, stop = sure_sentence(head, run) if head else "", stop_sentence(result)
    said = list(filter(None, [*money, figure, sure, stop]))
    three = said[:3] or ["The run ended without a figure to judge it by."]
    return Answer(
        three=three,
        sure="" if sure in three else sure,
        stop="" if stop in three else stop,
        scorings=scorings_sentence(result),
    )


def readable(run: RunFolder, name: str) -> Json:
    """Return a JSON file of the run, or nothing when it is absent or broken."""
    try:
        return run.read_json(name) or {}
    except RunError:
        return {}


def figure_sentence(head: Headline, run: RunFolder) -> str:
    """Return the figure beside its baseline, in plain words. The interval is told apart."""
    findings = readable(run, "findings.json")
    return sentence_for(
        head.metric,
        head.value,
        head.baseline,
        baseline_name=SIMPLE_WAYS.get(head.baseline_name, head.baseline_name),
        target=text(findings.get("target")),
        positive=text(findings.get("positive")),
        classes=texts(findings.get("classes")),
    )


def sure_sentence(head: Headline, run: RunFolder) -> str:
    """Return what the figure was measured on, and whether it surely beats the baseline."""
    result = readable(run, "result.json")
    rows = whole(record(result.get("rows")).get(head.part))
    noun = NOUNS.get(text(run.config.get("kind")), "row")
    seen = plural(rows, noun) if rows else f"{noun}s"
    if head.part == "validation":
        return (
            f"That was measured on {seen} kept apart for validation, which also chose when to "
            "stop, so expect a little worse on new data."
        )
    span = f"; other such {noun}s would have given {interval(head)}" if interval(head) else ""
    difference = paired_difference(head, result)
    joint = ", so" if span and head.baseline is not None and not difference else ";"
    said = verdict(head, difference)
    return f"That was measured on {seen} that it had never seen{span}{joint} {said}."


def interval(head: Headline) -> str:
    """Return the 95 % interval as the figure is told: "69 to 71", or nothing."""
    if head.low is None or head.high is None:
        return ""
    meaning = meaning_of(head.metric)
    (_, _, *ends), _ = meaning.say([head.value, head.baseline, head.low, head.high])
    low, high = sorted_ends(ends, meaning)
    return f"{low} to {high} (in 95 of 100 draws)" if low != high else ""


def paired_difference(head: Headline, result: Json) -> tuple[float, float] | None:
    """Return the 95 % interval of figure minus baseline, case by case, where it was measured.

    It is narrower than the interval of the figure itself: both met the same cases.
    """
    for line in records(result.get("baselines")):
        if line.get("name") == head.baseline_name:
            same = record(result.get("metric")).get("name") == head.metric
            apart = record(record(line.get("differences")).get(head.metric))
            difference = apart or (record(line.get("difference")) if same else {})
            low, high = number(difference.get("low")), number(difference.get("high"))
            return None if low is None or high is None else (low, high)
    return None


def verdict(head: Headline, difference: tuple[float, float] | None = None) -> str:
    """Return whether the figure is better than the baseline beyond luck."""
    up = higher_is_better(head.metric)
    if head.baseline is None or up is None:
        return "there is no baseline to compare it with"
    sign = 1 if up else -1
    gain = sign * (head.value - head.baseline)
    if head.low is None or head.high is None:
        return f"it is {'better' if gain > 0 else 'no better'} than the baseline"
    ends = difference or (head.low - head.baseline, head.high - head.baseline)
    worst, best = sorted(sign * end for end in ends)
    if worst > 0:
        return "it beats the baseline by more than luck explains"
    if best < 0:
        return "it is worse than the baseline, by more than luck explains: do not use it as it is"
    return (
        "luck alone could explain its lead over the baseline: do not rely on it yet"
        if gain > 0
        else "it is no better than the baseline"
    )


def stop_sentence(result: Json) -> str:
    """Return how long training took and why it ended."""
    stopped, seconds = record(result.get("stopped")), number(result.get("seconds"))
    took = f" took {duration(seconds)}" if seconds is not None else ""
    why = text(stopped.get("sentence")).strip().rstrip(".")
    if why.lower().startswith("training"):
        return capitalised(why) + "."
    tuned = number(record(result.get("tune")).get("seconds"))
    also = "" if tuned is None else f" Trying other settings made that {duration(tuned)} in all."
    if why:
        return f"Training{took}{' and' if took else ''} ended because {why}.{also}"
    return f"Training{took}." if took else ""


def scorings_sentence(result: Json) -> str:
    """Return a warning when the held-back rows have been looked at more than once."""
    times = whole(result.get("test_scorings")) or 0
    if times <= 1:
        return ""
    return (
        f"The test part has been scored {times} times: the more often one looks and chooses, the "
        "more the figure flatters."
    )


def capitalised(sentence: str) -> str:
    """Return a sentence with its first letter large and the rest untouched."""
    return sentence[:1].upper() + sentence[1:]


def sentence(words: str) -> str:
    """Return words as a sentence: a large letter first, a full stop at the end; nothing of none."""
    words = capitalised(words.strip())
    return (
        words
        if not words or words.endswith((".", "!", "?", ":")) or "treadle resume" in words
        else words + "."
    )


def _unfinished(run: RunFolder) -> list[str]:
    points, parts = run.metrics(), [run, *run.members()]
    saved = any(part.checkpoints() for part in parts)
    step = max((line["step"] for part in parts for line in part.metrics()), default=0)
    told = ["This run has no result yet: it is still training, or it was interrupted."]
    if step:
        last = record(points[-1].get("values")) if points else {}
        figures = [
            f"{name} {raw(value)}"
            for name, found in last.items()
            if (value := number(found)) is not None and not name.startswith("learning_rate")
        ]
        at = f" There it measured {', '.join(figures)}." if figures else ""
        told.append(f"Its last measurement was taken at step {step:,}.{at}")
    lost = "" if saved else ", though from the beginning, as no checkpoint was saved yet,"
    return [*told, f"If it is not running, go on{lost} with: treadle resume {run.path}"]
