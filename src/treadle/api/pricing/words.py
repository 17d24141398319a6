"""A price list of data in plain sentences."""

from __future__ import annotations

import math

from treadle.api.money_words import amount
from treadle.contracts import Json
from treadle.goal import Metric
from treadle.report.sentences import share_mended

MODELS = {"trees": "boosted trees", "neural": "the network", "head": "the photos' head"}
TRAININGS = {"trees": "boosted trees", "neural": "a network", "head": "a head for photos"}
NAMES = {"roc_auc": "ROC AUC", "r2": "R²", "f1": "F1", "f1_macro": "F1 (macro)"}
MANY = 5
LITTLE = 0.01
"""Of what is missing to a perfect figure: what mends less than that is called little."""


def metric_words(name: str) -> str:
    """Return a metric's name as people write it."""
    return NAMES.get(name) or name.replace("_", " ")


def plan_words(things: int, seeds: int, model: str, total: int, left: int, seconds: float) -> str:
    """Return what will be done, and about how long it takes."""
    one = f"{things} thing{'s' if things != 1 else ''}, {seeds} paired seeds"
    if not left:
        return f"{one}: all {total} trainings are done already."
    already = f", {total - left} of them done already" if left < total else ""
    return (
        f"{one}: {total} trainings of {TRAININGS.get(model, model)}{already}, about "
        f"{_time(seconds)}."
    )


def price_sentence(entry: Json, metric: Metric) -> str:
    """Return what one thing earned, and what follows from it."""
    money = entry.get("money")
    told = _in_money(entry, money) if money else _in_metric(entry, metric)
    if money:
        told += f" In {metric_words(metric.name)}: {_short(entry)}."
    others = entry.get("others")
    if others and (not money or money["verdict"] == entry["verdict"]):
        told += _elsewhere(entry, others, metric)
    return told


def in_words(record: Json) -> list[str]:
    """Return the price list's sentences: the lines, then how it was measured."""
    told = [entry["sentence"] for entry in record["things"]]
    return [*told, *_how(record)]


def _in_metric(entry: Json, metric: Metric) -> str:
    name, thing = metric_words(metric.name), _begun(entry["thing"])
    value, low, high, decimals = _figures(entry)
    if entry["verdict"] == "unclear":
        return f"{thing}: {_unclear(entry)}, {_signed(value, decimals)} of {name} {_span(entry)}."
    if entry["verdict"] == "harms":
        less = f"{_plain(-value, decimals)} ({_plain(-high, decimals)} to {_plain(-low, decimals)})"
        way = "raise" if metric.higher_is_better == (not entry["adds"]) else "lower"
        if entry["adds"]:
            return f"{thing} would harm: they would {way} {name} by {less}."
        out = f"to leave {_them(entry)} out would {way} {name} by {less}"
        return f"{thing} harm{_s(entry)}: {out}."
    size = _plain(value, decimals)
    between = f"({_plain(low, decimals)} to {_plain(high, decimals)})"
    figure = f"{size} of {name}" if metric.higher_is_better else f"{name} by {size}"
    return f"{thing} {_did(entry, metric)} {figure} {between}: {_worth(entry, metric)}."


def _figures(figure: Json) -> tuple[float, float, float, int]:
    return figure["earned"], figure["low"], figure["high"], _decimals(figure)


def _span(figure: Json) -> str:
    _, low, high, decimals = _figures(figure)
    if low != low:
        return "(no interval is known)"
    return f"({_signed(low, decimals)} to {_signed(high, decimals)})"


def _in_money(entry: Json, money: Json) -> str:
    unit, per = money["unit"], "a year" if money["per"] == "year" else "for every 1,000 cases"
    thing = _begun(entry["thing"])
    value, low, high = (money[key] for key in ("earned", "low", "high"))
    if money["verdict"] == "harms":
        less = f"({amount(-high, unit)} to {amount(-low, unit)})"
        what = f"to leave {_them(entry)} out would save" if not entry["adds"] else "would cost"
        return f"{thing} harm{_s(entry)}: {what} {amount(-value, unit)} {per} {less}."
    span = f"({amount(low, unit)} to {amount(high, unit)})"
    if money["verdict"] == "unclear":
        return f"{thing}: {_unclear(entry)}, {amount(value, unit)} {per} {span}."
    word = "would earn" if entry["adds"] else "earned"
    return f"{thing} {word} {amount(value, unit)} {per} {span}: {_worth(entry)}."


