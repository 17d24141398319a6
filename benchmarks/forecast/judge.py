"""Judge the bands on the tasks that the table was not learned from.

    python benchmarks/forecast/judge.py curves.jsonl [--zoo FOLDER] [--to results.json]

A case is a curve cut short and a later step. The bars: bands that say 80 % hold the truth in 75 to
85 of 100 cases, and their interval score is at most 0.8 of that of the best so far ± 1.2816
deviations, by the deviation from the trend ("noise") and by that of the last ten validations.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import cases
import numpy as np
import scoring

from treadle.watch.forecast import forecast


def of_zoo(folder: Path) -> list[scoring.Judged]:
    """Judge the curves that benchmarks.zoo.run wrote with --steps-factor; flat ones alone."""
    import stopping

    return [scoring.judged(case) for case in cases.of_whole(stopping.of_zoo(folder))]


def milliseconds(chosen: list[cases.Case]) -> float:
    """Return how long a forecast takes, in the median."""
    import time

    from treadle.watch.forecast import Target

    took = []
    for case in chosen[:200]:
        steps, values = list(case.steps), list(case.values)
        targets = [Target(step=int(case.target))] * 3
        began = time.perf_counter()
        forecast(steps, values, targets, higher_is_better=False)
        took.append((time.perf_counter() - began) * 1e3)
    return float(np.median(took))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("curves", type=Path)
    parser.add_argument("--zoo", type=Path, nargs="*", default=())
    parser.add_argument("--to", type=Path)
    options = parser.parse_args()
    lines = cases.read(options.curves)
    chosen = list(cases.of(lines))
    told: dict[str, Any] = {"curves": len(lines), "milliseconds": milliseconds(chosen)}
    told["tasks"] = dict(Counter(half for _, half in {(c.name, c.half) for c in chosen}))
    print(f"{len(lines)} curves; tasks: {told['tasks']}; {told['milliseconds']:.2f} ms a forecast")
    for half in ("development", "judging"):
        ones = [scoring.judged(case) for case in chosen if case.half == half]
        told[half] = scoring.tell(ones, f"{half} half")
    zoo = [one for folder in options.zoo for one in of_zoo(folder)]
    for half in ("development", "judging") if zoo else ():
        ones = [one for one in zoo if one.case.half == half]
        told[f"zoo, {half}"] = scoring.tell(ones, f"zoo, {half} half")
    if options.to:
        options.to.write_text(json.dumps(told, indent=1) + "\n")
    row = told["judging"]["all"]
    kept = 0.75 <= row["held"] <= 0.85 and max(row["ratios"].values()) <= 0.8
    sys.exit(0 if kept and row["cases"] >= 400 else 1)


if __name__ == "__main__":
    main()
