"""Fit the trees of a run on more and more rows, and keep what they come to.

    python benchmarks/collect/curves.py --data DATA --more MORE --out curves --seeds 3

One file a table and seed: what each fit answers on validation rows. A case of judge.py is a number
of rows n in the user's hands: fits on an eighth, a quarter and a half of them (four, four and two
of different rows) and on all, measured on as many validation rows as a user with n has; and fits
on twice as many: on the n rows and the n next to them, and on the n rows and other n. Fits are
shared between the n of a table and seed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from tables import NAMES, table

from treadle.api.deciding import deciding
from treadle.api.fewer_rows import on_rows, shuffled
from treadle.api.options import FitOptions
from treadle.api.place import Place
from treadle.api.table_data import TableData, prepare, read_table
from treadle.api.table_members import Beside, fit_trees, tree_settings
from treadle.api.training import Observer
from treadle.api.tune_table import shorter_trees
from treadle.folder import RunFolder
from treadle.loop.journal import Journal
from treadle.loop.until import StopCondition

Array = NDArray[Any]
SIZES = (256, 512, 1024, 2048, 4096)
FRACTIONS = ((8, 4), (4, 4), (2, 2), (1, 1))
"""(the part of n, how many of them)"""

VALIDATION_SHARE, FEWEST_VALIDATION = 15 / 70, 60
MOST_TWICE = 1024
LENGTH = 0.2


def main() -> None:
    asked = _options()
    asked.out.mkdir(parents=True, exist_ok=True)
    for seed in range(asked.first, asked.first + asked.seeds):
        for name in asked.tables or NAMES:
            place = asked.out / f"{name}-{seed}.npz"
            if place.exists():
                continue
            found = table(name, {"data": asked.data, "more": asked.more}, seed)
            if found is None:
                print(f"left out, as its file is not there: {name}")
                continue
            began = time.monotonic()
            arrays = curves(*found, seed=seed, most=asked.most)
            np.savez_compressed(place, **arrays)
            print(
                f"{name:14} {seed} {len(arrays)} fits, {time.monotonic() - began:.0f} s", flush=True
            )


def curves(frame: pl.DataFrame, target: str, *, seed: int, most: int) -> dict[str, Any]:
    """Return the answers of all fits of one table and seed, by the stretch of rows they had."""
    options = FitOptions.of({"target": target, "engine": "eager", "seed": seed, "threads": 1})
    data = prepare(options, read_table(options, frame))
    chain = Chain(data, options, np.concatenate(shuffled(data, options, seed)))
    sizes = [rows for rows in SIZES if 2 * rows <= min(len(chain.pool), 2 * most)]
    wanted = {stretch: None for rows in sizes for stretch in stretches(rows, len(chain.pool))}
    held = held_rows(sizes[-1])
    order = np.random.default_rng(0).permutation(len(data.split.validation))[:held]
    found = {"-".join(map(str, one)): chain.fit(one)[order].astype(np.float32) for one in wanted}
    task = np.array(data.target.task)
    return found | {
        "truth": data.truth("validation")[order],
        "task": task,
        "sizes": np.array(sizes),
    }


def held_rows(rows: int) -> int:
    """Return on how many validation rows a user with so many train rows measures."""
    return max(FEWEST_VALIDATION, int(rows * VALIDATION_SHARE))


def parts(rows: int) -> list[tuple[int, ...]]:
    """Return the stretches of the first `rows` rows that are fitted."""
    return [
        ((rows // part) * i, (rows // part) * (i + 1))
        for part, count in FRACTIONS
        for i in range(count)
    ]


def truths(rows: int, available: int) -> list[tuple[int, ...]]:
    """Return the stretches of twice as many rows."""
    again = 3 * rows <= available and rows <= MOST_TWICE
    return [(0, 2 * rows), *([(0, rows, 2 * rows, 3 * rows)] if again else [])]


def stretches(rows: int, available: int) -> list[tuple[int, ...]]:
    return [*parts(rows), *truths(rows, available)]


class Chain:
    """The fits of a table and seed."""

    def __init__(self, data: TableData, options: FitOptions, pool: Array) -> None:
        self.data, self.options, self.pool = data, options, pool

    def fit(self, stretch: tuple[int, ...]) -> Array:
        borders = np.array(stretch).reshape(-1, 2)
        rows = np.sort(np.concatenate([self.pool[a:b] for a, b in borders]))
        data = on_rows(self.data, rows, self.options)
        settings = shorter_trees(tree_settings(data, self.options), LENGTH)
        with tempfile.TemporaryDirectory() as place:
            folder = RunFolder.create(Path(place) / "fit")
            where = Place(
                folder=folder,
                journal=Journal(folder.path),
                begun=False,
                observer=Observer(),
                threads=1,
            )
            judge, never = deciding(self.options, data), StopCondition.never()
            member = fit_trees(data, self.options, judge, never, where, Beside("trees", settings))
        return member.validation


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--more", type=Path, default=Path("none"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tables", nargs="*")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--most", type=int, default=4096)
    return parser.parse_args()


if __name__ == "__main__":
    main()
