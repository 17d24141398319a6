"""What to do next, ranked by what it is expected to bring; read from what a run found out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from treadle.contracts import Json
from treadle.folder import RunFolder
from treadle.report.answer import readable, sentence
from treadle.report.facts import number, record, records, text, texts
from treadle.report.noticed import GRAVE, TITLES
from treadle.report.sentences import higher_is_better, share_mended
from treadle.report.spoken import significant

MOST_STEPS = 6
MOST_UNMEASURED = 3
WORTH_TELLING = 0.005
"""The share of what is wrong that a step must be expected to mend."""
MANY_ROWS = 2_000
TUNED_BY = "on 13 other tables that took 2.4 % off the error in the mean"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to do.

    expected: what it should bring, in words; how: the command, or nothing
    first:    whether figures cannot be trusted before it is done
    gain:     the share of what is wrong that it is expected to mend; None where not known
    at_most:  whether that is no more than a bound
    """

    sentence: str
    title: str = ""
    expected: str = ""
    how: str = ""
    first: bool = False
    gain: float | None = None
    at_most: bool = False

    @property
    def words(self) -> str:
        """All of it as one text, for a terminal."""
        titled = f"{self.title}: {self.sentence}" if self.title else self.sentence
        return " ".join(filter(None, (titled, self.expected, self.how and f"({self.how})")))


def next_steps(run: RunFolder) -> list[Step]:
    """Return what to do next, the most urgent and then the most promising first."""
    result, findings = readable(run, "result.json"), readable(run, "findings.json")
    if not result:
        return []
    about = [*_on_training(result), *_on_result(result)]
    urgent = [*_on_data(findings), *(step for step in about if step.first)]
    others = [step for step in about if not step.first]
    measured = [
        *_more_data(run),
        *_harmful(run),
        *_wrong_answers(findings),
        *_longer(run, result),
    ]
    measured = [step for step in measured if (step.gain or 0.0) >= WORTH_TELLING]
    measured.sort(key=lambda step: -(step.gain or 0.0))
    open_ones = [*_not_yet(run, result, findings)][:MOST_UNMEASURED]
    steps = [*urgent, *measured, *others, *_worst_part(findings), *open_ones]
    once = {step.sentence: step for step in reversed(steps)}
    return list(once.values())[::-1][:MOST_STEPS]


def of_what_is_wrong(gain: float) -> str:
    """Return "about 8 % of what it gets wrong"."""
    return f"about {significant(100 * gain, 2)} % of what it gets wrong"


def _on_result(result: Json) -> Iterator[Step]:
    for advice in texts(result.get("advice")):
        yield Step(sentence=sentence(advice))


def _on_data(findings: Json) -> Iterator[Step]:
    """Yield what makes figures untrue: warnings that say what to do about them."""
    for entry in records(findings.get("health")):
        action, title = text(entry.get("action")), text(entry.get("title"))
        if text(entry.get("severity")) == "warning" and action and not _gain_of(entry):
            yield Step(title=title, sentence=sentence(action), first=True)


def _on_training(result: Json) -> Iterator[Step]:
    for entry in records(result.get("verdicts")):
        action, name = text(entry.get("action")), text(entry.get("name"))
        if action and entry.get("taken") is not True:
            title = TITLES.get(name, name.replace("_", " ").capitalize())
            yield Step(title=title, sentence=sentence(action), first=name in GRAVE)


def _gain_of(entry: Json) -> float | None:
    """Return which share of its mistakes a quick learner lost without the doubted answers."""
    gain = record(record(entry.get("evidence")).get("gain"))
    before, after, low = (number(gain.get(key)) for key in ("before", "after", "low"))
    if not before or after is None or low is None or low <= 0:
        return None
    return (before - after) / before


def _wrong_answers(findings: Json) -> Iterator[Step]:
    for entry in records(findings.get("health")):
        gain = _gain_of(entry)
        if gain is not None:
            yield Step(
                title=text(entry.get("title")),
                sentence=sentence(text(entry.get("action"))),
                expected=f"Should mend {of_what_is_wrong(gain)}, by a quick learner that was "
                "trained with and without them.",
                gain=gain,
            )


def _more_data(run: RunFolder) -> Iterator[Step]:
    """Yield what more rows would bring, where `treadle collect` was asked."""
    told = readable(run, "collect.json")
    now, then = number(told.get("now")), number(record(told.get("twice")).get("middle"))
    gain = (
        None if now is None or then is None else share_mended(text(told.get("metric")), now, then)
    )
    if gain is not None:
        yield Step(
            title="Collect more data",
            sentence=sentence(text(told.get("sentence"))),
            expected=f"Twice the data should mend {of_what_is_wrong(gain)}."
            + (
                " request.html can be forwarded to whoever collects." if told.get("request") else ""
            ),
            gain=gain,
        )


