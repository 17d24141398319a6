"""What does it cost to save a checkpoint a minute, as training does unless told otherwise?

    python -m benchmarks.bench_checkpoints --threads 2 --rounds 5

Two networks are trained, a small and a larger one. In each round one save is begun in the middle
of some seconds of training. Its price is how much longer than the others the step took behind which
the state was copied, and how much longer than the others the steps took that were turned beside
the hashing, writing and syncing. Others are the steps of the same round before and after; their
median is taken, so whatever else the machine did beside the save counts against the save.
One save is due every 60 seconds, so its share of the time is that price by 60 seconds.
"""

from __future__ import annotations

import argparse
import inspect
import math
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from treadle.contracts import Batch
from treadle.data.batches import TensorSource
from treadle.loop.checkpoint import Saver
from treadle.loop.loop import turn
from treadle.loop.state import TrainState
from treadle.loop.step import EagerStep
from treadle.loop.until import steps

NUM_ROWS, NUM_INPUTS, NUM_CLASSES, SEED = 20_000, 100, 10, 7
EVERY_SECONDS = inspect.signature(Saver).parameters["every_seconds"].default
SIZES = {"small": (128, 2, 256), "larger": (2048, 4, 512)}
"""By name: width, hidden layers, rows of a batch."""
SECONDS_A_ROUND = 4.0


@dataclass(frozen=True, kw_only=True)
class Save:
    """What one save cost.

    held_seconds:   how much longer the step took behind which the copy was made
    beside_seconds: how long the save went on beside the training
    lost_seconds:   how much longer the steps beside it took, all together
    """

    held_seconds: float
    beside_seconds: float
    lost_seconds: float


class Training:
    """One network in training, a step of which is timed."""

    def __init__(self, width: int, depth: int, batch_size: int) -> None:
        torch.manual_seed(SEED)
        layers: list[nn.Module] = [nn.Linear(NUM_INPUTS, width), nn.ReLU()]
        for _ in range(depth - 1):
            layers += [nn.Linear(width, width), nn.ReLU()]
        net = nn.Sequential(*layers, nn.Linear(width, NUM_CLASSES))
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-4, fused=True)
        self.state = TrainState(model=net, optimizers={"main": optimizer})
        data = {
            "x": torch.randn(NUM_ROWS, NUM_INPUTS),
            "y": torch.randint(NUM_CLASSES, (NUM_ROWS,)),
        }
        self.source = TensorSource(data, batch_size=batch_size, seed=SEED)

        def loss(batch: Batch) -> Tensor:
            return cross_entropy(net(batch["x"]), batch["y"])

        self.step = EagerStep(loss)
        self.step.prepare(self.state)

    def turn(self, count: int, saver: Saver | None = None, save_at: int = 0) -> list[float]:
        """Train `count` steps, begin a save behind one of them, and return when each ended."""
        ends = [time.perf_counter()]

        def watch(state: TrainState) -> None:
            if saver is not None:
                saver.every_seconds = 0.0 if len(ends) == save_at else math.inf
                saver(state)
            ends.append(time.perf_counter())

        turn(self.state, self.source, self.step, [watch], steps(self.state.step + count))
        return ends

    @property
    def megabytes(self) -> float:
        files, _ = self.state.snapshot()
        return sum(t.nbytes for group in files.values() for t in group.values()) / 1e6


def price(training: Training, count: int, folder: Path) -> Save:
    """Train `count` steps, begin a save in their middle, and return what it cost."""
    saver, save_at = Saver(folder), count // 2
    ends = training.turn(count, saver, save_at)
    waiting = time.perf_counter()
    saver.wait()
    waited = time.perf_counter() - waiting
    assert saver.saved_step is not None, "the save failed"
    written = max(path.stat().st_mtime for path in folder.rglob("*"))
    began = time.time() - (time.perf_counter() - ends[save_at])
    beside = max(0.0, written - began)
    seconds = [end - start for start, end in pairwise(ends)]
    is_beside = [0 <= start - ends[save_at] < beside for start in ends[:-1]]
    copied = save_at - 1
    others = [s for i, s in enumerate(seconds) if not is_beside[i] and i != copied]
    usual = statistics.median(others)
    during = [s for s, is_in in zip(seconds, is_beside, strict=True) if is_in]
    return Save(
        held_seconds=seconds[copied] - usual,
        beside_seconds=beside,
        lost_seconds=sum(during) - usual * len(during) + waited,
    )


def show(name: str, saves: list[Save], training: Training, step: float) -> None:
    """Print what a save cost: the median of the rounds, and the lowest and highest."""

    def said(seconds: list[float]) -> str:
        middle, ordered = statistics.median(seconds), sorted(seconds)
        return f"{middle * 1e3:8.1f} ms ({ordered[0] * 1e3:.1f} to {ordered[-1] * 1e3:.1f})"

    whole = [save.held_seconds + save.lost_seconds for save in saves]
    print(f"\n{name}: {training.megabytes:,.1f} MB a checkpoint, {step * 1e3:.2f} ms a step")
    print(f"  a step is held up by the copy    {said([save.held_seconds for save in saves])}")
    print(f"  the save goes on beside it for   {said([save.beside_seconds for save in saves])}")
    print(f"  the steps beside it are held up  {said([save.lost_seconds for save in saves])}")
    print(f"  the price of a save              {said(whole)}")
    share, worst = statistics.median(whole) / EVERY_SECONDS, max(whole) / EVERY_SECONDS
    print(f"  of the time, one save every {EVERY_SECONDS:g} s: {share:.3%} (at worst {worst:.3%})")


def main() -> None:
    parser = argparse.ArgumentParser(description="Time what saving a checkpoint costs.")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", choices=list(SIZES), nargs="*", default=list(SIZES))
    parser.add_argument("--folder", type=Path, help="where to save; on the disk that matters")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} thread(s), {options.rounds} rounds")
    for name in options.sizes:
        training = Training(*SIZES[name])
        training.turn(20)
        step = statistics.median(end - start for start, end in pairwise(training.turn(20)))
        count = max(20, int(SECONDS_A_ROUND / step))
        saves = []
        for _ in range(options.rounds + 1):
            place = Path(tempfile.mkdtemp(dir=options.folder))
            try:
                saves.append(price(training, count, place / "checkpoints"))
            finally:
                shutil.rmtree(place)
        show(name, saves[1:], training, step)  # the first one warms up


if __name__ == "__main__":
    main()
