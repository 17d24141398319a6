"""A table: how far will diabetes have gone a year from now? 442 patients, from scikit-learn.

    python examples/table.py

Trees, then a network, then the better one or a blend of both: chosen on validation, and scored once
on patients that none of them has seen.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import polars as pl
from sklearn.datasets import load_diabetes

import treadle

FLOOR = 0.25  # of what makes patients differ, explained; published models reach 0.45 to 0.5
CEILING = 0.75  # more than this in 66 patients would smell of a leak


def patients() -> pl.DataFrame:
    found = load_diabetes(scaled=False)
    return pl.DataFrame(found.data, schema=list(found.feature_names)).with_columns(
        progression=pl.Series(found.target)
    )


def main(out: Path) -> float:
    run = treadle.fit(patients(), target="progression", until="20 seconds", out=out)
    explained: float = run.result["metrics"]["r2"]["test"]
    baseline = run.result["baseline"]
    print(f"r2 on the test part: {explained:.3f}")
    print(f"typical miss: {run.result['metric']['test']:.1f}; {baseline['name']}: "
          f"{baseline['test']:.1f}")  # fmt: skip
    print(run.predict(patients().head(3)).select("age", "bmi", "progression", "prediction"))
    return explained


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        explained = main(Path(sys.argv[1] if len(sys.argv) > 1 else folder) / "run")
    if not FLOOR < explained < CEILING:
        sys.exit(f"r2 is {explained:.3f}; between {FLOOR} and {CEILING} was expected.")
