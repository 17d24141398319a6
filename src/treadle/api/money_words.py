"""Money in plain sentences, the class that is looked for named in each that speaks of it."""

from __future__ import annotations

from treadle.contracts import Json
from treadle.data.tables import TargetEncoder
from treadle.report.spoken import significant


def money_sentences(money: Json, target: TargetEncoder) -> list[str]:
    """Return what the model is worth, the most telling sentence first."""
    if not money["in_money"]:
        return _found_sentences(money)
    told = [_main(money), _saving(money)]
    if "outcomes" in money:
        told += [_mistakes(money), _from_where(money)]
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
            f"{against}."
        )
    if saved > 0:
        return (
            f"It saves about {amount(saved, unit)} {_per(money)} {against}, but that may be luck "
            f"({_span(low, high, unit)}): do not count on it yet."
        )
    return f"It saves nothing {against}: as the costs are, do that instead."


def _mistakes(money: Json) -> str:
    seen = {entry["outcome"]: entry for entry in money["outcomes"]}
    caught, missed, alarms = (seen[word]["rows"] for word in ("caught", "missed", "false_alarm"))
    positive = money["positive"]
    return (
        f"Of {caught + missed:,} '{positive}' in the test it finds {caught:,} and misses "
        f"{missed:,}, with {alarms:,} false alarms; a missed '{positive}' costs "
        f"{_share_of(seen['missed']['cost'], money)} and false alarms "
        f"{_share_of(seen['false_alarm']['cost'], money)} in all."
    ).replace(f"a missed '{positive}' costs", f"the missed '{positive}' cost")


def _share_of(cost: float, money: Json) -> str:
    return f"{amount(cost, money['unit'])} {_per(money)}"


def _from_where(money: Json) -> str:
    positive, threshold = money["positive"], money["threshold"]
    flagged = f"{100 * money['flagged']:.3g} of 100 cases are flagged as '{positive}'"
    if threshold is None:
        return f"{flagged}; each row has its own threshold, by what its mistakes cost."
    return f"{flagged}: those with a probability above {threshold:.3g}."


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
