"""Are reasons the true ones, do two trainings give the same, and what do they cost?

    python benchmarks/reasons/measure.py --scratch /tmp/reasons

Tables with planted causes (see planted.py), each trained twice from two seeds that part and learn
the rows differently; new rows are explained by both.

- cause: in how many rows the cause with the largest true part is among three reasons. Bar: 95 %.
- same: in how many rows both trainings name the same three, and the same first. Bar: 90 %.
- three as told: all that one names is named by the other, or said there to be about as strong as
  the last.
- first as told: the first of one is the first of the other, or said there to be about as strong.
- clear first: the same first, over rows where the truth has one: its first part is at least a fifth
  larger than its second.
- ms: processor time a row, in milliseconds.

Runs that lie in the scratch folder already are taken as they are.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from planted import CAUSES, SHAPES, TASKS, Planted, planted, true_parts

import treadle

Array = NDArray[Any]
NEW_ROWS = 300
TWINS = {"salary": "income"}


def main() -> None:
    options = _options()
    rows = []
    for task in TASKS:
        for shape in SHAPES:
            for noise in options.noise:
                row = measure(planted(task, shape, noise, options.rows + NEW_ROWS, 7), options)
                rows.append(row)
                print(json.dumps(row), flush=True)
    names = ("same three", "three as told", "same first", "first as told", "clear first")
    for name in ("cause", *names):
        values = [row[name] for row in rows]
        print(f"{name}: mean {np.mean(values):.3f}, lowest {min(values):.3f}")
    (options.scratch / "results.json").write_text(json.dumps(rows, indent=1))


def measure(one: Planted, options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one table."""
    train, new = one.frame[: options.rows], one.frame[options.rows :]
    told, seconds, scores = [], 0.0, []
    for seed in (0, 1):
        run = _run(one.name, train, seed, options)
        scores.append(run.result["metric"]["test"])
        run.predict(new[:5], reasons=3)
        begun = time.process_time()
        found = run.predict(new, reasons=3)
        seconds += time.process_time() - begun
        told.append(found)
    said = _asked(one, told[0])
    truth = true_parts(one, range(options.rows, options.rows + NEW_ROWS), said)
    size = -np.sort(-np.abs(truth), axis=1)
    clear = size[:, 0] > 1.2 * size[:, 1]
    named = [_columns_named(found) for found in told]
    cause = [CAUSES[place] for place in np.abs(truth).argmax(axis=1)]
    # of several classes each training explains the class it said: compared where they agree
    alike = (told[0]["prediction"] == told[1]["prediction"]).to_numpy()
    if "three" not in one.name:
        alike = np.ones(NEW_ROWS, bool)
    three = np.array([set(a) == set(b) for a, b in zip(*named, strict=True)])
    first = np.array([a[:1] == b[:1] for a, b in zip(*named, strict=True)])
    wider = [_about_as_much(found, names) for found, names in zip(told, named, strict=True)]
    three_as_told = np.array(
        [
            set(a) <= more_b and set(b) <= more_a
            for a, b, more_a, more_b in zip(*named, *wider, strict=True)
        ]
    )
    leads = [_leading(found, names) for found, names in zip(told, named, strict=True)]
    as_told = np.array([bool(a & b) for a, b in zip(*leads, strict=True)])
    return {
        "table": one.name,
        "test": [round(score, 4) for score in scores],
        "cause": float(np.mean([c in names for c, names in zip(cause, named[0], strict=True)])),
        "same three": float(three[alike].mean()),
        "three as told": float(three_as_told[alike].mean()),
        "same first": float(first[alike].mean()),
        "first as told": float(as_told[alike].mean()),
        "clear first": float(first[alike & clear].mean()),
        "clear rows": int(clear.sum()),
        "ms": round(1000 * seconds / 2 / NEW_ROWS, 2),
    }


def _run(table: str, train: pl.DataFrame, seed: int, options: argparse.Namespace) -> treadle.Run:
    name = f"{table} {options.rows} {options.model} {seed}".replace(" ", "-").replace(",", "")
    place = options.scratch / name
    if (place / "result.json").exists():
        return treadle.load(place)
    shutil.rmtree(place, ignore_errors=True)
    return treadle.fit(
        train,
        target="answer",
        model=options.model,
        until=options.until,
        seed=seed,
        threads=1,
        out=place,
    )


def _asked(one: Planted, told: pl.DataFrame) -> Array:
    if "number" in one.name:
        return np.zeros(NEW_ROWS, np.int64)
    if "two" in one.name:
        return np.ones(NEW_ROWS, np.int64)
    order = {"low": 0, "middle": 1, "high": 2}
    return np.array([order[name] for name in told["prediction"]])


def _columns_named(found: pl.DataFrame) -> list[list[str]]:
    """Return the columns that each row's reasons begin with; a twin counts as what it copies."""
    names = sorted([*CAUSES, *TWINS, *(c for c in found.columns if "noise" in c)], key=len)[::-1]
    rows = []
    for row in found.select(pl.col("^reason_.*$")).rows():
        begin = [next(n for n in names if text.startswith(f"{n} ")) for text in row if text]
        rows.append([TWINS.get(name, name) for name in begin])
    return rows


def _leading(found: pl.DataFrame, named: list[list[str]]) -> list[set[str]]:
    """Return the column of each row's first reason, and those that are said to be about as strong.

    Not of those that stand behind the third.
    """
    told = found.select(pl.col("^reason_.*$")).rows()
    return [
        {n for text, n in zip(row, names, strict=False) if "much as reason 1" in (text or "")}
        | set(names[:1])
        for row, names in zip(told, named, strict=True)
    ]


def _about_as_much(found: pl.DataFrame, named: list[list[str]]) -> list[set[str]]:
    """Return the columns that each row names, and those that are said to be as strong as the last.

    Those as strong as the last of the three but before it are named anyway.
    """
    tails = found["reason_3"].str.extract(r"; (.+) about as much$").fill_null("")
    return [
        set(names) | {TWINS.get(name, name) for name in tail.split(" and ") if name}
        for names, tail in zip(named, tails, strict=True)
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=8_000)
    parser.add_argument("--noise", type=int, nargs="+", default=[4, 12])
    parser.add_argument("--model", default="trees")
    parser.add_argument("--until", default="3 minutes")
    options = parser.parse_args()
    options.scratch.mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    main()
