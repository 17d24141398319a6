"""What suggestions are worth: how much of what was taken they named beforehand, in money.

A log tells what people took, not what they would have taken had it been shown. So this is told as
what was named beforehand, beside the simple ways, and never as a gain.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.api.money_words import amount
from treadle.api.options import FitOptions
from treadle.contracts import Json
from treadle.data.item_worth import ItemWorth
from treadle.rates import DAYS_A_YEAR, parse_rate
from treadle.report.spoken import significant
from treadle.study.money_interval import mean_interval

if TYPE_CHECKING:
    from treadle.api.event_data import EventData
    from treadle.models.ranking import Scorer

Array: TypeAlias = NDArray[Any]
CASES = 1_000.0
LEAST_DAYS = 7.0
SECONDS_A_DAY = 86_400.0
POPULAR = "recent popularity"


def event_money(
    worth: ItemWorth,
    data: EventData,
    options: FitOptions,
    ours: Scorer,
    rivals: Mapping[str, Scorer],
    k: int,
) -> Json:
    """Return result.json's "money" of suggestions, k at each test moment.

    rivals: the simple ways by name
    """
    from treadle.report.sentences import SIMPLE_WAYS

    values = worth.of(data.encoder.items)
    users = data.test.group.numpy()
    taken = _taken(data, values)
    named = _named(ours, data, values, k, options.seed)
    others = {name: _named(one, data, values, k, options.seed) for name, one in rivals.items()}
    a_year, volume = _volume(data, options)
    scale = CASES if a_year is None else a_year
    money: Json = {
        "in_money": True,
        "unit": worth.unit,
        "per": "1,000 moments" if a_year is None else "year",
        "cases": scale,
        "volume": volume,
        "suggested": k,
        "taken": float(taken.mean()) * scale,
        "shown": k * worth.shown * scale,
        "model": _figure(named, users, scale),
        "rules": [
            {
                "name": name,
                "words": SIMPLE_WAYS[name],
                **_figure(one, users, scale),
                **_more(named - one, users, scale),
            }
            for name, one in others.items()
        ],
    }
    return money | {"sentences": _sentences(money)}


def _taken(data: EventData, values: Array) -> Array:
    """Return what was taken at each test moment is worth, float64 [N]."""
    from treadle.models.ranking import relevant_items

    return np.concatenate(
        [
            relevant_items(data.test.take(chosen), len(values)).numpy() @ values
            for chosen in _chunks(len(data.test.start))
        ]
    )


def _named(scorer: Scorer, data: EventData, values: Array, k: int, seed: int) -> Array:
    """Return what k suggestions name of what is taken then is worth, float64 [N]."""
    from treadle.models.ranking import relevant_items, top_items

    codes, _ = top_items(scorer, data.test, k=k, seed=seed)
    found = []
    for chosen in _chunks(len(data.test.start)):
        relevant = relevant_items(data.test.take(chosen), len(values)).numpy()
        shown = codes[chosen].numpy()
        hit = np.take_along_axis(relevant, np.maximum(shown - 1, 0), axis=1) & (shown > 0)
        found.append((hit * values[np.maximum(shown - 1, 0)]).sum(axis=1))
    return np.concatenate(found)


def _chunks(count: int) -> Any:
    import torch

    return torch.arange(count).split(1_024)


def _figure(values: Array, users: Array, scale: float) -> Json:
    low, high = mean_interval(values, users)
    return {"value": float(values.mean()) * scale, "low": low * scale, "high": high * scale}


def _more(more: Array, users: Array, scale: float) -> Json:
    low, high = mean_interval(more, users)
    return {"more": float(more.mean()) * scale, "more_low": low * scale, "more_high": high * scale}


def _volume(data: EventData, options: FitOptions) -> tuple[float | None, str]:
    """Return how many moments a year brings, as said or as the test's own days have it."""
    if options.volume is not None:
        rate = parse_rate(options.volume, "--volume", "2,000,000 a year")
        return rate.a_year, f"{rate}, as you said"
    last = float(data.log.frame["time"].max())  # type: ignore[arg-type]
    days = (last - data.cuts[1]) / SECONDS_A_DAY
    if days < LEAST_DAYS:
        return None, ""
    a_day = len(data.test.start) / days
    return a_day * DAYS_A_YEAR, (
        f"{significant(a_day)} moments a day, as in the {days:,.0f} days of the test; --volume "
        "says otherwise"
    )


def _sentences(money: Json) -> list[str]:
    """Return what is told, what it is not first of all."""
    unit, k, ours = money["unit"], money["suggested"], money["model"]
    per = "a year" if money["per"] == "year" else "in 1,000 moments"
    popular = next(rule for rule in money["rules"] if rule["name"] == POPULAR)
    share = 100 * ours["value"] / money["taken"] if money["taken"] else 0.0
    span = f"{amount(ours['low'], unit)} to {amount(ours['high'], unit)}"
    more, low, high = (popular[key] for key in ("more", "more_low", "more_high"))
    apart = f"{amount(low, unit)} to {amount(high, unit)}"
    if low > 0:
        beside = f"That is about {amount(more, unit)} {per} more than those name ({apart})"
    elif high < 0:
        beside = f"Those name about {amount(-more, unit)} {per} more: show them instead"
    else:
        beside = f"Whether it names more than those is not sure ({apart})"
    told = [
        f"Of what people take next, worth about {amount(money['taken'], unit)} {per}, its {k} "
        f"suggestions name {amount(ours['value'], unit)} beforehand ({span}), {share:.3g} of 100; "
        f"the {k} most popular name {amount(popular['value'], unit)}.",
        f"{beside}. It is not a gain yet, since people took these without being shown them: what "
        "showing adds, only a trial tells, half of the users with suggestions and half without.",
    ]
    best = max(money["rules"], key=lambda rule: float(rule["value"]))
    if best is not popular:
        named = f"The best simple way, {best['words']}, names "
        told.append(named + f"{amount(best['value'], unit)} {per}: {_apart(best, unit)}.")
    if money["shown"] and ours["value"]:
        needed = 100 * money["shown"] / ours["value"]
        pays = (
            f"so it pays where at least {needed:.3g} of 100 of what it names are taken only "
            "because they were shown."
            if needed < 100
            else "more than all that it names is worth: showing so many does not pay."
        )
        told.append(
            f"Showing {k} at each moment costs {amount(money['shown'], unit)} {per}, {pays}"
        )
    return told


def _apart(rule: Json, unit: str) -> str:
    """Say how far these suggestions are from a simple way's."""
    more, span = rule["more"], (rule["more_low"], rule["more_high"])
    told = f"{amount(span[0], unit)} to {amount(span[1], unit)}"
    if span[0] <= 0 <= span[1]:
        return f"whether this is better is not sure ({told})"
    return f"this is {amount(abs(more), unit)} {'more' if more > 0 else 'less'} ({told})"
