"""Does a capacity of each day hold as cases come, is it used, and what is found?

    python benchmarks/worth/capacity.py --data DATA --scratch /tmp/worth

DATA holds ieee-cis/. One fit by time, whole, from the file to the money; then its answers are
chosen again for each capacity, as the fit does it. Beside what it does ("as they come"):
- one threshold for all days, from the same share of validation rows: on how many days it flags
  more than can be looked at, and how much of the capacity it uses;
- the same threshold, stopped each day when the capacity is used up;
- the best of each day, which only the day's end knows.
Costs: a missed one costs its amount, a false alarm 5. First and last days are cut by the split.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

import treadle
from treadle.api import as_answered
from treadle.api.answers import Part, answers_of
from treadle.decision import Outcomes

Array = NDArray[Any]
CAPACITIES = (5, 10, 20, 40, 80)
COST = "missed=TransactionAmt false_alarm=5"
DAY = 86_400.0


def main() -> None:
    options = _options()
    seen: dict[str, Any] = {}

    def look(goal: Any, *args: Any, **named: Any) -> Any:
        if not seen:  # the model's own answers come first, then those of a simple model
            seen.update(goal=goal, args=args, named=named)
        return answers_of(goal, *args, **named)

    as_answered.answers_of = look  # type: ignore[attr-defined]
    treadle.fit(
        _frame(options.data, options.rows),
        target="isFraud",
        time="when",
        cost=COST,
        capacity="20 a day",
        model="trees",
        threads=1,
        until=options.until,
        overwrite=True,
        out=options.scratch / "capacity",
    )
    for count in CAPACITIES:
        _print(count, seen)


def _print(count: int, seen: dict[str, Any]) -> None:
    goal = seen["goal"]
    each = goal.each.model_copy(update={"count": float(count)})
    share = goal.capacity * count / goal.each.count
    asked = goal.model_copy(update={"each": each, "capacity": share})
    answers = answers_of(asked, *seen["args"], **seen["named"])
    test: Part = seen["args"][3]
    outcomes = Outcomes.of(
        goal.costs,
        {name: test.rows[name].to_numpy() for name in goal.costs.columns},
        len(test.truth),
    )
    benefit = outcomes.benefit(answers.test[:, 1])
    assert test.moments is not None and answers.fixed_test is not None
    days = np.floor(test.moments / DAY).astype(np.int64)
    ways = {
        "as they come": answers.said_test == 1,
        "one threshold": answers.fixed_test,
        "stopped when full": _first(answers.fixed_test, days, np.argsort(test.moments), count),
        "best of each day": _first(benefit > 0, days, np.argsort(-benefit), count),
    }
    num_days = len(np.unique(days))
    print(f"{count} a day, {num_days} days, {len(days) / num_days:.0f} cases each")
    none = outcomes.paid(test.truth, np.zeros(len(test.truth), bool)).sum()
    for name, flagged in ways.items():
        a_day = np.bincount(days - days.min(), weights=flagged)
        saved = none - outcomes.paid(test.truth, flagged).sum()
        print(
            f"  {name:18} over on {(a_day > count).mean():4.0%} of days, most {a_day.max():3.0f}, "
            f"used {a_day[1:-1].mean() / count:5.1%}, found {test.truth[flagged].sum():4.0f} of "
            f"{test.truth.sum():.0f}, saved {saved:,.0f}",
            flush=True,
        )


def _first(wanted: Array, days: Array, order: Array, count: int) -> Array:
    """Return the first so many of each day, in an order."""
    found, used = np.zeros(len(days), bool), dict.fromkeys(np.unique(days).tolist(), 0)
    for row in order[wanted[order]]:
        day = int(days[row])
        if used[day] < count:
            used[day] += 1
            found[row] = True
    return found


def _frame(data: Path, rows: int) -> pl.DataFrame:
    frame = pl.read_parquet(data / "ieee-cis" / "ieee-cis.parquet")
    kept = np.sort(np.random.default_rng(0).permutation(frame.height)[:rows])
    start = pl.lit("2017-12-01").str.to_datetime()  # the column counts seconds from some day on
    return (
        frame[kept]
        .with_columns(when=start + pl.duration(seconds=pl.col("TransactionDT")))
        .drop("TransactionDT", "TransactionID")
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--until", default="1 minute")
    return parser.parse_args()


if __name__ == "__main__":
    main()
