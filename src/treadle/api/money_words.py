"""Money in plain sentences, the class that is looked for named in each that speaks of it."""

from __future__ import annotations

from treadle.contracts import Json
from treadle.data.tables import TargetEncoder
from treadle.report.spoken import significant

SIMPLE = "a simple model"
SAME_MODEL = "the same model"
UNMOVED = f"{SAME_MODEL}, its numbers not moved"


def money_sentences(money: Json, target: TargetEncoder) -> list[str]:
    """Return what the model is worth, the most telling sentence first."""
    if not money["in_money"]:
        return [*_found_sentences(money), *_each_sentences(money)]
    told = [_main(money), _saving(money), *_beside_simple(money)]
    if "outcomes" in money:
        told += [_mistakes(money), _from_where(money), *_each_sentences(money)]
    if money.get("pairs"):
        most = money["pairs"][0]
        told.append(
            f"What costs most is a '{most['true']}' taken for '{most['said']}': about "
            f"{amount(most['cost'], money['unit'])} {_per(money)}."
        )
    if target.task == "number":
        told.append(
            "`prediction` is moved to where errors cost least; `expected` is what is foretold, and "
            "the other figures of this run speak of it."
            if _is_moved(money)
            else "`prediction` is what is foretold, as is `expected`: to move it was not cheaper."
        )
    return told


def amount(value: float, unit: str) -> str:
    """Return money with three digits that count: 41,200, €12.3 million."""
    size = abs(value)
    if size >= 1e6:
        said = f"{significant(size / 1e6, 3)} million"
    else:
        said = significant(size, 3)
    return f"{'−' if value < 0 and said != '0' else ''}{unit}{said}"


def _per(money: Json) -> str:
    return "a year" if money["per"] == "year" else "for every 1,000 cases"


def _span(low: float, high: float, unit: str) -> str:
    return f"{amount(low, unit)} to {amount(high, unit)}"


def _main(money: Json) -> str:
    ours, rules, unit = money["model"], _without(money), money["unit"]
    what = "mistakes cost" if _only_mistakes(money) else "cases cost"
    span = _span(ours["low"], ours["high"], unit)
    if ours["cost"] >= 0 and min(float(rule["cost"]) for rule in rules) >= 0:
        others = " or ".join(f"{amount(rule['cost'], unit)} ({rule['name']})" for rule in rules)
        return (
            f"With this model {what} about {amount(ours['cost'], unit)} {_per(money)} "
            f"({span}); without it, {others}."
        )
    others = " or ".join(f"a {_balance(rule['cost'], unit)} ({rule['name']})" for rule in rules)
    return (
        f"With this model the balance {_per(money)} is a {_balance(ours['cost'], unit)} "
        f"(as a cost: {span}); without it, {others}."
    )


def _without(money: Json) -> list[Json]:
    """Return the ways to do without the model."""
    return [rule for rule in money["rules"] if rule["without_model"]]


def _only_mistakes(money: Json) -> bool:
    """Tell whether nothing but mistakes costs or brings anything."""
    right = ("caught", "passed")
    return all(not e["cost"] for e in money.get("outcomes", ()) if e["outcome"] in right)


def _balance(cost: float, unit: str) -> str:
    return f"{'cost' if cost >= 0 else 'gain'} of {amount(abs(cost), unit)}"


def _saving(money: Json) -> str:
    """Say what the model saves against the cheapest way without it, and whether that is sure."""
    best = min(_without(money), key=lambda rule: float(rule["cost"]))
    saved, low, high = best["saved"], best["saved_low"], best["saved_high"]
    is_majority = best["name"].endswith(money.get("majority", "-"))
    rule = f"{best['name']}{', the majority rule' if is_majority else ''}"
    unit, against = money["unit"], f"against the cheapest way without it: {rule}"
    if low > 0:
        return (
            f"So it saves about {amount(saved, unit)} {_per(money)} ({_span(low, high, unit)}) "
            f"{against}{_of_that(money, saved)}."
        )
    if saved > 0:
        return (
            f"It saves about {amount(saved, unit)} {_per(money)} {against}, but that may be luck "
            f"({_span(low, high, unit)}): do not count on it yet{_of_that(money, saved)}."
        )
    return f"It saves nothing {against}: as the costs are, do that instead."


def _of_that(money: Json, saved: float) -> str:
    """Say how much of the saving a simple model brings as well."""
    rule = _simple(money)
    if rule is None or saved <= rule["saved"]:
        return ""
    told = f"; a simple model would save {amount(saved - rule['saved'], money['unit'])}"
    return f"{told} of that" if rule["saved"] > 0 else told


def _is_moved(money: Json) -> bool:
    """Return whether the answers differ from what is foretold in what they cost."""
    unmoved = (rule for rule in money["rules"] if rule["name"] == UNMOVED)
    return any(rule["saved"] or rule["saved_low"] or rule["saved_high"] for rule in unmoved)


