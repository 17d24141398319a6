"""Find the right learning rate of each sound training: the rates in the bases come from here.

    python -m benchmarks.zoo.sweep OUT [--only PATTERN] [--data FOLDER]

Each base is trained at rates a factor of √10 apart, and its best validation is written down,
one JSON line a training; rates that are there already are not tried again.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from dataclasses import asdict, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from benchmarks.zoo.bases import OWN_BASES
from benchmarks.zoo.own import OwnBase, OwnSettings, fit_own
from benchmarks.zoo.plants import Plant
from benchmarks.zoo.recipe import Place, Recipe
from treadle.errors import DivergedError

HALF_DECADES = range(-8, 2)


def main() -> None:
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    kept = options.out / "sweep.jsonl"
    known = _known(kept)
    for base in OWN_BASES:
        if not fnmatch(base.name, options.only):
            continue
        curve = {}
        for power in HALF_DECADES:
            rate = round(10 ** (power / 2), 6)
            key = json.dumps([asdict(replace(base, rate=rate)), options.seed])
            if key not in known:
                known[key] = _tried(replace(base, rate=rate), options)
                with kept.open("a") as file:
                    file.write(json.dumps({"key": key, "found": known[key]}) + "\n")
            curve[rate] = known[key]
        print(_told(base, curve), flush=True)


def _known(path: Path) -> dict[str, Any]:
    lines = path.read_text().splitlines() if path.exists() else []
    return {line["key"]: line["found"] for line in map(json.loads, lines)}


def _tried(base: OwnBase, options: argparse.Namespace) -> dict[str, Any]:
    recipe = Recipe(
        name=base.name,
        cause="healthy",
        kind="module",
        base=base.name,
        seed=options.seed,
        settings=OwnSettings(base=base, plant=Plant()),
    )
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        place = Place(folder=Path(scratch), data=options.data, cache=options.cache)
        try:
            fit_own(recipe, place)
        except DivergedError:
            return {"best": None}
        lines = (Path(scratch) / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    losses = [_number(row["values"]["loss"]) for row in rows]
    found = {"best": min(losses), "last": losses[-1], "first": losses[0]}
    return found | {
        "train": _number(rows[-1]["values"]["train_loss"]),
        "best_at": losses.index(min(losses)) / max(1, len(losses) - 1),
        "seconds": round(time.monotonic() - start, 2),
    }


def _number(value: float | None) -> float:
    """Return a number of a curve; what was not finite is written as null."""
    return math.inf if value is None else value


def _told(base: OwnBase, curve: dict[float, dict[str, Any]]) -> str:
    """Return a line of best validation losses by rate, the base's own marked."""
    sound = {rate: found for rate, found in curve.items() if found["best"] is not None}
    best = min(sound, key=lambda rate: sound[rate]["best"])
    cells = []
    for rate, found in curve.items():
        value = "diverged" if found["best"] is None else f"{found['best']:.3f}"
        cells.append(f"{rate:g}:{value}" + ("*" if rate == best else ""))
    of_best = sound[best]
    shape = f"train {of_best['train']:.3f} last {of_best['last']:.3f} at {of_best['best_at']:.2f}"
    return f"{base.name:24} {base.rate:g} | {'  '.join(cells)} | {shape} {of_best['seconds']} s"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", default="*")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache/treadle/zoo")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
