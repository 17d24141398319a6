"""Does a killed run end as if nothing had happened? kill -9 at random steps, resumed each time.

    python benchmarks/quality/resume.py module
    python benchmarks/quality/resume.py table --model neural        (or trees, or auto)
    python benchmarks/quality/resume.py table --data adult.csv --target income --until "8 epochs"
    python benchmarks/quality/resume.py images --data FOLDER
    python benchmarks/quality/resume.py events --data events.csv

First a run is left alone. Then others are started by the same command, killed after random steps
(every other time just after a save was begun), resumed, killed again, and at last left to end.
Compared to the bit: the files of
the model, the last checkpoint of every member (weights, optimizer, random generators, counters),
the curves without their clock, and the figures of the result. Data is generated unless given.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np

from treadle.folder import RunFolder

SOURCE = Path(__file__).parent.parent.parent / "src" / "treadle"
UNTIL = {"module": "30 epochs", "table": "6 epochs", "images": "40 epochs", "events": "6 epochs"}
MODULE = """
    import torch, treadle
    from torch import nn
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x = torch.randn(4_000, 20)
    y = (x[:, :5] + x[:, 5:10] ** 2).argmax(1)
    module = nn.Sequential(nn.Linear(20, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.2),
                           nn.Linear(64, 5))
    def build():
        return treadle.fit(module, (x, y), loss="cross_entropy", metrics=["accuracy", "log_loss"],
                           average=0.99, schedule="cosine", accumulate=2, clip_norm=1.0,
                           batch_size=64, until={until!r}, save_every_seconds={save_every},
                           out=sys.argv[0], resume=True)
    build()
"""


KILLER = """
    import atexit, os, pathlib, signal, sys
    from treadle.loop.checkpoint import Saver

    kill_after, when, counted, *sys.argv = sys.argv[1:]
    real, taken = Saver.__call__, 0

    def call(self, state):
        global taken
        taken += 1
        if when == "before" and taken == int(kill_after):
            os.kill(os.getpid(), signal.SIGKILL)
        real(self, state)
        if taken == int(kill_after):
            os.kill(os.getpid(), signal.SIGKILL)

    Saver.__call__ = call
    atexit.register(lambda: pathlib.Path(counted).write_text(str(taken)))
"""
COMMAND = """
    from treadle.cli.main import main
    main(sys.argv)
