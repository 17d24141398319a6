"""The same questions asked of whole fits: treadle.fit with --cost, from the file to the money.

    python benchmarks/worth/fits.py --data DATA --scratch /tmp/worth --model trees

For each task: what the test rows cost over what they cost under the best threshold in hindsight,
the calibration error on test before and after, and in which share of draws of test rows each of
money's intervals holds what all test rows came to. The bars are those of measure.py.

Tests hold at least 1,000 positives: generated tables get a test of their own, so large; of real
ones the usual test part is taken, and tasks with fewer positives in it are named. "Luck" is the
ratio, on average and at its 95th percentile, were the probabilities right to the last digit.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from measure import least_cost
from numpy.typing import NDArray
from tasks import GENERATED, REAL, ROWS_OF_A_FILE, generated

import treadle
from treadle.api import as_answered
from treadle.api.answers import Part
from treadle.api.money import money_of
from treadle.decision import Outcomes

Array = NDArray[Any]
POSITIVES = 1_500
SIZES = (1_500, 6_000, None)


def main() -> None:
    options = _options()
    rows = []
    for name in options.tasks.split(";") if options.tasks else [*GENERATED, *REAL]:
        if name in REAL and not (options.data / REAL[name][0]).exists():
            print(f"left out, as its file is not there: {name}")
            continue
        began = time.monotonic()
        row = {"task": name, **_measured(name, options)}
        rows.append(row | {"seconds": round(time.monotonic() - began)})
        print(json.dumps(rows[-1]), flush=True)
        (options.scratch / "fits.json").write_text(json.dumps(rows, indent=1))
    _print_bars(rows)


def _measured(name: str, options: argparse.Namespace) -> dict[str, Any]:
    frame, target, costs, time_column, test = _table(name, options.data, options.seed)
    more: dict[str, Any] = {}
    if test is not None:
        options.scratch.mkdir(parents=True, exist_ok=True)
        more["test"] = options.scratch / "test.parquet"
        test.write_parquet(more["test"])
        frame.write_parquet(options.scratch / "rest.parquet")
    with _Seen() as seen:
        run = treadle.fit(
            frame if test is None else options.scratch / "rest.parquet",
            target=target,
            cost=costs,
            model=options.model,
            time=time_column,
            threads=1,
            until=options.until,
            seed=options.seed,
            overwrite=True,
            out=options.scratch / "fit",
            **more,
        )
    return _figures(run, seen, options.draws)


class _Seen:
    """Looks over the fit's shoulder: what its money was counted from."""

    def __enter__(self) -> _Seen:
        def look(*args: Any, **named: Any) -> Any:
            self.args, self.named = args, named
            return money_of(*args, **named)

        as_answered.money_of = look  # type: ignore[attr-defined]
        return self

    def __exit__(self, *_: object) -> None:
        as_answered.money_of = money_of  # type: ignore[attr-defined]

    def drawn(self, rows: Array) -> dict[str, tuple[float, float, float]]:
        """Return each figure of money with its interval, of some test rows: (value, low, high)."""
        goal, answers, target, train, test = self.args
        some = _rows_of(test, rows)
        simple = self.named["simple"]
        named = self.named | {"simple": simple and _answers_of(simple, rows)}
        money, _ = money_of(goal, _answers_of(answers, rows), target, train, some, **named)
        ours = money["model"]
        found = {"cost": (ours["cost"], ours["low"], ours["high"])}
        for rule in money["rules"]:
            keys = ("saved", "saved_low", "saved_high")
            found[f"saved against {rule['name']}"] = tuple(rule[key] for key in keys)
        return found


def _rows_of(part: Part, rows: Array) -> Part:
    clusters = part.clusters
    if clusters is not None:  # a stretch that is drawn twice is two stretches
        _, again = np.unique(rows, return_inverse=True)
        seen = np.zeros(again.max() + 1, np.int64)
        order = np.empty(len(rows), np.int64)
        for place, row in enumerate(again):
            order[place] = seen[row]
            seen[row] += 1
        clusters = clusters[rows] * (order.max() + 1) + order
    return Part(
        truth=part.truth[rows],
        predicted=part.predicted[rows],
        rows=part.rows[rows],
        clusters=clusters,
        moments=None if part.moments is None else part.moments[rows],
    )


def _answers_of(answers: Any, rows: Array) -> Any:
    return dataclasses.replace(answers, test=answers.test[rows], said_test=answers.said_test[rows])


