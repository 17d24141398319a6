"""Two runs or more beside each other: which is better, row by row, and what was asked differently.

treadle.compare("runs/a", "runs/b")["others"][0]["difference"]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.api.bootstrap import drawn_values
from treadle.api.kept_rows import kept_rows
from treadle.contracts import Json
from treadle.errors import OptionError, RunError
from treadle.folder import RunFolder
from treadle.goal import Metric, metric_named

Array: TypeAlias = NDArray[Any]

DRAWS = 1_000
MOST_CELLS = 50_000_000
LEAST_DRAWS = 200
FEWEST_SHARED = 20
QUIET = ("out", "overwrite", "cache", "track", "save_every", "threads")


@dataclass(frozen=True, kw_only=True)
class _Run:
    """A finished run: its folder, its result, and what was kept of its test rows, if anything."""

    name: str
    folder: RunFolder
    result: Json
    rows: dict[str, Array] | None

    def value(self, metric: str) -> float | None:
        """Return what it reached on its test part."""
        found = self.result["metrics"].get(metric)
        return None if found is None else float(found["test"])


def compare(first: Path | str, *others: Path | str) -> Json:
    """Return what sets other runs apart from a first one.

    The result holds `metric`, `runs` [{name, path, metrics, seconds, …}] with the first run first,
    and `others`, one for each other run: `difference` {value, low, high, rows, surely} of the
    metric, paired over the test rows that both were scored on (None where they share none, or
    where a run, an older one, `kept` no answers), and `asked` [{option, first, other}], what was
    asked differently.

    Raises: RunError when there is no run, or it is not finished; OptionError for runs of which no
    metric is the same.
    """
    if not others:
        raise OptionError("one run alone cannot be compared.", "Name two: treadle report A B")
    paths = [Path(path) for path in (first, *others)]
    runs = [_read(path, name) for path, name in zip(paths, _names(paths), strict=True)]
    metric, task = _shared_metric(runs), str(runs[0].result["task"])
    return {
        "metric": metric,
        "task": task,
        "runs": [_facts(run, metric) for run in runs],
        "others": [
            {
                "name": other.name,
                "difference": _difference(runs[0], other, metric, task),
                "kept": runs[0].rows is not None and other.rows is not None,
                "asked": _asked_otherwise(runs[0], other),
                "same_data": _fingerprint(runs[0]) == _fingerprint(other),
            }
            for other in runs[1:]
        ],
    }


def _names(paths: Sequence[Path]) -> list[str]:
    """Return the runs' names, with as much of their places as it takes to tell them apart."""
    parts = [path.absolute().parts for path in paths]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-depth:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    raise OptionError("the same run was named twice.", "Name two different ones.")


def _read(path: Path, name: str) -> _Run:
    folder = RunFolder.open(path)
    result = folder.result
    if result is None:
        raise RunError(
            f"the run at {path} has no result yet, so there is nothing to compare.",
            f"Go on with it first: treadle resume {path}",
        )
    if not isinstance(result.get("metrics"), dict) or not result["metrics"]:
        raise RunError(f"the run at {path} was not measured on a test part.", "Fit with data.")
    return _Run(name=name, folder=folder, result=result, rows=kept_rows(folder))


def _shared_metric(runs: Sequence[_Run]) -> str:
    """Return the first run's metric, else the first one that all of them have."""
    tasks = {str(run.result.get("task")) for run in runs}
    wanted = [runs[0].result["metric"]["name"], *runs[0].result["metrics"]]
    shared = [name for name in wanted if all(name in run.result["metrics"] for run in runs)]
    if len(tasks) > 1 or not shared:
        told = ", ".join(f"{run.name}: {run.result['metric']['name']}" for run in runs)
        raise OptionError(
            f"these runs do not answer the same question ({told}).",
            "Compare runs that predict the same thing and share a metric.",
        )
    return str(shared[0])


def _facts(run: _Run, metric: str) -> Json:
    result = run.result
    # of all trials, the usual training among them
    tuned = (result.get("tune") or {}).get("seconds")
    money = result.get("money") or {}
    return {
        "name": run.name,
        "path": str(run.folder.path),
        "value": run.value(metric),
        "low": result["metrics"][metric].get("low"),
        "high": result["metrics"][metric].get("high"),
        "metrics": result["metrics"],
        "rows": result.get("rows", {}),
        "seconds": result.get("seconds") if tuned is None else tuned,
        "money": {**money["model"], "unit": money.get("unit"), "per": money.get("per")}
        if money.get("model")
        else None,
        "test_scorings": result.get("test_scorings"),
    }