"""


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as text:
        place = Path(text)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(SOURCE, place / "package" / "treadle", ignore=ignored)
        command = Command(options, place)
        began = time.monotonic()
        steps = command.run(place / "whole")
        expected = outcome(place / "whole")
        seconds = time.monotonic() - began
        print(f"left alone: {steps:,} steps, {seconds:.1f} s, {stopped(place / 'whole')}")
        failed = 0
        for number in range(options.runs):
            out = place / f"killed-{number}"
            fell = killed_run(command, out, steps, options.kills, number)
            failed += report(number, fell, outcome(out), expected)
    raise SystemExit(1 if failed else 0)


class Command:
    """How a run of a kind is started, resumed, and killed after so many steps."""

    def __init__(self, options: argparse.Namespace, place: Path) -> None:
        self.environment = os.environ | {
            "PYTHONPATH": str(place / "package"),
            "OMP_NUM_THREADS": "1",
            "XDG_CACHE_HOME": str(place / "cache"),
        }
        self.script, self.counted, self.log = place / "run.py", place / "counted", place / "log"
        rounds = options.kind == "table" and options.model == "trees"
        until = options.until or ("300 epochs" if rounds else UNTIL[options.kind])
        rest = COMMAND
        self.first: list[str] = []
        self.again: list[str] = []
        if options.kind == "module":
            rest = MODULE.format(until=until, save_every=options.save_every)
        else:
            data, named = _data(options, place)
            given = ["--save-every", str(options.save_every), "--threads", "1", "--until", until]
            kind = ["--kind", options.kind]
            self.first = ["fit", str(data), *kind, *named, *given, "--out"]
            self.again = ["resume"]
        self.script.write_text(textwrap.dedent(KILLER) + textwrap.dedent(rest))

    def run(self, out: Path, kill_after: int = 0, when: str = "before") -> int:
        """Start or resume the run at `out`; return the steps it took, or 0 when it was killed."""
        words = self.again if (out / "config.json").exists() else self.first
        how = [str(kill_after), when, str(self.counted)]
        with self.log.open("wb") as log:
            ended = subprocess.run(
                [sys.executable, str(self.script), *how, *words, str(out)],
                env=self.environment,
                stdout=log,
                stderr=log,
                check=False,
            ).returncode
        if ended == -signal.SIGKILL:
            return 0
        if ended:
            raise SystemExit(f"{out.name} failed:\n{self.log.read_text()[-3_000:]}")
        return int(self.counted.read_text())


def killed_run(command: Command, out: Path, steps: int, kills: int, seed: int) -> list[str]:
    """Turn a run to its end through so many kills; return where each of them fell."""
    draw, fell, left = random.Random(seed), [], steps  # noqa: S311 moments, no secrets
    for kill in range(kills):
        after = draw.randint(1, max(1, left * (kill + 1) // (kills + 1)))
        if command.run(out, after, ("before", "after")[(seed + kill) % 2]):
            return [*fell, "never: the run came to its end"]
        left -= after
        fell.append(f"{after:,} steps, newest checkpoint {newest_steps(out)}")
    command.run(out)
    return fell


def runs_in(out: Path) -> dict[str, Path]:
    """Return the run and its members by name."""
    return {"": out} | {place.name: place for place in sorted((out / "members").glob("*"))}


def newest_steps(out: Path) -> str:
    """Return the newest checkpoint of the run and its members."""
    found = []
    for name, place in runs_in(out).items():
        newest = max((p.name for p in (place / "checkpoints").glob("step-*")), default="")
        if newest:
            found.append(f"{name + ' ' if name else ''}{int(newest.split('-')[1]):,}")
    return " + ".join(found) or "none"


def outcome(out: Path) -> dict[str, Any]:
    """Return all that must be equal to the bit, by name."""
    found: dict[str, Any] = {
        f"model/{file.relative_to(out / 'model')}": file.read_bytes()
        for file in sorted((out / "model").rglob("*"))
        if file.is_file()
    }
    for name, place in runs_in(out).items():
        for file, content in last_checkpoint(place).items():
            found[f"{name}/checkpoint/{file}"] = content
        found[f"{name}/curve"] = curve(place)
    return found | {"result": figures(out)}


def last_checkpoint(run: Path) -> dict[str, Any]:
    places = sorted((run / "checkpoints").glob("step-*"))
    if not places:
        return {}
    files: dict[str, Any] = {f.name: f.read_bytes() for f in places[-1].glob("*.safetensors")}
    facts = json.loads((places[-1] / "state.json").read_text())
    return files | {"state.json": {k: v for k, v in facts.items() if k != "seconds"}}


def curve(run: Path) -> list[Any]:
    clock = ("attempt", "clock")
    return [{k: v for k, v in p.items() if k not in clock} for p in RunFolder(run).metrics()]


def figures(out: Path) -> Any:
    """Return the result without what a clock says, and without its own place."""
    result = json.loads((out / "result.json").read_text())
    return _without(result, {"seconds", "samples_per_second", "run", "seconds_per_step"})


def _without(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {k: _without(v, names) for k, v in value.items() if k not in names}
    return [_without(v, names) for v in value] if isinstance(value, list) else value


def stopped(out: Path) -> str:
    found = json.loads((out / "result.json").read_text())["stopped"]
    return f"stopped at step {found['step']:,} ({found['reason']})"


def report(number: int, fell: list[str], got: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Print one run's line, and what differs; return whether anything does."""
    names = [name for name in got.keys() | expected.keys() if got.get(name) != expected.get(name)]
    verdict = f"{len(names)} of {len(expected)} DIFFER" if names else "equal to the bit"
    print(f"run {number}: killed after {'; then after '.join(fell)}: {verdict}")
    for name in sorted(names):
        print(f"    {name}: {_words(got.get(name), expected.get(name))}")
    return bool(names)


