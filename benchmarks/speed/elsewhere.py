"""Measurements that have scripts of their own: run, read, and shown with the rest."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.speed.machine import processor_flags

ROOT = Path(__file__).parents[2]
MOST_SECONDS = 600
FEATURES_LIMIT = 4.0 if "avx512_bf16" in processor_flags() else 2.0


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A figure in a script's words, and the bar it must meet.

    find: returns (median, low, high) from the words, or None where they do not say it
    """

    words: str
    find: Callable[[str], list[float] | None]
    limit: float
    at_least: bool


@dataclass(frozen=True, kw_only=True)
class Script:
    """needs_photos: it is given a folder of photos"""

    file: str
    title: str
    readings: tuple[Reading, ...] = ()
    needs_photos: bool = False


def by_pattern(pattern: str) -> Callable[[str], list[float] | None]:
    """Return what finds `median`, and `low` and `high` where the pattern has them."""

    def find(text: str) -> list[float] | None:
        found = re.search(pattern, text)
        if found is None:
            return None
        groups = found.groupdict()
        return [float(groups.get(part) or groups["median"]) for part in ("median", "low", "high")]

    return find


def best_engine(column: int) -> Callable[[str], list[float] | None]:
    """Return what finds the highest ratio of Treadle's engines whose features agree.

    column: which of the two ratios at a line's end, -2 (to eager at 32 photos) or -1 (at its best)
    """

    def find(text: str) -> list[float] | None:
        rows = [line.split() for line in text.splitlines() if line.startswith("Treadle")]
        agreeing = [float(row[column]) for row in rows if float(row[-3]) >= LEAST_COSINE]
        return [max(agreeing)] * 3 if agreeing else None

    return find


LEAST_COSINE = 0.999
SCRIPTS = {
    "parquet": Script(
        file="bench_parquet.py",
        title="Parquet four times the memory budget",
        readings=(
            Reading(
                words="≥ 0.7 × the rate in memory",
                find=by_pattern(
                    r"turns at (?P<median>[\d.]+) × .*"
                    r"pairs (?P<low>[\d.]+) to (?P<high>[\d.]+)"
                ),
                limit=0.7,
                at_least=True,
            ),
            Reading(
                words="anonymous memory ≤ the budget",
                find=by_pattern(r"in (?P<median>[\d.]+) × the budget"),
                limit=1.0,
                at_least=False,
            ),
        ),
    ),
    "features": Script(
        file="bench_features.py",
        title="Image features of a frozen backbone, Lite0, 224 px, decoding apart",
        readings=tuple(
            Reading(
                words=f"≥ {FEATURES_LIMIT:g} × eager float32 {batch}, cosine ≥ {LEAST_COSINE}",
                find=best_engine(column),
                limit=FEATURES_LIMIT,
                at_least=True,
            )
            for batch, column in (("in batches of 32", -2), ("at its best batch", -1))
        ),
        needs_photos=True,
    ),
}


def measure(name: str, results: dict[str, Any], python: Path, options: argparse.Namespace) -> None:
    """Run a script and put what it says into results, or into `skipped` why it says nothing."""
    script = SCRIPTS[name]
    results["skipped"].pop(script.title, None)
    text, problem = _said(script, python, options)
    if problem:
        results["skipped"][script.title] = problem
        return
    print(f"{script.title}\n{text}", flush=True)
    results["works"][name] = {
        "title": script.title,
        "group": name,
        "text": text,
        "bars": [judged(reading, text) for reading in script.readings],
    }


def _said(script: Script, python: Path, options: argparse.Namespace) -> tuple[str, str]:
    """Return what a script said, and why it said nothing."""
    file = ROOT / "benchmarks" / script.file
    if not file.exists():
        return "", f"benchmarks/{script.file} is not there"
    with tempfile.TemporaryDirectory() as scratch:
        photos = [str(_photos(Path(scratch)))] if script.needs_photos else []
        command = [str(python), str(file), *photos, "--threads", str(options.threads)]
        try:
            ran = subprocess.run(
                command,
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                timeout=MOST_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "", f"benchmarks/{script.file} took longer than {MOST_SECONDS} seconds"
    if ran.returncode:
        words = (ran.stderr.strip() or "it said nothing").splitlines()[-1]
        return "", f"benchmarks/{script.file} failed: {words}"
    return ran.stdout.strip(), ""


def _photos(folder: Path, count: int = 64) -> Path:
    """Write photos of noise: what is in them does not change how long features take."""
    import numpy as np
    from PIL import Image

    draw = np.random.default_rng(0)
    for number in range(count):
        noise = draw.integers(0, 256, (240, 320, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
    return folder


def judged(reading: Reading, text: str) -> dict[str, Any]:
    """Return the bar with what a script said of it."""
    bar: dict[str, Any] = {"words": reading.words, "limit": reading.limit, "met": None}
    bar |= {"ours": "Treadle", "asked_of": "Treadle", "peer": None}
    figures = reading.find(text)
    if figures is None:
        return bar | {"why": "the script does not say it"}
    is_above = figures[0] >= reading.limit
    return bar | {
        "ratio": figures,
        "met": is_above if reading.at_least else figures[0] <= reading.limit,
    }