def _asked_otherwise(one: _Run, other: _Run) -> list[Json]:
    """Return the options that differ, as they were asked for."""
    asked = [dict(run.folder.config.get("options") or {}) for run in (one, other)]
    names = dict.fromkeys([*asked[0], *asked[1]])
    return [
        {"option": name, "first": asked[0].get(name), "other": asked[1].get(name)}
        for name in names
        if name not in QUIET and asked[0].get(name) != asked[1].get(name)
    ]


def _fingerprint(run: _Run) -> Any:
    data = run.folder.read_json("data.json") or {}
    return (data.get("fingerprint") or {}).get("sha256")


def _difference(one: _Run, other: _Run, name: str, task: str) -> Json | None:
    """Return other − one on the test rows of both, with its 95 % interval; None if they share none.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993): both runs see the same
    draws of rows, so what the rows have in common falls away.
    """
    rows = _rows_of_both(one, other)
    if rows is None:
        return None
    if task == "next_item":
        found = _apart_by_moments(*rows, name)
    else:
        found = _apart_by_rows(*rows, metric_named(name, task), one)  # type: ignore[arg-type]
    if found is None:
        return None
    drawn, value, sign = found
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    surely = "better" if min(sign * low, sign * high) > 0 else None
    surely = "worse" if max(sign * low, sign * high) < 0 else surely
    return {
        "value": value,
        "low": float(low),
        "high": float(high),
        "rows": len(rows[0]["key"]),
        "surely": surely,
    }


Rows: TypeAlias = dict[str, Array]


def _rows_of_both(one: _Run, other: _Run) -> tuple[Rows, Rows] | None:
    """Return the test rows of both runs with the same truth, in one order; None of too few."""
    if one.rows is None or other.rows is None:
        return None
    _, ours, theirs = np.intersect1d(one.rows["key"], other.rows["key"], return_indices=True)
    found = _taken(one.rows, ours), _taken(other.rows, theirs)
    truths = [rows.get("true") for rows in found]
    if truths[0] is not None and truths[1] is not None:
        same = np.flatnonzero(truths[0] == truths[1])
        found = _taken(found[0], same), _taken(found[1], same)
    return found if len(found[0]["key"]) >= FEWEST_SHARED else None


def _taken(rows: Rows, places: Array) -> Rows:
    return {name: values[places] for name, values in rows.items()}


def _apart_by_moments(ours: Rows, theirs: Rows, metric: str) -> tuple[Array, float, int] | None:
    """Return draws of how far apart suggestions are, the value, and which sign is better.

    Whole users are drawn, for their moments hang together.
    """
    if metric not in ours or metric not in theirs or "user" not in ours:
        return None
    apart = theirs[metric].astype(np.float64) - ours[metric]
    _, users = np.unique(ours["user"], return_inverse=True)
    totals, counts = np.bincount(users, weights=apart), np.bincount(users)
    picked = np.random.default_rng(0).integers(0, len(totals), (DRAWS, len(totals)))
    drawn = totals[picked].sum(axis=1) / counts[picked].sum(axis=1)
    return drawn, float(apart.mean()), 1


def _apart_by_rows(
    ours: Rows, theirs: Rows, metric: Metric, run: _Run
) -> tuple[Array, float, int] | None:
    """Return the same of answers: both runs are measured on the same draws of rows."""
    classes = len((run.folder.findings or {}).get("classes") or ())
    one, other = (_answers(rows, metric, classes) for rows in (ours, theirs))
    if one is None or other is None or one.shape != other.shape or "true" not in ours:
        return None
    truth = ours["true"] if classes == 0 else ours["true"].astype(np.int64)
    draws = int(np.clip(MOST_CELLS // len(truth), LEAST_DRAWS, DRAWS))
    found = [
        drawn_values([metric], truth, said, draws=draws, seed=0)[metric.name]
        for said in (one, other)
    ]
    value = float(metric(truth, other) - metric(truth, one))
    return found[1] - found[0], value, 1 if metric.higher_is_better else -1


def _answers(rows: Rows, metric: Metric, num_classes: int) -> Array | None:
    """Return a run's answers as a metric takes them; None where chances were not kept."""
    if num_classes and metric.needs == "labels" and "said" in rows:
        codes: Array = rows["said"]
        fits = codes.min(initial=0) >= 0 and codes.max(initial=0) < num_classes
        return np.eye(num_classes)[codes] if fits else None
    return rows.get("chances" if num_classes else "expected")