def _words(got: Any, expected: Any) -> str:
    if isinstance(got, bytes) or isinstance(expected, bytes):
        return f"{len(got or b'')} and {len(expected or b'')} bytes"
    if isinstance(got, dict) and isinstance(expected, dict):
        keys = [key for key in got.keys() | expected.keys() if got.get(key) != expected.get(key)]
        return "; ".join(f"{k}: {str(got.get(k))[:90]} ≠ {str(expected.get(k))[:90]}" for k in keys)
    if isinstance(got, list) and isinstance(expected, list):
        first = next((i for i, (a, b) in enumerate(zip(got, expected, strict=False)) if a != b), -1)
        return f"{len(got)} and {len(expected)} points, first at {first}"
    return f"{got} ≠ {expected}"


def _data(options: argparse.Namespace, place: Path) -> tuple[Path, list[str]]:
    """Return the data's place, and the options that name its parts."""
    named = ["--target", options.target] if options.target else []
    if options.kind == "table":
        named += ["--model", options.model]
    if options.data is not None:
        return options.data, named
    draw = np.random.default_rng(0)
    if options.kind == "table":
        return _table(draw, place / "table.csv"), ["--target", "bought", "--model", options.model]
    if options.kind == "images":
        return _photos(draw, place / "photos"), []
    return _log(draw, place / "log.csv"), []


def _table(draw: np.random.Generator, path: Path) -> Path:
    import polars as pl

    rows = 6_000
    numbers = draw.normal(size=(rows, 6))
    city = draw.integers(0, 30, rows)
    chance = 1 / (1 + np.exp(-(numbers[:, 0] + numbers[:, 1] * numbers[:, 2] + (city % 3) - 1)))
    columns: dict[str, Any] = {f"n{i}": numbers[:, i] for i in range(6)}
    columns |= {"city": [f"city {c}" for c in city], "bought": draw.random(rows) < chance}
    pl.DataFrame(columns).with_columns(pl.col("bought").cast(pl.String)).write_csv(path)
    return path


def _photos(draw: np.random.Generator, folder: Path) -> Path:
    from PIL import Image

    for name, color in (("warm", (200, 90, 60)), ("cold", (60, 90, 200)), ("grey", (120,) * 3)):
        (folder / name).mkdir(parents=True)
        for number in range(40):
            noise = draw.normal(0, 60, (96, 96, 3)) + np.array(color)
            Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(
                folder / name / f"{number}.png"
            )
    return folder


def _log(draw: np.random.Generator, path: Path) -> Path:
    import polars as pl

    users, items = 400, 120
    rows: list[dict[str, Any]] = []
    for user in range(users):
        item, start = int(draw.integers(items)), int(draw.integers(0, 80 * 86_400))
        for click in range(int(draw.integers(8, 30))):
            seconds = start + click * 3_600 * int(draw.integers(1, 20))
            rows.append({"user": f"u{user}", "item": f"i{item}", "time": 1_600_000_000 + seconds})
            item = (item + int(draw.integers(1, 4))) % items
    pl.DataFrame(rows).sort("time").write_csv(path)
    return path


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Kill runs at random moments and resume them.")
    parser.add_argument("kind", choices=["module", "table", "images", "events"])
    parser.add_argument("--data", type=Path, help="a file or folder; generated without it")
    parser.add_argument("--target", help="tables: the column to predict")
    parser.add_argument("--model", default="neural", choices=["neural", "trees", "auto"])
    parser.add_argument("--until", help='without minutes, e.g. "8 epochs"')
    parser.add_argument("--runs", type=int, default=3, help="runs to kill")
    parser.add_argument("--kills", type=int, default=2, help="kills in each run")
    parser.add_argument("--save-every", type=float, default=0.2, help="seconds between saves")
    return parser.parse_args()


if __name__ == "__main__":
    main()
