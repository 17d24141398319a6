"""How fast does Treadle turn, beside what one could use instead, on this machine, in one run?

    make bench     or     python benchmarks/speed/run.py --only small,width --rounds 3

Every contender is a process of its own. They take turns, in rounds, while all others are stopped;
warming up and compiling are outside the clock. The results are kept as JSON, and
docs/benchmarks.md is written from them; with --only, the other works keep their last results.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.speed import elsewhere, machine, page, plot, targets  # noqa: E402
from benchmarks.speed.measure import Pythons, measured  # noqa: E402
from benchmarks.speed.works import Work, all_works  # noqa: E402

PLOTTED = {"small": "small-network.svg", "gpt": "character-gpt.svg"}
GROWTH_PLOT = "growth.svg"


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        started = time.monotonic()
        results = _measure_all(options, Path(scratch))
    _write(results, options.docs)
    print(f"{(time.monotonic() - started) / 60:.1f} minutes; see {options.docs}/benchmarks.md")


def _measure_all(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Measure what was asked for, keeping the results after each work."""
    works = all_works(options.data, quick=options.quick)
    wanted = _wanted(options, {work.group for work in works} | set(elsewhere.SCRIPTS))
    results = _earlier(options.results)
    results["machine"] = machine.described(options.peers, options.threads)
    if options.targets:
        more, skipped = targets.works(options.data, scratch)
        works, wanted = [*works, *more], wanted | {"targets"}
        results["skipped"] |= skipped
    pythons: Pythons = {"own": Path(sys.executable), "peers": options.peers}
    for work in works:
        if work.group in wanted:
            _say(work.title)
            found = measured(work, pythons, options.threads, _rounds(work, options), _say)
            results["works"][work.key] = found | _when(results["machine"])
            _keep(options.results, results)
    for name in elsewhere.SCRIPTS:
        if name in wanted:
            elsewhere.measure(name, results, pythons["own"], options)
            results["works"].get(name, {}).update(_when(results["machine"]))
            _keep(options.results, results)
    return results


def _wanted(options: argparse.Namespace, groups: set[str]) -> set[str]:
    if options.only is None:
        return set() if options.targets else groups
    asked = set(options.only.split(","))
    if unknown := asked - groups:
        raise SystemExit(
            f"--only: no work is called {', '.join(sorted(unknown))}; "
            f"there are {', '.join(sorted(groups))}."
        )
    return asked


def _say(words: str) -> None:
    print(words, flush=True)


def _when(described: dict[str, Any]) -> dict[str, str]:
    return {name: described[name] for name in ("date", "commit")}


def _rounds(work: Work, options: argparse.Namespace) -> int:
    return 1 if options.quick else min(options.rounds, work.rounds or options.rounds)


def _earlier(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return {"works": {}, "skipped": {}} | found


def _keep(path: Path, results: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1))


def _write(results: dict[str, Any], docs: Path) -> None:
    """Write the page and its drawings."""
    works = results["works"]
    pictures = docs / "benchmarks"
    pictures.mkdir(parents=True, exist_ok=True)
    plots = []
    for key, name in PLOTTED.items():
        if key in works and works[key]["rows"]:
            work = works[key]
            drawn = plot.bars(work["title"].split(":")[0], work["rows"], work["unit"])
            (pictures / name).write_text(drawn)
            plots.append(name)
    if any(key.startswith("growth-") for key in works):
        (pictures / GROWTH_PLOT).write_text(plot.growth(works))
        plots.append(GROWTH_PLOT)
    (docs / "benchmarks.md").write_text(page.page(results, plots))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--only", help="works by name, with commas: small,width,loop,gpt,…")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--quick", action="store_true", help="one round of fewer sizes: a rehearsal"
    )
    parser.add_argument("--data", type=Path, help="a folder of data sets, such as DATA/ieee-cis/…")
    parser.add_argument(
        "--targets", action="store_true", help="time to a target on real data (needs --data)"
    )
    parser.add_argument("--peers", type=Path, default=ROOT / ".venv-bench/bin/python")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    parser.add_argument(
        "--results", type=Path, default=ROOT / "benchmarks/speed/results/latest.json"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
