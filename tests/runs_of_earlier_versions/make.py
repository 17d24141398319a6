"""Run as a script: makes a tiny finished run to keep here, as this version of Treadle writes it.

    python -m tests.runs_of_earlier_versions.make NAME

A run is kept for each format, or change of one, that a release has written: `NAME/run`, without
its checkpoints and its page; `NAME/rows.csv`, rows that it never saw; and `NAME/answers.csv`, what
it said of them then. What is kept is never made anew: it is there to be old. The network is made
smaller than usual, so that all of it together stays below 200 KB.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import treadle
from tests import small
from treadle.api.predict import predict
from treadle.models.tabular_settings import TabularSettings

KEPT = Path(__file__).absolute().parent
LEFT_OUT = shutil.ignore_patterns("checkpoints", "report.html", "lock")
SMALLER = {"width": 16, "num_members": 4, "num_blocks": 1, "num_frequencies": 4, "number_width": 4}


def make(place: Path) -> None:
    """Train trees and a network on a few rows, and keep what a finished run must open with."""
    place.mkdir()
    frame = small.customers(rows=140, seed=7)
    frame[120:].drop("left").write_csv(place / "rows.csv")
    usual = TabularSettings.for_table

    def smaller(num_rows: int, layout: Any) -> TabularSettings:
        return usual(num_rows, layout).model_copy(update=SMALLER)

    TabularSettings.for_table = smaller  # type: ignore[method-assign, assignment]
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):  # no path of this machine
        frame[:120].write_csv("customers.csv")
        options = {"target": "left", "until": "12 epochs", "threads": 1, "engine": "eager"}
        treadle.fit("customers.csv", out="run", **options)
        shutil.copytree("run", place / "run", ignore=LEFT_OUT)
    predict(place / "run", [str(place / "rows.csv")], out=place / "answers.csv")


if __name__ == "__main__":
    make(KEPT / sys.argv[1])
