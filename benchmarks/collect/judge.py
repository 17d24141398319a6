"""Do the bands of "with twice the data" hold, and are they narrow? Judge what curves.py kept.

    python benchmarks/collect/judge.py CURVES [--metric NAME] [--choose]

A case: one table, seed and number of rows n. The truth: what one training on 2n rows comes to, on
the validation rows that a user with n has. Bands are of 80 %, judged by how many hold, and by the
interval score (Gneiting and Raftery 2007, equation 43), in units of the standard error of the
metric over validation rows (so that noisy cases do not count for all others), and of the loss on n
rows. The beliefs of the method (study/data_size.py) were chosen on one half of the tables and
judged on the other, and the other way around; what ships lies between the two choices. Compared
with saying that nothing changes:

    refits      the last value ± 1.28 × the noise of a training, as those on parts of the rows show
    rows        the last value ± 1.28 × its standard error over validation rows (the bootstrap)
    stretched   refits, but as wide as holds 80 % on the half that chose
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from curves import held_rows, parts, truths
from numpy.typing import NDArray
from tables import FIRST_HALF

from treadle.api.bootstrap import drawn_values
from treadle.contracts import Task
from treadle.goal import DEFAULT, METRICS, Metric, metric_named
from treadle.study.data_size import SURE, Beliefs, curve_of, loss_of

Floats = NDArray[np.float64]
Interval = tuple[float, float]
Z = 1.2816

BY_FIRST = Beliefs(power=0.45, power_spread=0.25, noise_power=1.0, bend=0.3, width=1.05)
BY_SECOND = Beliefs(power=0.3, power_spread=0.4, noise_power=1.25, bend=0.8, few=0.0, width=1.0)
"""What was chosen (--choose) on the first half of the tables, and on the second."""


@dataclass(frozen=True)
class Case:
    """points: (rows, loss) of each fit; truth: losses on twice as many; error: the standard error
    of the loss over validation rows, of the fit on all n rows."""

    table: str
    seed: int
    rows: int
    points: tuple[tuple[int, float], ...]
    truth: tuple[float, ...]
    error: float

    @property
    def last(self) -> float:
        """The loss on all n rows."""
        return self.points[-1][1]

    @property
    def noise(self) -> float:
        """The spread of fits on all n rows, from fits repeated on fewer: variance as 1/rows."""
        groups = defaultdict(list)
        for rows, loss in self.points:
            groups[rows].append(loss * (rows / self.rows) ** 0.5)
        repeated = [np.array(group) for group in groups.values() if len(group) > 1]
        squares = sum(float(((group - group.mean()) ** 2).sum()) for group in repeated)
        return float((squares / sum(len(group) - 1 for group in repeated)) ** 0.5)


def cases(folder: Path, name: str = "") -> list[Case]:
    """Return the cases of the default metric, or of a named one where the task has it."""
    found = []
    for place in sorted(folder.glob("*.npz")):
        arrays = dict(np.load(place))
        task = cast("Task", str(arrays["task"]))
        if name and task not in METRICS[name].tasks:
            continue
        metric = metric_named(name or DEFAULT[task], task)
        table, seed = place.stem.rsplit("-", 1)
        each = (_case(table, int(seed), int(rows), arrays, metric) for rows in arrays["sizes"])
        found += [case for case in each if case is not None]
    return found


def _case(table: str, seed: int, rows: int, arrays: dict[str, Any], metric: Metric) -> Case | None:
    held = held_rows(rows)
    truth = arrays["truth"][:held]
    if metric.needs != "values" and len(np.unique(truth)) < 2:
        return None  # no case of the rarer class: nothing can be measured

    def loss(stretch: tuple[int, ...]) -> float:
        return loss_of(metric, metric(truth, arrays["-".join(map(str, stretch))][:held]))

    known = {tuple(map(int, key.split("-"))) for key in arrays if "-" in key}
    said = arrays[f"0-{rows}"][:held]
    drawn = drawn_values([metric], truth, said, draws=100, seed=0)[metric.name]
    points = tuple((part[1] - part[0], loss(part)) for part in parts(rows))
    twice = tuple(loss(stretch) for stretch in truths(rows, 10**9) if stretch in known)
    return Case(table, seed, rows, points, twice, float(np.nanstd(drawn)))


def bands(found: Sequence[Case], beliefs: Beliefs) -> list[Interval]:
    """Return the band of each case, in losses."""
    each = [_curve(case, beliefs).band(2) for case in found]
    return [(band.low, band.high) for band in each]


def _curve(case: Case, beliefs: Beliefs) -> Any:
    rows, losses = zip(*case.points, strict=True)
    return curve_of(rows, losses, case.error, beliefs)


def holds(found: Sequence[Case], intervals: Sequence[Interval]) -> NDArray[np.bool_]:
    """Return in which cases the interval holds the truth."""
    pairs = zip(found, intervals, strict=True)
    return np.array([low <= case.truth[0] <= high for case, (low, high) in pairs])


def scores(found: Sequence[Case], intervals: Sequence[Interval], unit: str = "error") -> Floats:
    """Return the interval scores: the width, and ten times what the interval misses by."""
    told = []
    for case, (low, high) in zip(found, intervals, strict=True):
        miss = max(low - case.truth[0], 0.0) + max(case.truth[0] - high, 0.0)
        scale = max(case.error, 1e-3 * case.last) if unit == "error" else max(case.last, case.error)
        told.append((high - low + 2 / (1 - SURE) * miss) / scale)
    return np.array(told)


DIALS: dict[str, tuple[float, ...]] = {
    "floor": (0.0, 0.15, 0.3, 0.5, 0.7),
    "bend": (0.3, 0.5, 0.8, 1.2),
    "noise": (0.5, 0.7, 1.0, 1.4),
    "noise_spread": (0.6, 1.0),
    "noise_power": (0.75, 1.0, 1.25, 1.5),
    "drop": (0.1, 0.2, 0.3, 0.5),
    "power": (0.1, 0.2, 0.3, 0.45),
    "power_spread": (0.25, 0.4, 0.6, 0.9),
    "carry": (0.5, 1.0),
    "few": (0.0, 150.0, 300.0, 600.0, 1200.0),
}
WIDTHS = (0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.3, 1.4)


def choose(found: Sequence[Case], rounds: int = 2) -> Beliefs:
    """Return the beliefs under which what came was likeliest, one dial after the other."""
    best = Beliefs()
    most = _likelihood(found, best)
    for _ in range(rounds):
        for dial, values in DIALS.items():
            for value in values:
                tried = replace(best, **{dial: value})
                if tried != best and (likely := _likelihood(found, tried)) > most + 5e-4:
                    best, most = tried, likely
            print(f"{dial} {getattr(best, dial)}: {most:.4f}", flush=True)
    return best


def wide_enough(found: Sequence[Case], beliefs: Beliefs) -> Beliefs:
    """Return the beliefs with the width at which most nearly 80 % of the bands hold."""
    plain = replace(beliefs, width=1.0)
    tried = [replace(plain, width=width) for width in WIDTHS]
    return min(tried, key=lambda one: abs(float(holds(found, bands(found, one)).mean()) - SURE))


def _likelihood(found: Sequence[Case], beliefs: Beliefs) -> float:
    """Return the mean logarithm of the density at the truth, in units of the error."""
    told = []
    for case in found:
        curve = _curve(case, beliefs)
        middle, spread = curve.foreseen(2)
        off = (case.truth[0] - middle) / spread
        density = float(curve.weight @ (np.exp(-0.5 * off**2) / spread)) / (2 * np.pi) ** 0.5
        told.append(np.log(max(density * max(case.error, 1e-3 * case.last), 1e-5)))
    return float(np.mean(told))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("curves", type=Path)
    parser.add_argument("--choose", action="store_true")
    parser.add_argument("--metric", default="")
    asked = parser.parse_args()
    every = cases(asked.curves, asked.metric)
    first = [case for case in every if case.table in FIRST_HALF]
    second = [case for case in every if case.table not in FIRST_HALF]
    by_first, by_second = BY_FIRST, BY_SECOND
    if not first:  # photos: nothing was chosen on them
        first, by_first = second, Beliefs()
        tell(second, _ways(second, first, by_first))
        return
    if asked.choose:
        more = cases(asked.curves, "log_loss")
        also = [case for case in more if case.table in FIRST_HALF]
        other = [case for case in more if case.table not in FIRST_HALF]
        by_first = wide_enough(first, choose([*first, *also]))
        by_second = wide_enough(second, choose([*second, *other]))
        print(f"chosen on the first half:  {by_first}\nchosen on the second half: {by_second}")
    ways = _ways(second, first, by_first), _ways(first, second, by_second)
    told = {name: [*ways[0][name], *ways[1][name]] for name in ways[0]}
    tell([*second, *first], told)


def _ways(
    judged: Sequence[Case], chosen: Sequence[Case], beliefs: Beliefs
) -> dict[str, list[Interval]]:
    """Return the intervals of each way for cases that nothing was chosen on."""

    def around(reach: Callable[[Case], float]) -> list[Interval]:
        return [(case.last - Z * reach(case), case.last + Z * reach(case)) for case in judged]

    moved = [abs(case.truth[0] - case.last) / max(case.noise, 1e-9) for case in chosen]
    stretch = float(np.quantile(moved, SURE)) / Z
    return {
        "ours": bands(judged, beliefs),
        "refits": around(lambda case: case.noise),
        "rows": around(lambda case: case.error),
        "stretched": around(lambda case: stretch * case.noise),
    }


def tell(found: Sequence[Case], told: dict[str, list[Interval]]) -> None:
    """Print coverage and scores, in all, by table and by n."""
    print(f"{len(found)} cases of {len({case.table for case in found})} tables")
    ours = told["ours"]
    for name, intervals in told.items():
        ratios = [
            scores(found, ours, unit).mean() / scores(found, intervals, unit).mean()
            for unit in ("error", "loss")
        ]
        print(
            f"{name:10} holds {100 * holds(found, intervals).mean():5.1f} %   our score is "
            f"{ratios[0]:.2f} of its (in errors), {ratios[1]:.2f} (in losses)"
        )
    low = np.mean([case.truth[0] < ends[0] for case, ends in zip(found, ours, strict=True)])
    print(f"better than the band in {100 * low:.0f} % of all cases")
    keys: tuple[Callable[[Case], object], ...] = (lambda case: case.table, lambda case: case.rows)
    for key in keys:
        for group in sorted({key(case) for case in found}, key=str):
            own = [place for place, case in enumerate(found) if key(case) == group]
            here, mine = [found[i] for i in own], [ours[i] for i in own]
            rivals = [
                scores(here, mine).mean() / scores(here, [told[way][i] for i in own]).mean()
                for way in ("refits", "rows")
            ]
            share = 100 * holds(here, mine).mean()
            print(
                f"  {group!s:14} {len(own):3} cases {share:5.0f} %  {rivals[0]:.2f} {rivals[1]:.2f}"
            )


if __name__ == "__main__":
    main()
