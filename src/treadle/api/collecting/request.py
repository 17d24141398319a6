"""What is asked of whoever collects: which examples, how many, why, and by when; as JSON."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

from treadle.api.collecting.fits import PartGain
from treadle.api.collecting.ground import Ground
from treadle.api.collecting.inflow import Inflow, share_of, when
from treadle.api.collecting.words import (
    Forecast,
    Verdict,
    gain_words,
    in_words,
    sorted_gains,
    wanted_to_judge,
)
from treadle.contracts import Json
from treadle.study.part_gain import Part

MOST_ASKED = 2


def request_of(
    ground: Ground,
    verdict: Verdict,
    now: float,
    twice: Forecast,
    gains: list[PartGain],
    thin: list[Part],
    inflow: Inflow | None,
    today: date,
) -> Json | None:
    """Return the request; None where nothing that was measured is worth asking for."""
    best = sorted_gains(gains)[:MOST_ASKED]
    few = thin[: MOST_ASKED - len(best)]
    if verdict == "hardly" and not best and not few:
        return None
    wanted = [_of_part(ground, one, inflow, today) for one in best]
    wanted += [_of_few(ground, one, inflow, today) for one in few]
    if verdict != "hardly":
        wanted.append(_of_all(ground, verdict, now, twice, inflow, today))
    part = next(iter([one.part for one in best] + few), None)
    return {
        "title": f"Please collect {wanted[0]['count']:,} more {wanted[0]['what']}",
        "about": _about(ground),
        "wanted": wanted,
        "example": asdict(ground.example(part)),
        "example_of": "" if part is None else part.where,
        "rules": _rules(ground),
        "date": today.isoformat(),
    }


def _about(ground: Ground) -> str:
    target = ground.facts.get("target") or ""
    learns = {
        "images": "to tell what kind of thing a photo shows",
        "events": "to suggest what somebody will want next",
    }.get(ground.kind, f"to predict '{target}' from the other columns")
    return (
        f"A computer program has learned {learns}, from {ground.num_rows:,} examples whose answer "
        "is known. It learns from examples alone: what it has seen too little of, it gets wrong."
    )


def _of_part(ground: Ground, one: PartGain, inflow: Inflow | None, today: date) -> Json:
    count = len(one.part.train)
    own = share_of(inflow, count / ground.num_rows)
    return {
        "what": f"{_noun(ground)}s {one.part.where}",
        "count": count,
        "why": f"There are only {count:,} such {_noun(ground)}s so far. With as many again "
        f"{gain_words(ground, one)}.",
        "when": when(count, own, today),
    }


def _of_few(ground: Ground, part: Part, inflow: Inflow | None, today: date) -> Json:
    """Ask for so many of a rare part that it can be seen how good the answers for it are."""
    rows, count = len(part.train), wanted_to_judge(part, ground)
    return {
        "what": f"{_noun(ground)}s {part.where}",
        "count": count,
        "why": f"There are only {rows:,} such {_noun(ground)}s to learn from so far: so few that "
        "it cannot even be told how good the answers for them are. How much better they would get "
        "is not known.",
        "when": when(count, share_of(inflow, rows / ground.num_rows), today),
    }


def _of_all(
    ground: Ground,
    verdict: Verdict,
    now: float,
    twice: Forecast,
    inflow: Inflow | None,
    today: date,
) -> Json:
    count = ground.num_rows
    sure = "" if verdict == "helps" else " It may help a little; that is not sure."
    return {
        "what": f"{_noun(ground)}s of every kind, as they come",
        "count": count,
        "why": f"With twice the {_noun(ground)}s, {in_words(ground, now, twice)}.{sure}",
        "when": when(count, inflow, today),
    }


def _noun(ground: Ground) -> str:
    return {"row": "example"}.get(ground.noun, ground.noun)


def _rules(ground: Ground) -> list[str]:
    filled = {
        "images": "Take photos as the existing ones were taken: same camera, distance and light.",
        "events": "Keep who, what and when for every event, as so far.",
    }.get(ground.kind, "Fill in the same columns, in the same way and the same units.")
    if ground.kind == "events":
        return [filled, "Take all events of a person, not the interesting ones alone."]
    return [
        filled,
        "Write down the true answer, by the same rule as so far. If unsure, leave the example out.",
        "Take them as they come: do not pick the easy ones, and no copies of ones that are there.",
    ]


def part_of(found: PartGain) -> Json:
    """Return one part's figures as collect.json has them."""
    return {
        "where": found.part.where,
        "rows": len(found.part.train),
        "measured_on": len(found.part.validation),
        "now": found.wrong,
        "gain": asdict(found.by),
        "finer": asdict(found.finer),
        "everywhere": asdict(found.everywhere),
        "helps": found.helps,
    }