def _unclear(entry: Json) -> str:
    it = "it" if _is_one(entry) else "they"
    if entry["adds"]:
        return f"what {it} would bring cannot be told from nothing"
    return f"what {it} earned cannot be told from nothing"


def _did(entry: Json, metric: Metric) -> str:
    if metric.higher_is_better:
        return "would bring" if entry["adds"] else "earned"
    return "would lower" if entry["adds"] else "lowered"


def _worth(entry: Json, metric: Metric | None = None) -> str:
    """Return what follows; where little was earned, that it must cost little."""
    if metric is not None:
        mended = share_mended(metric.name, entry["without"], entry["with"])
        if mended is not None and mended < LITTLE:
            return f"little, so {_worth(entry)} where it costs little"
    if entry["kind"] == "corrections":
        return "worth correcting" if entry["adds"] else "worth the correcting"
    return "worth having" if entry["adds"] else "worth keeping"


def _elsewhere(entry: Json, others: Json, metric: Metric) -> str:
    """Return what the same rows earned for other rows, where that is another story."""
    if others["verdict"] == entry["verdict"] or others["low"] != others["low"]:
        return ""
    if others["verdict"] == "unclear":
        if entry["verdict"] != "earns":
            return ""
        return " That is for cases of their own kind: for others it cannot be told from nothing."
    name = metric_words(metric.name)
    low, high = sorted(abs(others[end]) for end in ("low", "high"))
    value, _, _, decimals = _figures(others)
    size = f"{_plain(abs(value), decimals)} ({_plain(low, decimals)} to {_plain(high, decimals)})"
    if others["verdict"] == "harms":
        return f" But for other cases {name} is better without them, by {size}."
    return f" For other cases they made {name} better by {size}."


def _short(entry: Json) -> str:
    return f"{_signed(entry['earned'], _decimals(entry))} {_span(entry)}"


def _how(record: Json) -> list[str]:
    rows, words = record["rows"], record["row_words"]
    model = MODELS.get(record["model"], record["model"])
    judges = (
        f"{rows['judge']:,} {words} of the validation part judged each training"
        if record["judged_by"] == "validation"
        else f"{rows['judge']:,} {words} took turns at judging, none in the training that it judged"
    )
    seeds = sorted({entry["seeds"] for entry in record["things"]})
    times = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}"
    share = rows["learn"] / max(1, rows["run_learned"])
    told = [
        f"How it was measured: {model} of this run, trained {times} times with each "
        f"thing and without it, from the same seeds; {judges}. In brackets are 95 % intervals.",
        f"With all the data: {record['means']}",
        f"Each training learned from {100 * share:.0f} of 100 {words} that the run itself learned "
        "from. The run's test part was not touched, so it stays a fair test of whatever you choose "
        "by this list.",
    ]
    count = len(record["things"])
    if count > 1:
        told.append(
            "Each thing is priced by itself: of two that tell the same, each can be done without, "
            "but not both. All are compared with the same trainings on all the data, so luck there "
            "moves all lines together."
        )
    if count >= MANY:
        told.append(
            f"Of {count} lines, one in twenty may seem sure by luck alone: what matters much "
            "should be priced again with more --seeds."
        )
    return told + [_large(note) for note in record["notes"]]


def _is_one(entry: Json) -> bool:
    return entry["count"] == 1 or (entry["kind"] == "columns" and "columns" not in entry["thing"])


def _s(entry: Json) -> str:
    return "s" if _is_one(entry) else ""


def _them(entry: Json) -> str:
    return "it" if _is_one(entry) else "them"


def _large(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _begun(words: str) -> str:
    return words[:1].upper() + words[1:] if words[:4] == "the " else words


def _decimals(figure: Json) -> int:
    """Return how many decimals a figure and its interval are told with: two that the width has."""
    width = (figure["high"] - figure["low"]) / 2
    if not width > 0:
        return 4
    return max(0, min(6, 1 - math.floor(math.log10(width))))


def _plain(value: float, decimals: int) -> str:
    """Return 0.0123, 12.3 or 1,234."""
    if value != value:
        return "?"
    said = f"{value:,.{decimals}f}"
    return said.removeprefix("-") if not said.strip("-0.,") else said.replace("-", "−")


def _signed(value: float, decimals: int) -> str:
    said = _plain(value, decimals)
    return f"+{said}" if value > 0 and said.strip("0.,") else said


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} seconds"
    minutes = seconds / 60
    return f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.1f} hours"
