"""How fast, and in how much memory, does a table four times the memory budget train?

    python -m benchmarks.bench_parquet --budget "256 MB" --times 4 --pairs 3 --threads 1

A Parquet file is written to a temporary folder: 32 columns of float32 and a target, row groups of
65,536 rows, `times` × the budget once it is in memory. A small network (32 → 128 → 128 → 1, batch
256, AdamW, the plain eager step) trains on it twice, in processes of their own that take turns:

  memory   all rows in tensors                parquet   row groups, within the budget

Reported are rows a second, the warm-up outside the clock, and anonymous memory: the growth of
RssAnon from just before the data is touched (network and optimizer are there, a step was taken) to
its peak, looked at every 10 ms, so Linux only. In `parquet` it must stay within the budget.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.speed.machine import processor
from treadle.contracts import Cursor
from treadle.data.own_files import FileOptions, sources_of_files
from treadle.data.own_sources import TupleSource
from treadle.data.row_groups import RowGroupSource
from treadle.data.sizes import parse_bytes, spell_bytes
from treadle.loop.state import TrainState
from treadle.loop.step import EagerStep

NUM_INPUTS = 32
ROW_BYTES = 4 * (NUM_INPUTS + 1)
GROUP_ROWS = 65_536
BATCH_SIZE = 256
WARM_UP_STEPS = 300
CPU = torch.device("cpu")


def write_file(path: Path, num_rows: int) -> None:
    """Write `num_rows` rows of normal numbers, a row group at a time."""
    import pyarrow
    import pyarrow.parquet

    rng = np.random.default_rng(0)
    names = [f"c{number}" for number in range(NUM_INPUTS)] + ["y"]
    schema = pyarrow.schema([(name, pyarrow.float32()) for name in names])
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for start in range(0, num_rows, GROUP_ROWS):
            size = min(GROUP_ROWS, num_rows - start)
            cells = rng.standard_normal((len(names), size), dtype=np.float32)
            writer.write_table(pyarrow.table(list(cells), schema=schema))


def anonymous_bytes() -> int:
    """Return the anonymous memory of this process that is in RAM."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    raise SystemExit("This system does not tell anonymous memory: Linux is needed.")


class Peak(threading.Thread):
    """Looks at anonymous memory every 10 ms and keeps the most it saw."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.start_bytes = self.most_bytes = anonymous_bytes()
        self.start()

    def run(self) -> None:
        while True:
            self.most_bytes = max(self.most_bytes, anonymous_bytes())
            time.sleep(0.01)


def a_training() -> tuple[EagerStep, TrainState]:
    torch.manual_seed(7)
    layers = [nn.Linear(NUM_INPUTS, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()]
    module = nn.Sequential(*layers, nn.Linear(128, 1))
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    state = TrainState(model=module, optimizers={"main": optimizer})
    step = EagerStep(lambda batch: nn.functional.mse_loss(module(batch[0]), batch[1]))
    step.prepare(state)
    step(state, (torch.randn(BATCH_SIZE, NUM_INPUTS), torch.randn(BATCH_SIZE, 1)))
    return step, state


def a_source(arm: str, path: Path, budget: str) -> Any:
    if arm == "parquet":
        return from_files(path, budget, BATCH_SIZE)
    x_NF, y_N1 = next(from_files(path, 1 << 40, 1 << 40).once())
    return TupleSource((x_NF, y_N1), batch_size=BATCH_SIZE, seed=7)


def from_files(path: Path, memory: str | int, batch_size: int) -> RowGroupSource:
    files = FileOptions(target=["y"], memory=memory)
    source, _, _ = sources_of_files(path, None, files, batch_size=batch_size, seed=7, device=CPU)
    return source


def run_arm(arm: str, path: Path, budget: str, num_steps: int, threads: int) -> None:
    """Train on one kind of source and print what was measured as JSON."""
    torch.set_num_threads(threads)
    step, state = a_training()
    peak = Peak()
    source = a_source(arm, path, budget)
    if getattr(source, "is_kept_whole", False):
        raise SystemExit("The file fits into the budget: nothing is streamed.")
    batches: Iterator[Any] = source.batches(Cursor(0, 0))
    for _ in range(WARM_UP_STEPS):
        batch, _ = next(batches)
        step(state, batch)
    start = time.perf_counter()
    for _ in range(num_steps):
        batch, _ = next(batches)
        step(state, batch)
    seconds = time.perf_counter() - start
    groups = getattr(source, "groups_at_once", 0)
    print(
        json.dumps(
            {
                "rate": num_steps * BATCH_SIZE / seconds,
                "bytes": peak.most_bytes - peak.start_bytes,
                "groups": groups,
            }
        )
    )


def measured(arm: str, path: Path, options: argparse.Namespace) -> dict[str, float]:
    """Run one arm in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.bench_parquet", "--arm", arm, "--path", str(path)]
    for name in ("budget", "steps", "threads"):
        command += [f"--{name}", str(getattr(options, name))]
    root = Path(__file__).parent.parent
    ran = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    if ran.returncode:
        raise SystemExit(ran.stderr)
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return found


def compare(options: argparse.Namespace) -> None:
    budget = parse_bytes(options.budget)
    num_rows = options.times * budget // ROW_BYTES
    arms: dict[str, list[dict[str, float]]] = {"memory": [], "parquet": []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        write_file(path, num_rows)
        on_disk = spell_bytes(path.stat().st_size)
        for pair in range(options.pairs):
            for arm in sorted(arms, reverse=bool(pair % 2)):
                arms[arm].append(measured(arm, path, options))
    print(f"{processor()}, {options.threads} thread(s), torch {torch.__version__}")
    print(
        f"{num_rows:,} rows, {spell_bytes(num_rows * ROW_BYTES)} in memory, {on_disk} as Parquet; "
        f"budget {spell_bytes(budget)}: {arms['parquet'][0]['groups']:.0f} row groups of "
        f"{GROUP_ROWS:,} rows at once; {options.pairs} pairs of {options.steps:,} steps"
    )
    for arm, found in arms.items():
        rate = statistics.median(run["rate"] for run in found)
        most = max(run["bytes"] for run in found)
        print(
            f"{arm:8} {rate:10,.0f} rows/s  {BATCH_SIZE / rate * 1e6:6.0f} µs a step  "
            f"anonymous memory {spell_bytes(int(most))}"
        )
    pairs = zip(arms["parquet"], arms["memory"], strict=True)
    ratios = sorted(ours["rate"] / theirs["rate"] for ours, theirs in pairs)
    within = max(run["bytes"] for run in arms["parquet"]) / budget
    print(
        f"parquet turns at {statistics.median(ratios):.3f} × the rate in memory (pairs "
        f"{ratios[0]:.3f} to {ratios[-1]:.3f}), in {within:.2f} × the budget"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Train on a table larger than its memory budget.")
    parser.add_argument("--budget", default="256 MB")
    parser.add_argument("--times", type=int, default=4)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--arm", choices=["memory", "parquet"], help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.arm:
        run_arm(options.arm, options.path, options.budget, options.steps, options.threads)
    else:
        compare(options)


if __name__ == "__main__":
    main()