def _harmful(run: RunFolder) -> Iterator[Step]:
    """Yield what the model is surely better without, where `treadle worth-of` was asked."""
    told = readable(run, "worth-of.json")
    metric, now = text(told.get("metric")), number(told.get("whole"))
    up = higher_is_better(metric)
    for entry in records(told.get("things")):
        earned = number(entry.get("earned"))
        if text(entry.get("verdict")) != "harms" or earned is None or now is None:
            continue
        gain = share_mended(metric, now, now - earned if up else now + earned)
        name = text(entry.get("label")) or text(entry.get("thing"))
        yield Step(
            title=f"Leave out {name}",
            sentence="The model is better without it.",
            expected="" if gain is None else f"Should mend {of_what_is_wrong(gain)}.",
            how=f"treadle worth-of {run.path} told it",
            gain=gain,
        )


def _longer(run: RunFolder, result: Json) -> Iterator[Step]:
    shares = {name: number(share) or 0.0 for name, share in record(result.get("blend")).items()}
    members = {member.name: readable(member, "result.json") for member in run.members()}
    known = {name: part for name, part in members.items() if records(part.get("forecasts"))}
    name = max(known, key=lambda name: shares.get(name, 0.0), default="")
    first = next(iter(records((known.get(name) or result).get("forecasts"))), {})
    now, then, metric = number(first.get("best")), number(first.get("middle")), first.get("metric")
    gain = None if now is None or then is None else share_mended(text(metric), now, then)
    if gain is None or now is None or then is None:
        return
    yield Step(
        title="Train longer",
        sentence=f"With twice the steps {text(metric)} is expected at {significant(then, 4)} "
        f"instead of {significant(now, 4)}.",
        expected=f"Should mend {of_what_is_wrong(gain)}.",
        gain=gain,
    )


def _worst_part(findings: Json) -> Iterator[Step]:
    told = record(findings.get("fails"))
    mean, total = number(told.get("mean")), number(told.get("rows"))
    best: tuple[float, Json] = (0.0, {})
    for part in records(told.get("parts")):
        here, rest, rows = (number(part.get(key)) for key in ("mean", "rest", "rows"))
        if mean and total and here is not None and rest is not None and rows:
            best = max(best, (rows * (here - rest) / (total * mean), part), key=lambda one: one[0])
    if best[0] >= WORTH_TELLING and "k" not in told:  # what is suggested needs no columns
        yield Step(
            title="Mend the worst part",
            sentence=f"It is worst where {text(best[1].get('where'))}: collect more such cases, or "
            "a column that tells them apart.",
            expected=f"At most {of_what_is_wrong(best[0])} would go, were it as good there as "
            "elsewhere.",
            gain=best[0],
            at_most=True,
        )


def _not_yet(run: RunFolder, result: Json, findings: Json) -> Iterator[Step]:
    """Yield what was not looked at yet, and so has no figure."""
    kind = text(run.config.get("kind"))
    if kind in ("table", "images") and not findings.get("deep"):
        yield Step(
            title="Look at the data in depth",
            sentence="Finds answers that are probably wrong, rows that are nearly the same and "
            "parts that drift apart, within about a minute.",
            how=f"treadle check {run.path} --deep",
        )
    if kind in ("table", "images", "events") and not readable(run, "collect.json"):
        yield Step(
            title="Ask what more data would bring",
            sentence="Trains on parts of the data and draws how the figure grows with it.",
            how=f"treadle collect {run.path}",
        )
    if kind in ("table", "images") and not record(result.get("money")):
        words = (
            "too_high=1 too_low=1" if result.get("task") == "number" else "missed=… false_alarm=…"
        )
        yield Step(
            title="Say what a mistake costs",
            sentence="The answers are then chosen to cost least, and the result is told in money.",
            how=f'treadle fit … --cost "{words}"',
        )
    if kind == "table" and not record(result.get("tune")) and _enough(result):
        yield Step(
            title="Try other settings",
            sentence=f"Other settings of the models are tried within a budget; {TUNED_BY}.",
            how='treadle fit … --tune "30 minutes"',
        )


def _enough(result: Json) -> bool:
    return (number(record(result.get("rows")).get("train")) or 0) >= MANY_ROWS
