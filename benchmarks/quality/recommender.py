"""Does the recommender beat each simple way? Five global time cuts over one log of events.

    python benchmarks/quality/recommender.py events.csv            two or three minutes a cut
    python benchmarks/quality/recommender.py events.csv --cuts 0.9 --seed 1

For each cut the log is written as two files, what lies before it and what after, and given to
`treadle.fit(before, test=after)`; its own defaults do the rest. The run compares itself with
recent popularity, decayed transitions and EASE on the same moments, histories and catalogue, each
with its best settings on validation; the intervals draw whole users. `models/ranking.py` says what
a moment is.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import polars as pl

import treadle
from treadle.data.events import EventLog
from treadle.data.read import read_tables

CUTS = (0.5, 0.6, 0.7, 0.8, 0.9)


def main() -> None:
    options = _options()
    frame = read_tables([options.events]).frame
    lowest: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for cut in options.cuts:
            result, seconds = fit(frame, cut, Path(scratch), options)
            metric = result["metric"]
            print(
                f"cut {cut:.0%}: {result['rows']['test']:,} moments, {metric['name']} "
                f"{metric['test']:.4f} (validation {metric['validation']:.4f}), {seconds:.0f} s"
            )
            for line in result["baselines"]:
                difference = line["difference"]
                print(
                    f"  above {line['name']:<20} {line['metrics'][metric['name']]:.4f} by "
                    f"{difference['test']:+.4f} [{difference['low']:+.4f}, "
                    f"{difference['high']:+.4f}]",
                    flush=True,
                )
                low = min(lowest.get(line["name"], 1.0), difference["low"])
                lowest[line["name"]] = low
    for name, low in lowest.items():
        print(f"lowest lower end over the cuts, above {name}: {low:+.4f}")


def fit(
    frame: pl.DataFrame, cut: float, scratch: Path, options: argparse.Namespace
) -> tuple[dict[str, object], float]:
    """Return the result of a fit on what lies before the cut, tested on what lies after."""
    log = EventLog.of(frame)
    columns = log.columns
    at = log.time_after(cut)
    times = frame[columns.time].cast(pl.Float64)
    files = scratch / f"before-{cut}.parquet", scratch / f"after-{cut}.parquet"
    for file, rows in zip(files, (times < at, times >= at), strict=True):
        frame.filter(rows).write_parquet(file)
    began = time.monotonic()
    run = treadle.fit(
        files[0],
        test=str(files[1]),
        kind="events",
        user=columns.user,
        item=columns.item,
        time=columns.time,
        seed=options.seed,
        threads=options.threads,
        out=str(scratch / f"run-{cut}"),
    )
    return run.result, time.monotonic() - began


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("events", type=Path, help="times in seconds")
    parser.add_argument("--cuts", type=float, nargs="+", default=CUTS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
