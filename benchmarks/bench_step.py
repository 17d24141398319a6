"""How fast is Treadle's eager step beside the loop one would write by hand?

    make bench        or        python benchmarks/bench_step.py --threads 1 --pairs 15

Both arms train the same network (32 → 128 → 128 → 1) with AdamW on the same 100,000 rows, sliced
from tensors in memory in batches of 256 and in the same order, from the same weights. They take
turns, an epoch each, in one process; each pair gives one ratio, and the median ratio is reported.
The first epoch of each arm is outside the clock. The weights must come out equal to the bit.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from treadle.data.batches import TensorSource, order
from treadle.loop.loop import turn
from treadle.loop.state import TrainState
from treadle.loop.step import EagerStep
from treadle.loop.until import epochs

NUM_ROWS = 100_000
NUM_INPUTS = 32
BATCH_SIZE = 256
SEED = 7
Arm = Callable[[], None]


def network() -> nn.Module:
    torch.manual_seed(SEED)
    layers = [nn.Linear(NUM_INPUTS, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(128, 1))


def by_hand(module: nn.Module, x_NF: Tensor, y_N1: Tensor) -> Arm:
    """Return what trains one more epoch, as a careful engineer would write it."""
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    epoch = 0

    def train_epoch() -> None:
        nonlocal epoch
        rows = order(NUM_ROWS, SEED, epoch)
        for start in range(0, NUM_ROWS, BATCH_SIZE):
            batch = rows[start : start + BATCH_SIZE]
            x_BF, y_B1 = x_NF.index_select(0, batch), y_N1.index_select(0, batch)
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(module(x_BF), y_B1)
            loss.backward()
            optimizer.step()
        epoch += 1

    return train_epoch


def by_treadle(module: nn.Module, x_NF: Tensor, y_N1: Tensor) -> Arm:
    """Return what turns the loop one more epoch."""
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    state = TrainState(model=module, optimizers={"main": optimizer})
    source = TensorSource({"x": x_NF, "y": y_N1}, batch_size=BATCH_SIZE, seed=SEED)
    step = EagerStep(lambda batch: nn.functional.mse_loss(module(batch["x"]), batch["y"]))
    step.prepare(state)

    def train_epoch() -> None:
        turn(state, source, step, until=epochs(state.epoch + 1))

    return train_epoch


def seconds(arm: Arm) -> float:
    start = time.perf_counter()
    arm()
    return time.perf_counter() - start


def compare(num_pairs: int) -> tuple[list[float], list[float]]:
    """Return the seconds per epoch by hand and by Treadle, pair by pair."""
    generator = torch.Generator().manual_seed(SEED)
    x_NF = torch.randn(NUM_ROWS, NUM_INPUTS, generator=generator)
    y_N1 = torch.randn(NUM_ROWS, 1, generator=generator)
    modules = [network() for _ in range(2)]
    assert all(map(torch.equal, modules[0].parameters(), modules[1].parameters()))
    arms = [by_hand(modules[0], x_NF, y_N1), by_treadle(modules[1], x_NF, y_N1)]
    for arm in arms:
        arm()
    times: tuple[list[float], list[float]] = ([], [])
    for pair in range(num_pairs):
        for which in (0, 1) if pair % 2 else (1, 0):
            times[which].append(seconds(arms[which]))
    if not all(map(torch.equal, modules[0].parameters(), modules[1].parameters())):
        raise SystemExit("The two arms came to different weights: the comparison means nothing.")
    return times


def processor() -> str:
    """Return the processor's name, where the system tells it."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the eager step beside a hand-written loop.")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    hand, treadle = compare(options.pairs)
    ratios = sorted(ours / theirs for ours, theirs in zip(treadle, hand, strict=True))
    steps = -(-NUM_ROWS // BATCH_SIZE)
    print(f"{processor()}, {options.threads} thread(s), torch {torch.__version__}")
    print(f"{options.pairs} pairs of epochs of {steps} steps; weights equal to the bit")
    for name, times in (("by hand", hand), ("Treadle", treadle)):
        typical = statistics.median(times)
        print(f"{name}: {typical / steps * 1e6:6.0f} µs a step, {NUM_ROWS / typical:9,.0f} rows/s")
    print(
        f"Treadle takes {statistics.median(ratios):.3f} × the time by hand "
        f"(lowest pair {ratios[0]:.3f}, highest {ratios[-1]:.3f})"
    )


if __name__ == "__main__":
    main()
