"""Events: which item comes next? Made-up shoppers who follow a series, and sometimes wander off.

    python examples/events.py

What was planted in the data bounds what can be found: seven times in ten the next item of a series
follows, and the rest is chance. More than that would mean that the future leaked into the past.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

import treadle

NUM_USERS, NUM_ITEMS = 400, 80
FOLLOWS = 0.7
FLOOR = 0.5  # the next item comes first in the list; guessing: 1 of 80
CEILING = 0.8


def log(seed: int = 0) -> pl.DataFrame:
    """Return who took what and when, in the order of time."""
    random = np.random.default_rng(seed)
    rows = []
    for user in range(NUM_USERS):
        day = float(random.uniform(0, 200))
        item = int(random.integers(NUM_ITEMS))
        for _ in range(int(random.integers(6, 18))):
            rows.append((f"user {user}", f"part {item}", round(1.7e9 + day * 86_400)))
            stays = random.random() < FOLLOWS
            item = (item + 1) % NUM_ITEMS if stays else int(random.integers(NUM_ITEMS))
            day += float(random.exponential(3.0))
    return pl.DataFrame(rows, schema=["user", "item", "time"], orient="row").sort("time")


def main(folder: Path) -> float:
    run = treadle.fit(log(), kind="events", metric="hit@1", until="20 seconds", out=folder / "run")
    first: float = run.result["metric"]["test"]
    baseline = run.result["baseline"]
    print(f"the next item is the first suggestion for {first:.1%}; "
          f"{baseline['name']}: {baseline['test']:.1%}")  # fmt: skip
    print(run.predict(log().head(60)).head(3))
    return first


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        first = main(Path(folder))
    if not FLOOR < first < CEILING:
        sys.exit(f"hit@1 is {first:.3f}; between {FLOOR} and {CEILING} was expected.")