def _simple(money: Json) -> Json | None:
    return next((rule for rule in money["rules"] if rule["name"] == SIMPLE), None)


def _beside_simple(money: Json) -> list[str]:
    """Say what the model saves beside a simple one of the same data."""
    rule = _simple(money)
    if rule is None:
        return []
    saved, low, high, unit = rule["saved"], rule["saved_low"], rule["saved_high"], money["unit"]
    cost = float(rule["cost"])
    come = f"would cost about {amount(cost, unit)} {_per(money)}"
    if min(cost, float(money["model"]["cost"])) < 0:
        come = f"would come to a {_balance(cost, unit)} {_per(money)}"
    begin = f"{money['simple']}, its answers chosen for the same costs, {come}"
    if not saved:
        more = "this one costs as much."
    elif low > 0:
        more = f"this one saves about {amount(saved, unit)} more ({_span(low, high, unit)})."
    elif high < 0:
        more = (
            f"that is {amount(-saved, unit)} better ({_span(-high, -low, unit)}): as the costs "
            "are, the simple model is the better choice."
        )
    else:
        better = "better" if saved > 0 else "worse"
        more = (
            f"this one is about {amount(abs(saved), unit)} {better}, which may be luck "
            f"({_span(low, high, unit)})."
        )
    return [f"{begin}: {more}"]


def _each_sentences(money: Json) -> list[str]:
    """Say whether a capacity held in each period, how it was used, and what one line would do."""
    each = money.get("each")
    if not each:
        return []
    unit, count, fixed = each["unit"], each["count"] * each["sampled"], each["fixed"]
    over = (
        f"No {unit} of the {each['periods']:,} in the test"
        if not each["over"]
        else f"{each['over']:,} of the {each['periods']:,} {unit}s in the test"
    )
    mean = significant(each["mean"])
    told = f"{over} had more than {_plain(count)} flagged; on average it is {mean}"
    if each["sampled"] != 1:
        told += (
            f" (the data hold {100 * each['sampled']:.3g} of 100 cases of your volume, so "
            f"{_plain(count)} stand for {_plain(each['count'])})"
        )
    if fixed["over"]:
        return [
            f"{told}. One threshold for all {unit}s would have flagged more than that on "
            f"{fixed['over']:,} of them, up to {fixed['most']:,}."
        ]
    return [f"{told}."]


def _plain(count: float) -> str:
    return f"{count:,.0f}" if count == round(count) else significant(count)


def _mistakes(money: Json) -> str:
    seen = {entry["outcome"]: entry for entry in money["outcomes"]}
    caught, missed, alarms = (seen[word]["rows"] for word in ("caught", "missed", "false_alarm"))
    lost, wasted = (amount(seen[word]["cost"], money["unit"]) for word in ("missed", "false_alarm"))
    when = "In a year" if money["per"] == "year" else "In 1,000 cases"
    return (
        f"In the test it found {caught:,} of {caught + missed:,} '{money['positive']}', with "
        f"{alarms:,} false alarms. {when} the missed ones cost about {lost} and the false alarms "
        f"about {wasted}."
    )


def _from_where(money: Json) -> str:
    positive, threshold = money["positive"], money["threshold"]
    flagged = f"{100 * money['flagged']:.3g} of 100 cases are flagged as '{positive}'"
    if money["capacity"] is not None:
        return f"{flagged}{_with_more_room(money)}"
    if threshold is None:
        return f"{flagged}; each row has its own threshold, by what its mistakes cost."
    return f"{flagged}: those for which it is more than {100 * threshold:.3g} % likely."


def _with_more_room(money: Json) -> str:
    """Say what room for twice as many would bring."""
    more = money.get("twice")
    if more is None or more <= 0:
        return "."
    return (
        f"; with room for twice as many, mistakes would cost about {amount(more, money['unit'])} "
        f"{_per(money)} less."
    )


def _found_sentences(money: Json) -> list[str]:
    """Return what a capacity alone brings: how many are found."""
    seen = {entry["outcome"]: entry for entry in money["outcomes"]}
    caught, missed = seen["caught"]["rows"], seen["missed"]["rows"]
    positive = money["positive"]
    flagged = caught + seen["false_alarm"]["rows"]
    share = 100 * caught / max(1, caught + missed)
    by_luck = 100 * money["flagged"]
    told = [
        f"Looking at {by_luck:.3g} of 100 cases finds {share:.3g} of 100 '{positive}'; as many "
        f"taken at random would find {by_luck:.3g}.",
        f"In the test {flagged:,} cases are flagged as '{positive}' and {caught:,} of them are.",
    ]
    if money["per"] == "year":
        told.append(
            f"That is about {amount(seen['caught']['cases'], '')} '{positive}' found a year, and "
            f"{amount(seen['missed']['cases'], '')} missed."
        )
    return told
