"""What does a batch from memory cost, and does it help to gather it in a thread?

    python -m benchmarks.bench_batches --threads 1 --pairs 9

Two tables, small (100,000 × 32 float32 and a target, batch 256) and wide (1,000,000 × 64, batch
4096), are taken in shuffled batches by three arms in turn, an epoch or 300 batches each:

  fresh        a permutation, cut and gathered by `index_select` into new tensors, as by hand
  Treadle      TupleSource
  DataLoader   torch's, over a TensorDataset, no worker processes

The first round is outside the clock. Reported are the medians in µs a batch, and Treadle's median
ratio to the other two of the same round. Then the small network and a wide one are trained, their
batches gathered where they are used or ahead in a thread, in turn as well.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import count, islice
from threading import Event
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.speed.machine import processor
from treadle.contracts import Cursor
from treadle.data.batches import order
from treadle.data.own_sources import TupleSource
from treadle.data.prefetch import read_ahead

SEED = 7
TABLES = {"small": (100_000, 32, 256, 391), "wide": (1_000_000, 64, 4096, 245)}
Batches = Callable[[], Iterator[Any]]


def fresh(x_NF: Tensor, y_N1: Tensor, batch_size: int) -> Batches:
    def batches() -> Iterator[Any]:
        for epoch in count():
            rows = order(len(x_NF), SEED, epoch)
            for start in range(0, len(x_NF), batch_size):
                part = rows[start : start + batch_size]
                yield x_NF.index_select(0, part), y_N1.index_select(0, part)

    return batches


def by_treadle(x_NF: Tensor, y_N1: Tensor, batch_size: int) -> Batches:
    source = TupleSource((x_NF, y_N1), batch_size=batch_size, seed=SEED)
    return lambda: (batch for batch, _ in source.batches(Cursor(0, 0)))


def by_loader(x_NF: Tensor, y_N1: Tensor, batch_size: int) -> Batches:
    loader = DataLoader(TensorDataset(x_NF, y_N1), batch_size=batch_size, shuffle=True)
    return lambda: iter(loader)


def ahead(x_NF: Tensor, y_N1: Tensor, batch_size: int) -> Batches:
    """Return batches of an epoch, gathered by numpy up to two ahead in a thread.

    The order is there before the clock starts: drawing it in the thread would be torch at work
    there, which slows every step on several threads.
    """
    x, y, rows = x_NF.numpy(), y_N1.numpy(), order(len(x_NF), SEED, 0).numpy()

    def fill(start: int, place: list[Any], stop: Event) -> None:
        part = rows[start : start + batch_size]
        place[:] = torch.from_numpy(x.take(part, 0)), torch.from_numpy(y.take(part, 0))

    starts = range(0, len(rows), batch_size)
    return lambda: map(tuple, read_ahead(starts, [[], [], []], fill))


def taking(batches: Batches, num_batches: int) -> float:
    """Return the seconds that taking some batches takes, one."""
    start = time.perf_counter()
    taken = sum(1 for _ in islice(batches(), num_batches))
    return (time.perf_counter() - start) / taken


def training(batches: Batches, num_batches: int, module: nn.Module) -> float:
    """Return the seconds that a plain step takes, one, its batch included."""
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    start = time.perf_counter()
    for x_BF, y_B1 in islice(batches(), num_batches):
        optimizer.zero_grad()
        nn.functional.mse_loss(module(x_BF), y_B1).backward()
        optimizer.step()
    return (time.perf_counter() - start) / num_batches


def in_turn(arms: dict[str, Callable[[], float]], num_rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each arm, round by round; the first round does not count."""
    times: dict[str, list[float]] = {name: [] for name in arms}
    for number in range(num_rounds + 1):
        for name in list(arms)[:: 1 if number % 2 else -1]:
            seconds = arms[name]()
            if number:
                times[name].append(seconds)
    return times


def tell(times: dict[str, list[float]], ours: str) -> None:
    for name, own in times.items():
        ratios = [mine / other for mine, other in zip(times[ours], own, strict=True)]
        print(
            f"  {name:10} {statistics.median(own) * 1e6:8.1f} µs   "
            f"{ours} takes {statistics.median(ratios):.3f} × of it"
        )


def compare(name: str, num_rounds: int) -> None:
    num_rows, width, batch_size, steps = TABLES[name]
    generator = torch.Generator().manual_seed(SEED)
    data = (
        torch.randn(num_rows, width, generator=generator),
        torch.randn(num_rows, 1, generator=generator),
    )
    made = {"fresh": fresh, "Treadle": by_treadle, "DataLoader": by_loader}
    arms = {arm: make(*data, batch_size) for arm, make in made.items()}
    print(f"{name}: {num_rows:,} × {width}, batch {batch_size:,}, a batch")
    few = {"DataLoader": 3} if name == "wide" else {}
    taken = {arm: lambda arm=arm: taking(arms[arm], few.get(arm, steps)) for arm in arms}
    tell(in_turn(taken, num_rounds), "Treadle")
    layers = [nn.Linear(width, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()]
    module = nn.Sequential(*layers, nn.Linear(128, 1))
    few_steps = 391 if name == "small" else 60
    gathered_ahead = ahead(*data, batch_size)
    trained = {
        "in place": lambda: training(arms["Treadle"], few_steps, module),
        "ahead": lambda: training(gathered_ahead, few_steps, module),
    }
    print(f"{name}: a step of a network {width} → 128 → 128 → 1, its batch gathered")
    tell(in_turn(trained, num_rounds), "in place")


def main() -> None:
    parser = argparse.ArgumentParser(description="Time batches from memory.")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{processor()}, {options.threads} thread(s), torch {torch.__version__}")
    for name in TABLES:
        compare(name, options.pairs)


if __name__ == "__main__":
    main()
