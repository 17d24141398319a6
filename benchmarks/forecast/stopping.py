"""What the loop's own stop loses, and what it saves, on curves of five times the steps.

    python benchmarks/forecast/stopping.py --zoo FOLDER [--curves curves.jsonl] [--worth 0.002]

FOLDER is what `benchmarks.zoo.run --only '*/healthy*' --steps-factor 5` wrote. The stop goes by the
validations alone where the rate stays as it is, so a whole curve tells where it would have ended:
the watcher itself is shown the curve, validation by validation. Curves whose rate falls are passed
over: there the stop changes what comes after it. Beside it stands what patience alone (no better
for 10) would have done.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from treadle.api.forecast import error_of
from treadle.contracts import Validation
from treadle.folder import RunFolder
from treadle.goal import LOSS, METRICS, Metric
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState
from treadle.watch.enough import Enough
from treadle.watch.forecast_plan import Plan

PATIENCE = 10


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A curve of five times the steps; rows: of the validation part."""

    name: str
    task: str
    metric: Metric
    rows: int
    steps: list[int]
    values: list[float]
    train_losses: list[float]

    def loss(self, end: int) -> float:
        """Return the share of the metric that stopping after `end` validations loses."""
        best = max if self.metric.higher_is_better else min
        until = [value for value in self.values[:end] if math.isfinite(value)]
        reached = best(value for value in self.values if math.isfinite(value))
        return abs(best(until) - reached) / max(abs(reached), 1e-12) if until else 1.0

    def share_lost(self, end: int) -> float:
        """Return the share of what was gained since the first two validations that it loses."""
        best = max if self.metric.higher_is_better else min
        known = [value for value in self.values if math.isfinite(value)]
        until = [value for value in self.values[:end] if math.isfinite(value)] or known[:1]
        gained = abs(float(np.median(known[:2])) - best(known))
        return min(1.0, abs(best(until) - best(known)) / max(gained, 1e-12))


class _Nothing:
    """A model that there is none of: only the curve is shown to the watcher."""

    def state_dict(self) -> Any:
        return {}

    def load_state_dict(self, state_dict: Any, /) -> None: ...


def own_end(curve: Whole, worth: float | None) -> int:
    """Return after how many validations the loop would have stopped."""
    state = TrainState(model=_Nothing())
    plan = Plan(metric=curve.metric, max_steps=curve.steps[-1], about={})
    error = error_of(curve.metric, curve.rows)
    enough = Enough(Journal(), plan, worth=worth, error=error)
    rows = zip(curve.steps, curve.values, curve.train_losses, strict=True)
    for number, (step, value, train_loss) in enumerate(rows, 1):
        state.step = step
        metrics = {"train_loss": train_loss, curve.metric.name: value}
        state.history.append(Validation(step=step, epoch=0, metrics=metrics))
        if curve.metric.better(value, state.best_value):
            state.best_step, state.best_value = step, value
        enough(state)
        if enough.condition(state):
            return number
    return len(curve.steps)


def end_of_patience(curve: Whole) -> int:
    best = None
    since = 0
    for number, value in enumerate(curve.values, 1):
        since += 1
        if curve.metric.better(value, best):
            best, since = value, 0
        if since >= PATIENCE:
            return number
    return len(curve.values)


def by_default(curve: Whole, worth: float | None) -> int:
    return min(own_end(curve, worth), end_of_patience(curve))


def of_zoo(folder: Path) -> list[Whole]:
    """Return the flat curves below a folder of the zoo, whatever became of its recipes."""
    lines = [json.loads(line) for line in (folder / "runs.jsonl").read_text().splitlines()]
    newest = {line["name"]: line for line in lines if not line["problem"]}
    found = []
    for name, line in newest.items():
        run = RunFolder.open(folder / "runs" / name)
        metric = line["metric"]["name"]
        points = [point for point in run.metrics() if metric in point["values"]]
        known = METRICS.get(metric)
        whole = Whole(
            name=name,
            task=line["base"],
            metric=_metric(metric, higher_is_better=bool(known and known.higher_is_better)),
            rows=int((run.result or {}).get("rows", {}).get("validation", 0)),
            steps=[point["step"] for point in points],
            values=[_value(point["values"][metric]) for point in points],
            train_losses=[_value(point["values"].get("train_loss")) for point in points],
        )
        if len({point["values"].get("learning_rate") for point in points}) == 1:
            found.append(whole)
    return found


def of_curves(path: Path, half: str) -> list[Whole]:
    """Return the flat curves of curves.py whose rate was neither far too low nor far too high."""
    import cases

    return [
        Whole(
            name=line["task"],
            task=line["task"],
            metric=_metric(line["metric"], higher_is_better=line["higher_is_better"]),
            rows=line["validation_rows"],
            steps=line["steps"],
            values=[_value(value) for value in line["values"]],
            train_losses=[_value(value) for value in line["train_loss"]],
        )
        for line in cases.read(path)
        if line["schedule"] == "constant"
        and line["half"] == half
        and line["rollbacks"] == 0
        and 0.3 <= line["asked"]["rate"] <= 3
    ]


def _metric(name: str, *, higher_is_better: bool) -> Metric:
    known = METRICS.get(name, LOSS)
    fields = {"name": name, "higher_is_better": higher_is_better, "tasks": ("own",)}
    return Metric(needs="values", function=known.function, **fields)  # type: ignore[arg-type]


def _value(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan


def tell(title: str, found: list[Whole], end_of: Callable[[Whole], int]) -> None:
    ends = [end_of(curve) for curve in found]
    losses = np.array([curve.loss(end) for curve, end in zip(found, ends, strict=True)])
    times = np.array([c.steps[end - 1] / c.steps[-1] for c, end in zip(found, ends, strict=True)])
    print(
        f"{title:34} curves {len(found):4}  loses: median {np.median(losses):.2%}, "
        f"at most .5 % in {np.mean(losses <= 0.005):.0%}; of what was gained: mean "
        f"{np.mean([c.share_lost(end) for c, end in zip(found, ends, strict=True)]):.1%}; "
        f"time: median {np.median(times):.0%}, mean {times.mean():.0%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--zoo", type=Path)
    parser.add_argument("--curves", type=Path)
    parser.add_argument("--worth", type=float)
    parser.add_argument("--each", action="store_true")
    options = parser.parse_args()
    groups = {}
    if options.curves:
        for half in ("development", "judging"):
            groups[f"own curves, {half}"] = of_curves(options.curves, half)
    if options.zoo:
        groups["zoo, healthy"] = of_zoo(options.zoo)
    for title, found in groups.items():
        tell(title, found, lambda curve: own_end(curve, options.worth))
        tell("    with patience, the default", found, lambda c: by_default(c, options.worth))
        tell("    patience alone", found, end_of_patience)
        for curve in found if options.each else ():
            end, patience = own_end(curve, options.worth), end_of_patience(curve)
            print(
                f"  {curve.name:44} {curve.metric.name:10} {end:4} of {len(curve.steps):4} "
                f"loses {curve.loss(end):.2%}; patience {patience} {curve.loss(patience):.2%}"
            )


if __name__ == "__main__":
    main()
