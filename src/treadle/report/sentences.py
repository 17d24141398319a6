"""What a metric's value means, in one plain sentence for someone who has never trained a model."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from treadle.goal import AT_K, METRICS
from treadle.report.spoken import count_word, in_units, of_hundred, raw

SIMPLE_WAYS = {
    "decayed transitions": "going by what usually comes next",
    "EASE": "going by what is taken together",
    "recent popularity": "suggesting what is popular now",
}
"""Simple ways to suggest, in words."""
MODEL_WORDS = {"neural": "the network", "trees": "the trees"}

Numbers = Sequence["float | None"]
Said = tuple[list[str], str]


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """How a metric is told.

    sentence: with {value}, and {of} where it counts of a hundred; {target}, {positive},
              {k} and {s} are filled in from what is known
    title:    a few words for tables and charts
    say:      turns values into texts and the round number they count of
    """

    sentence: str
    title: str
    say: Callable[[Numbers], Said]


def sentence_for(
    metric: str,
    value: float,
    baseline: float | None = None,
    low: float | None = None,
    high: float | None = None,
    *,
    baseline_name: str = "",
    target: str = "",
    positive: str = "",
    classes: Sequence[str] = (),
) -> str:
    """Return one sentence: the value, its 95 % interval and the baseline, in plain words.

    metric:   its name, as `--metric` takes it
    positive: the class that is looked for; without one no single class is singled out

    >>> sentence_for("accuracy", 0.951, 0.6, 0.94, 0.96, baseline_name="always 'x'")
    "The model names the right class for 95 of 100 cases (95 % interval: 94 to 96); always 'x': 60."
    """
    meaning = meaning_of(metric, num_classes=len(classes), singled_out=bool(target and positive))
    if metric == "roc_auc" and baseline is None:
        baseline, baseline_name = 0.5, "guessing"
    (value_said, baseline_said, *ends), of = meaning.say([value, baseline, low, high])
    filled = meaning.sentence.format(
        value=value_said,
        of=of,
        target=target or "the target",
        positive=positive,
        k=_suggestions(metric),
        s="s" if metric.endswith("@1") else "",
    )
    return (
        filled
        + (f" (95 % interval: {' to '.join(sorted_ends(ends, meaning))})" if all(ends) else "")
        + (f"; {baseline_name or 'the baseline'}: {baseline_said}" if baseline_said else "")
        + "."
    )


def meaning_of(metric: str, *, num_classes: int = 2, singled_out: bool = False) -> Meaning:
    """Return how a metric is told; one that is not known is told by its name."""
    name = metric.removeprefix("neg_")
    if found := AT_K.fullmatch(name):
        return AT[found[1]]
    if name == "roc_auc" and num_classes > 2:
        return MEANINGS["roc_auc_many"]
    if singled_out and f"{name}_of_one" in MEANINGS:
        return MEANINGS[f"{name}_of_one"]
    shown = name.replace("{", "{{").replace("}", "}}")
    return MEANINGS.get(name) or Meaning(
        sentence=f"The {shown.replace('_', ' ')} is {{value}}", title=name, say=_as_is
    )


def higher_is_better(metric: str) -> bool | None:
    """Return which way a metric is better, or None where that is not known."""
    name = metric.removeprefix("neg_")
    if AT_K.fullmatch(name):
        return True
    if name in METRICS:
        return METRICS[name].higher_is_better
    return False if re.search(r"loss|error|cost|perplexity", name) else None


def is_share(metric: str) -> bool:
    """Tell whether a metric lies between 0 and 1 with 1 for perfect."""
    name = metric.removeprefix("neg_")
    return bool(AT_K.fullmatch(name)) or name in SHARES


def share_mended(metric: str, now: float, then: float) -> float | None:
    """Return the share of what is missing to a perfect figure that a better one mends."""
    up = higher_is_better(metric)
    missing = 1.0 - now if is_share(metric) or metric == "r2" else now if up is False else None
    if up is None or missing is None or missing <= 0:
        return None
    return (then - now if up else now - then) / missing


def sorted_ends(ends: list[str], meaning: Meaning) -> list[str]:
    """Return the ends of an interval, the smaller first, as the value is told."""
    return ends[::-1] if meaning.say is _typical_probability else ends


def _suggestions(metric: str) -> str:
    found = AT_K.fullmatch(metric)
    many = int(found[2]) if found else 1
    return f"{count_word(many).capitalize()} suggestion{'' if many == 1 else 's'}"


def _shares(values: Numbers) -> Said:
    return of_hundred(values)


def _units(values: Numbers) -> Said:
    return in_units(values), ""


def _root_units(values: Numbers) -> Said:
    return in_units([None if v is None else math.sqrt(max(v, 0.0)) for v in values]), ""


def _root_shares(values: Numbers) -> Said:
    return of_hundred([None if v is None else math.sqrt(max(v, 0.0)) for v in values])


def _percent(values: Numbers) -> Said:
    return [f"{said} %" if said else "" for said in of_hundred(values)[0]], ""


def _typical_probability(values: Numbers) -> Said:
    return _percent([None if v is None else math.exp(-max(v, 0.0)) for v in values])


def _as_is(values: Numbers) -> Said:
    return ["" if v is None else raw(v) for v in values], ""


MEANINGS = {
    "roc_auc": Meaning(
        sentence="Given one case of each kind, the model ranks the right one higher {value} times "
        "in {of}",
        title="telling the two apart",
        say=_shares,
    ),
    "roc_auc_of_one": Meaning(
        sentence="Given a case where {target} is “{positive}” and one where it is not, the "
        "model ranks the right one higher {value} times in {of}",
        title="telling the two apart",
        say=_shares,
    ),
    "roc_auc_many": Meaning(
        sentence="Given one case of a class and one of another, the model tells which is which "
        "{value} times in {of}",
        title="telling the classes apart",
        say=_shares,
    ),
    "average_precision": Meaning(
        sentence="Working down the model's list from the highest score on, {value} of {of} cases "
        "checked are right ones, averaged over the list",
        title="right ones high in the list",
        say=_shares,
    ),
    "average_precision_of_one": Meaning(
        sentence="Working down the model's list from the highest score on, {value} of {of} cases "
        "checked are ones where {target} is “{positive}”, averaged over the list",
        title="right ones high in the list",
        say=_shares,
    ),
    "accuracy": Meaning(
        sentence="The model names the right class for {value} of {of} cases",
        title="right answers",
        say=_shares,
    ),
    "balanced_accuracy": Meaning(
        sentence="With every class counting the same, rare or common, the model is right for "
        "{value} of {of} cases",
        title="right answers, classes counting the same",
        say=_shares,
    ),
    "f1": Meaning(
        sentence="For finding what is looked for without false alarms the model earns {value} of "
        "{of} points (F1)",
        title="finding without false alarms",
        say=_shares,
    ),
    "f1_macro": Meaning(
        sentence="For finding each class without false alarms, all classes counting the same, the "
        "model earns {value} of {of} points (F1)",
        title="finding each class without false alarms",
        say=_shares,
    ),
    "precision": Meaning(
        sentence="Of {of} cases that the model reports, {value} are right",
        title="reports that are right",
        say=_shares,
    ),
    "recall": Meaning(
        sentence="Of {of} cases that should be found, the model finds {value}",
        title="cases found",
        say=_shares,
    ),
    "matthews_corrcoef": Meaning(
        sentence="Predictions and truth agree by {value} of {of} points, where guessing earns 0",
        title="agreement beyond guessing",
        say=_shares,
    ),
    "log_loss": Meaning(
        sentence="To what turned out true the model had typically given a probability of {value}",
        title="surprise at the truth",
        say=_typical_probability,
    ),
    "brier_score": Meaning(
        sentence="The probabilities are typically {value} points of {of} away from what happened",
        title="probabilities off (squared)",
        say=_root_shares,
    ),
    "mean_absolute_error": Meaning(
        sentence="On average, the prediction of {target} is off by {value}",
        title="average miss",
        say=_units,
    ),
    "root_mean_squared_error": Meaning(
        sentence="The prediction of {target} is typically off by {value}, where large misses "
        "count more",
        title="typical miss, large ones count more",
        say=_units,
    ),
    "mean_squared_error": Meaning(
        sentence="The prediction of {target} is typically off by {value}, where large misses "
        "count more",
        title="squared miss",
        say=_root_units,
    ),
    "median_absolute_error": Meaning(
        sentence="Half of the predictions of {target} are off by less than {value}",
        title="middle miss",
        say=_units,
    ),
    "mean_absolute_percentage_error": Meaning(
        sentence="On average, the prediction of {target} is off by {value} of its true value",
        title="average miss in percent",
        say=_percent,
    ),
    "r2": Meaning(
        sentence="The model explains {value} of {of} parts of what makes {target} differ from case "
        "to case",
        title="differences explained",
        say=_shares,
    ),
    "loss": Meaning(
        sentence="The loss is {value} on data it was not trained on", title="loss", say=_as_is
    ),
}
AT = {
    "hit": Meaning(
        sentence="{k} contain{s} the next item for {value} of {of}",
        title="next item among the suggestions",
        say=_shares,
    ),
    "recall": Meaning(
        sentence="{k} contain{s} {value} of {of} items that came next",
        title="next items found",
        say=_shares,
    ),
    "ndcg": Meaning(
        sentence="{k} earn{s} {value} of {of} points for how high the next item stands among them",
        title="next item high in the list",
        say=_shares,
    ),
}
SHARES = frozenset(
    "roc_auc average_precision accuracy balanced_accuracy f1 f1_macro precision recall r2".split()
)
