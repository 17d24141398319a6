"""What to do next, ranked by what it is expected to bring; read from what a run found out."""

from __future__ import annotations

from collections.abc import Iterator

from treadle.contracts import Json
from treadle.folder import RunFolder
from treadle.report.answer import readable, sentence
from treadle.report.facts import number, record, records, text, texts
from treadle.report.fails import follow_costs
from treadle.report.longer import hardly
from treadle.report.sentences import MODEL_WORDS, higher_is_better, share_mended
from treadle.report.spoken import significant
from treadle.report.step import Step
from treadle.report.untrue import gain_of, on_data, on_training, simple_is_better, unlike

MOST_STEPS = 6
MOST_UNMEASURED = 3
WORTH_TELLING = 0.005
"""The share of what is wrong that a step must be expected to mend."""
MANY_ROWS = 2_000
COSTS_OF = {"number": "too_high=1 too_low=1", "classes": "*>*=1 THIS>THAT=5"}
TUNED_BY = "on 13 other tables that took 2.4 % off the error in the mean"


def next_steps(run: RunFolder) -> list[Step]:
    """Return what to do next, the most urgent and then the most promising first."""
    result, findings = readable(run, "result.json"), readable(run, "findings.json")
    if not result:
        return []
    about = [*on_training(result, findings), *_on_result(result)]
    about += unlike(run, result, deep=bool(findings.get("deep")))
    urgent = [
        *on_data(findings, result, run),
        *(step for step in about if step.first),
        *simple_is_better(result),
    ]
    others = [step for step in about if not step.first]
    measured = [
        *_more_data(run),
        *_harmful(run),
        *_wrong_answers(findings, run),
        *_longer(run, result),
    ]
    measured = [step for step in measured if (step.gain or 0.0) >= WORTH_TELLING]
    measured.sort(key=lambda step: -(step.gain or 0.0))
    said = {step.how for step in about if step.how}
    open_ones = [step for step in _not_yet(run, result, findings) if step.how not in said]
    open_ones = open_ones[:MOST_UNMEASURED]
    worst = [] if follow_costs(result) else [*_worst_part(findings)]  # mistakes are wanted there
    steps = [*urgent, *measured, *others, *worst, *open_ones]
    once = {step.sentence: step for step in reversed(steps)}
    return list(once.values())[::-1][:MOST_STEPS]


def of_what_is_wrong(gain: float) -> str:
    """Return "about 8 % of what it gets wrong"."""
    return f"about {significant(100 * gain, 2)} % of what it gets wrong"


def _on_result(result: Json) -> Iterator[Step]:
    for advice in texts(result.get("advice")):
        yield Step(sentence=sentence(advice))


def _wrong_answers(findings: Json, run: RunFolder) -> Iterator[Step]:
    listed = run.path / "label_errors.csv"
    how = f"{listed.name} (treadle check … --deep --out FOLDER)"
    for entry in records(findings.get("health")):
        gain, action = gain_of(entry), text(entry.get("action"))
        if gain is not None:
            yield Step(
                title=text(entry.get("title")),
                sentence=sentence(action.replace(how, str(listed)) if listed.exists() else action),
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
    name = max(known or shares, key=lambda name: shares.get(name, 0.0), default="")
    first = next(iter(records((known.get(name) or result).get("forecasts"))), {})
    now, then, metric = number(first.get("best")), number(first.get("middle")), first.get("metric")
    gain = None if now is None or then is None else share_mended(text(metric), now, then)
    if gain is None or now is None or then is None or hardly(first):
        return
    alone = name and len([share for share in shares.values() if share > 0]) > 1
    whose = f" of {MODEL_WORDS.get(name, name)} alone" if alone else ""
    yield Step(
        title="Train longer",
        sentence=f"With twice the steps {text(metric)}{whose} is expected at "
        f"{significant(then, 4)} instead of {significant(now, 4)}.",
        expected=f"Should mend {of_what_is_wrong(gain)}{' there' if alone else ''}.",
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
        words = COSTS_OF.get(text(result.get("task")), "missed=… false_alarm=…")
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
