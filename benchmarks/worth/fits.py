"""The same questions asked of whole fits: treadle.fit with --cost, from the file to the money.

    python benchmarks/worth/fits.py --data DATA --scratch /tmp/worth --model trees

For each task: what the test rows cost over what they cost under the best threshold in hindsight,
and the calibration error on test before and after. The bars are those of measure.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from tasks import GENERATED, REAL, ROWS_OF_A_FILE, generated

import treadle


def main() -> None:
    options = _options()
    rows = []
    for name in [*GENERATED, *REAL]:
        if name in REAL and not (options.data / REAL[name][0]).exists():
            print(f"left out, as its file is not there: {name}")
            continue
        frame, target, costs, time = _table(name, options.data)
        run = treadle.fit(
            frame,
            target=target,
            cost=costs,
            model=options.model,
            time=time,
            threads=1,
            until=options.until,
            overwrite=True,
            out=options.scratch / f"fit-{name.replace(' ', '-').replace('%', 'percent')}",
        )
        rows.append(_figures(run))
        print(f"{name:16} {rows[-1]}", flush=True)
    ratios = [row["times_best"] for row in rows]
    print(f"times the best: median {np.median(ratios):.3f}, worst {max(ratios):.3f}")
    before, after = ([row[key] for row in rows] for key in ("before", "after"))
    worse = sum(b < a for b, a in zip(before, after, strict=True))
    print(
        f"calibration error {np.median(before):.4f} → {np.median(after):.4f} in the median, worse "
        f"on {worse} of {len(rows)}"
    )


def _table(name: str, data: Path) -> tuple[pl.DataFrame, str, str, str | None]:
    """Return the table of a task, its target, its costs and its column of time."""
    if name in GENERATED:
        made, costs = GENERATED[name]
        inputs, truth = generated(*made)
        columns = {f"x{i}": inputs[:, i] for i in range(inputs.shape[1])}
        return pl.DataFrame(columns | {"answer": truth}), "answer", costs, None
    file, target, _, costs, time = REAL[name]
    place = data / file
    frame = pl.read_parquet(place) if place.suffix == ".parquet" else pl.read_csv(place)
    rows = np.random.default_rng(0).permutation(frame.height)[:ROWS_OF_A_FILE]
    return frame[np.sort(rows)], target, costs, time


def _figures(run: treadle.Run) -> dict[str, Any]:
    findings = run.folder.read_json("findings.json") or {}
    curve, check = findings["money_curve"], findings["calibration_check"]
    return {
        "times_best": round(curve["chosen"]["cost"] / curve["best"]["cost"], 4),
        "map": check["method"],
        "before": round(check["test"]["before"], 4),
        "after": round(check["test"]["after"], 4),
        "flagged": round(curve["chosen"]["share"], 3),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--model", default="trees")
    parser.add_argument("--until", default="1 minute")
    return parser.parse_args()


if __name__ == "__main__":
    main()
