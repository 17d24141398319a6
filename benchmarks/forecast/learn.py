"""Learn from the development half how the signs of a curve become a band.

    python benchmarks/forecast/learn.py curves.jsonl [--zoo FOLDER …] [--folds]

Prints the rows of the table that stands in src/treadle/watch/forecast_table.py: by quantile, the
weight of each sign, found by quantile regression (a linear program). --folds prints, too, how the
bands of tasks that were left out came out, within the development half. The judging half is not
looked at.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cases
import numpy as np
import scoring
from numpy.typing import NDArray
from scipy.optimize import linprog

from treadle.watch.forecast_signs import NAMES, signs

Array = NDArray[np.float64]
QUANTILES = (0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95)
MAY_LOWER = ("behind_best", "stale_half", "longer_noise", "longer_half")
MAY_LOWER += ("last_half", "last_third", "decay_noise", "decay_half", "decay_behind")
MOST_WEIGHT = 6.0
MOST_UNITS = 12.0
PENALTY = 0.001
WEIGHTS = {"zoo": 3.0, "sensible": 1.0, "odd": 0.2}
"""What a case counts: those most like real use are few; rates far off are seldom used."""


def table_of(chosen: list[cases.Case]) -> dict[float, Array]:
    """Return the weights of the signs by quantile."""
    rows, gains = zip(*(_row(case) for case in chosen), strict=True)
    weights = np.array([WEIGHTS[case.group] for case in chosen])
    arrays = np.array(rows), np.array(gains), weights / weights.sum()
    return {level: _quantile(*arrays, level) for level in QUANTILES}


def _row(case: cases.Case) -> tuple[Array, float]:
    """Return the signs and the gain, both in units of what the curve did of late."""
    found = signs(case.steps, case.values, *case.asked)
    sign = found.values[0]
    unit = found.noise + sign[1] + sign[3] + 0.003 * case.scale + 1e-9
    gain = min(max(0.0, found.best - case.truth), (1 - 1e-6) * found.room)
    share = -found.room * np.log(1 - gain / found.room) if found.room > 0 else 0.0
    return sign / unit, min(share / unit, MOST_UNITS)


def _quantile(rows: Array, gains: Array, each: Array, level: float) -> Array:
    count, width = rows.shape
    cost = np.concatenate([np.full(2 * width, PENALTY), level * each, (1 - level) * each])
    equal = np.hstack([rows, -rows, np.eye(count), -np.eye(count)])
    below = [(0.0, MOST_WEIGHT if name in MAY_LOWER else 0.0) for name in NAMES]
    bounds = [(0.0, MOST_WEIGHT)] * width + below + [(0.0, None)] * (2 * count)
    found = linprog(cost, A_eq=equal, b_eq=gains, bounds=bounds, method="highs").x
    return np.asarray(found[:width] - found[width : 2 * width])


def folds_of(chosen: list[cases.Case], count: int = 4) -> list[Any]:
    """Return (case, its band) for all, each by a table that never saw its task."""
    judged = []
    for fold in range(count):
        left = [zlib.crc32(case.name.encode()) // 8 % count == fold for case in chosen]
        table = table_of([c for c, out in zip(chosen, left, strict=True) if not out])
        judged += [scoring.judged(c, table) for c, out in zip(chosen, left, strict=True) if out]
    return judged


def development(curves: Sequence[Path], zoos: Sequence[Path]) -> list[cases.Case]:
    """Return the cases to learn from."""
    import stopping

    lines = [line for path in curves for line in cases.read(path)]
    of_zoo = [case for zoo in zoos for case in cases.of_whole(stopping.of_zoo(zoo))]
    every = [*cases.of(lines), *of_zoo]
    return [case for case in every if case.half == "development"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("curves", type=Path, nargs="+")
    parser.add_argument("--zoo", type=Path, nargs="*", default=())
    parser.add_argument("--folds", action="store_true")
    options = parser.parse_args()
    chosen = development(options.curves, options.zoo)
    table = table_of(chosen)
    tasks = len({case.name for case in chosen})
    print(f"# {len(chosen)} cases of {tasks} tasks")
    for level, weights in table.items():
        print(f"    {level}: (" + ", ".join(f"{weight + 0.0:.3g}" for weight in weights) + "),")
    if options.folds:
        scoring.tell(folds_of(chosen), "development, tasks left out")


if __name__ == "__main__":
    main()
