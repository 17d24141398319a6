"""What a price list says beside what is true: signs, and how often the interval holds the truth.

    python -m benchmarks.price.measure --data FOLDER --scratch FOLDER [--tables adult] [--draws 2]

For each table a run learns from few rows, and a price list of seven planted things is made of it,
as `treadle worth-of` does, and four more of other seeds and turns. The truth of each is the mean
over all seeds but the list's own, measured on many rows of the same kind that no model sees.
Results are kept a line a case in --scratch/cases.jsonl; --judge alone reads them again.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from benchmarks.price.planted import TABLES, Table, frame_of, planted, things_of

Case: TypeAlias = "dict[str, Any]"

ROWS, RESERVE = 2_400, 6_000
TURNS, TRUTH_SEEDS = 5, 20
FIRST_SEED = 1_000
KEPT = ("earned", "low", "high", "verdict", "by_seed", "by_rows", "by_seeds", "others")


def cases_of(table: Table, draw: int, data: Path, scratch: Path, seeds: int) -> list[Case]:
    """Fit one table, price what is planted in it several times, and measure what is true."""
    import treadle
    from treadle.api.pricing.asked import Asking
    from treadle.api.pricing.table import table_ground
    from treadle.api.worth_of import worth_of

    place = scratch / f"{table.name}-{draw}"
    place.mkdir(parents=True, exist_ok=True)
    whole = frame_of(table, ROWS + RESERVE, data, seed=draw)
    planted(table, whole[:ROWS], draw).write_csv(place / "main.csv")
    planted(table, whole[ROWS:], draw + 500).write_csv(place / "reserve.csv")
    run = place / "run"
    if not (run / "result.json").is_file():
        treadle.fit(
            str(place / "main.csv"),
            target=table.target,
            test=[str(place / "reserve.csv")],
            ignore=["supplier"],
            model="trees",
            lr=0.1,
            threads=1,
            engine="eager",
            out=str(run),
            overwrite=True,
        )
    asked = things_of(table)
    record = worth_of(run, without=asked, seeds=seeds)
    ground = table_ground(treadle.load(run).folder)
    things, _ = ground.learner.things(Asking(without=tuple(asked)))
    lists = [{entry["key"]: entry for entry in record["things"]}]
    reached, more = others_of(ground, things, place / "truth")
    found = []
    for number, told in enumerate([*lists, *more]):
        own = set(range((number - 1) * TURNS, number * TURNS)) if number else set()
        for text, thing in zip(asked, things, strict=True):
            kept = [at for at in range(TRUTH_SEEDS) if at not in own]
            off = reached["whole"][kept] - reached[thing.key][kept]
            known = {"table": table.name, "draw": draw, "list": number, "thing": text}
            truth = {
                "metric": ground.metric.name,
                "truth": float(off.mean()),
                "truth_error": float(off.std(ddof=1) / math.sqrt(len(off))),
            }
            found.append(known | truth | {key: told[thing.key].get(key) for key in KEPT})
    return found


def others_of(
    ground: Any, things: list[Any], place: Path
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what each side reaches on reserved rows, by seed, and the price lists of those seeds.

    Each fork is judged by the rows of its turn, for a list, and by reserved rows, for the truth.
    """
    from treadle.api.pricing.fork import Judged, fit_fork, is_done, judged
    from treadle.api.pricing.judge import Judge
    from treadle.api.training import Observer
    from treadle.study.turns import Turn

    reserve = ground.split.test
    truth, sign = ground.truth(reserve), 1.0 if ground.metric.higher_is_better else -1.0
    reached: dict[str, Any] = {}
    lists = []
    turns = ground.turns(TURNS + TRUTH_SEEDS)[TURNS:]  # other turns than the first list's
    for start in range(0, TRUTH_SEEDS, TURNS):
        judge = Judge(ground, turns[start : start + TURNS], place)
        for number in range(start, start + TURNS):
            turn, sides = turns[number], (None, *things)
            both = np.concatenate([turn.judge, reserve])
            apart = Turn(learn=turn.learn, choose=turn.choose, judge=both)
            for thing in sides:
                key = thing.key if thing else "whole"
                where = place / f"seed-{number}" / key
                if not is_done(where):
                    fit_fork(ground, where, apart, FIRST_SEED + number, thing, Observer())
                said = judged(where).predicted
                split = len(turn.judge)
                judge._said[key, number - start] = Judged(predicted=said[:split], paid=said[:0])
                value = sign * ground.metric(truth, said[split:])
                reached.setdefault(key, []).append(value)
        lists.append({entry["key"]: entry for entry in judge.entries(things)})
    return {key: np.array(values) for key, values in reached.items()}, lists


def judge(cases: list[Case]) -> dict[str, Any]:
    """Return how often intervals hold the truth, and what verdicts are worth."""
    known = [case for case in cases if case["low"] == case["low"]]
    held = [case["low"] <= case["truth"] <= case["high"] for case in known]
    sure = [case for case in known if case["verdict"] != "unclear"]
    right = [math.copysign(1, case["truth"]) == math.copysign(1, case["earned"]) for case in sure]
    clear = [case for case in known if _is_clear(case)]
    found = [case["verdict"] != "unclear" for case in clear]
    planted_by = {
        thing: _by(known, thing) for thing in ("supplier=B", "supplier=C", "supplier=D", "noise")
    }
    return {
        "cases": len(known),
        "held": float(np.mean(held)),
        "sure": len(sure),
        "sure_of_right_sign": float(np.mean(right)) if right else None,
        "clear": len(clear),
        "clear_found": float(np.mean(found)) if found else None,
        "by_thing": planted_by,
    }


def _is_clear(case: Case) -> bool:
    """Tell whether a truth lies so far from nothing that its sign could be told."""
    return bool(abs(case["truth"]) > (case["high"] - case["low"]) / 2)


def _by(cases: list[Case], thing: str) -> dict[str, Any]:
    some = [case for case in cases if case["thing"] == thing]
    verdicts = [case["verdict"] for case in some]
    return {
        "cases": len(some),
        "truths_above_nothing": sum(case["truth"] > 0 for case in some),
        **{verdict: verdicts.count(verdict) for verdict in ("earns", "unclear", "harms")},
    }


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--data", type=Path, default=Path("data"))
    ask.add_argument("--scratch", type=Path, default=Path("scratch"))
    ask.add_argument("--tables", default="")
    ask.add_argument("--draws", type=int, default=1)
    ask.add_argument("--seeds", type=int, default=5)
    ask.add_argument("--judge", action="store_true", help="only judge what is there")
    given = ask.parse_args()
    kept = given.scratch / "cases.jsonl"
    lines = kept.read_text().splitlines() if kept.is_file() else []
    cases = [json.loads(line) for line in lines]
    done = {(case["table"], case["draw"]) for case in cases}
    for draw in range(0 if given.judge else given.draws):
        for table in TABLES:
            wanted = not given.tables or table.name in given.tables.split(",")
            if not wanted or (table.name, draw) in done:
                continue
            found = cases_of(table, draw, given.data, given.scratch, given.seeds)
            with kept.open("a") as file:
                file.writelines(json.dumps(case) + "\n" for case in found)
            cases += found
            print(json.dumps(judge(cases)), flush=True)
    print(json.dumps(judge(cases), indent=1))


if __name__ == "__main__":
    main()