def _held(seen: _Seen, draws: int) -> dict[str, float]:
    """Return in which share of draws each interval holds what all test rows came to."""
    test = seen.args[4]
    count, truth = len(test.truth), seen.drawn(np.arange(len(test.truth)))
    generator, found = np.random.default_rng(0), {}
    clusters = np.arange(count) if test.clusters is None else test.clusters
    of_cluster = np.split(np.argsort(clusters, kind="stable"), np.cumsum(np.bincount(clusters)))
    of_cluster = [rows for rows in of_cluster if len(rows)]
    for size in SIZES:
        inside = dict.fromkeys(truth, 0)
        each = max(1, round((size or count) * len(of_cluster) / count))
        for _ in range(draws):
            drawn = generator.integers(0, len(of_cluster), each)
            figures = seen.drawn(np.concatenate([of_cluster[place] for place in drawn]))
            for name, (_, low, high) in figures.items():
                inside[name] += low <= truth[name][0] <= high
        for name, times in inside.items():
            found[f"{name}, {size or count} rows"] = times / draws
    return found


def _luck(outcomes: Outcomes, probability: Array, draws: int = 100) -> tuple[float, float]:
    """Return the ratio of a choice that knows all but the future: its mean and 95th percentile."""
    generator, flagged = np.random.default_rng(0), outcomes.margin(probability) > 0
    ratios = []
    for _ in range(draws):
        truth = (generator.random(len(probability)) < probability).astype(np.int64)
        paid = outcomes.paid(truth, flagged).mean()
        ratios.append(paid / least_cost(outcomes, probability, truth))
    return float(np.mean(ratios)), float(np.quantile(ratios, 0.95))


def _table(
    name: str, data: Path, seed: int
) -> tuple[pl.DataFrame, str, str, str | None, pl.DataFrame | None]:
    """Return a task's table, target, costs and column of time, and a test of its own or None."""
    if name in GENERATED:
        (kind, rows, share, noise, draw), costs = GENERATED[name]
        ahead = max(int(0.15 * rows), int(POSITIVES / share))
        inputs, truth = generated(kind, rows + ahead, share, noise, draw + 1_000 * seed)
        columns = {f"x{i}": inputs[:, i] for i in range(inputs.shape[1])}
        frame = pl.DataFrame(columns | {"answer": truth})
        order = np.random.default_rng(seed).permutation(frame.height)
        frame = frame[order]
        return frame[:rows], "answer", costs, None, frame[rows:]
    file, target, _, costs, time_column = REAL[name]
    place = data / file
    frame = pl.read_parquet(place) if place.suffix == ".parquet" else pl.read_csv(place)
    kept = np.random.default_rng(seed).permutation(frame.height)[:ROWS_OF_A_FILE]
    return frame[np.sort(kept)], target, costs, time_column, None


def _figures(run: treadle.Run, seen: _Seen, draws: int) -> dict[str, Any]:
    findings = run.folder.read_json("findings.json") or {}
    curve, check = findings["money_curve"], findings["calibration_check"]
    goal, answers, _, _, test = seen.args
    columns = {name: test.rows[name].cast(pl.Float64).to_numpy() for name in goal.costs.columns}
    outcomes = Outcomes.of(goal.costs, columns, len(test.truth))
    luck, at_worst = _luck(outcomes, answers.test[:, 1])
    return {
        "positives": int(test.truth.sum()),
        "times_best": round(curve["chosen"]["cost"] / curve["best"]["cost"], 4),
        "luck": round(luck, 4),
        "luck_95": round(at_worst, 4),
        "map": check["method"],
        "before": round(check["test"]["before"], 4),
        "after": round(check["test"]["after"], 4),
        "flagged": round(curve["chosen"]["share"], 3),
        "held": {name: round(share, 4) for name, share in _held(seen, draws).items()},
    }


def _print_bars(rows: list[dict[str, Any]]) -> None:
    enough = [row for row in rows if row["positives"] >= 1_000]
    for words, some in (("all", rows), ("at least 1,000 positives in the test", enough)):
        ratios = [row["times_best"] for row in some]
        if ratios:
            print(
                f"{words} ({len(ratios)} tasks): times the best: median {np.median(ratios):.3f}, "
                f"worst {max(ratios):.3f}"
            )
    before, after = ([row[key] for row in rows] for key in ("before", "after"))
    worse = sum(b < a for b, a in zip(before, after, strict=True))
    print(
        f"calibration error {np.median(before):.4f} → {np.median(after):.4f} in the median, worse "
        f"on {worse} of {len(rows)}"
    )
    held = np.array([share for row in rows for share in row["held"].values()])
    inside = ((held >= 0.9) & (held <= 0.98)).mean()
    print(
        f"intervals hold {held.mean():.3f} on average, {held.min():.3f} to {held.max():.3f}; "
        f"{inside:.0%} of {len(held)} within 90–98 %"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--model", default="trees")
    parser.add_argument("--until", default="1 minute")
    parser.add_argument("--tasks", default="", help="some of them, set apart by semicolons")
    parser.add_argument("--seed", type=int, default=0, help="of the draw of each generated table")
    parser.add_argument("--draws", type=int, default=400)
    return parser.parse_args()


if __name__ == "__main__":
    main()
