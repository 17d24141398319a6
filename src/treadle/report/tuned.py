"""What was tried beside the usual settings: each trial as a dot, the usual settings as a line."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from treadle.contracts import Json
from treadle.folder import RunFolder
from treadle.report.answer import readable
from treadle.report.facts import number, record, records, text
from treadle.report.sentences import higher_is_better
from treadle.report.spoken import count_word, plural, raw
from treadle.report.svg import Frame, Scale, dot, drawing, label, line, spanning

MODELS = {"trees": "trees", "neural": "network"}


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """What is told of the trials of each model: a sentence, and a chart twice."""

    sentence: str
    wide: Markup
    narrow: Markup


def tuned(run: RunFolder) -> list[Tuned]:
    """Return what was tried, by model; nothing where nothing was."""
    result = readable(run, "result.json")
    told = record(result.get("tune"))
    metric = text(told.get("metric"))  # what decided, which need not be what is reported
    usual = {name: number(value) for name, value in record(told.get("usual")).items()}
    shares = record(result.get("blend"))
    found = []
    for name, value in usual.items():
        own = [t for t in records(told.get("trials")) if t.get("family") == name]
        own = [trial for trial in own if number(trial.get("value")) is not None]
        if value is not None and own:
            charts = [_chart(own, value, metric, shares, width) for width in (880, 400)]
            sentence = _sentence(name, own, value, metric, shares)
            found.append(Tuned(sentence=sentence, wide=charts[0], narrow=charts[1]))
    return found


def _values(trials: list[Json]) -> list[float]:
    return [value for trial in trials if (value := number(trial.get("value"))) is not None]


def _used(trial: Json, shares: Json) -> bool:
    return (number(shares.get(text(trial.get("name")))) or 0) > 0


def _sentence(name: str, trials: list[Json], usual: float, metric: str, shares: Json) -> str:
    up = higher_is_better(metric) is not False
    better = sum((value > usual) if up else (value < usual) for value in _values(trials))
    used = sum(_used(trial, shares) for trial in trials)
    some = {0: "none of them is", 1: "one of them is"}.get(used, f"{count_word(used)} of them are")
    return (
        f"{plural(len(trials), 'training')} of the {MODELS.get(name, name)} with other settings: "
        f"{better} did better on validation than the usual settings; {some} part of the answer."
    )


def _chart(trials: list[Json], usual: float, metric: str, shares: Json, width: float) -> Markup:
    values = _values(trials)
    x = Scale(0, len(trials) + 1, 58, width - 18)
    y = spanning([*values, usual], 200, 26)
    parts: list[object] = [Frame(x, y, "trainings, in the order they were made", "").draw()]
    parts.append(line(x.start, y(usual), x.end, y(usual), "line-usual"))
    parts.append(label(x.end, y(usual) - 6, f"usual settings {raw(usual)}", "tick end"))
    for n, (trial, value) in enumerate(zip(trials, values, strict=True)):
        changes = ", ".join(f"{k} {v:g}" for k, v in record(trial.get("changes")).items())
        hover = f"{text(trial.get('name'))}: {metric} {raw(value)}; {changes}"
        kind = "dot ours" if _used(trial, shares) else "dot other"
        parts.append(dot(x(n + 1), y(value), 5, kind, hover))
    says = f"{metric} of {len(trials)} trainings with other settings beside {raw(usual)} as usual"
    return drawing(width, 246, says, *parts)
