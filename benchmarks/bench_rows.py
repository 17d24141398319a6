"""How fast are updates of the touched rows alone, beside dense Adam and torch's SparseAdam?

    python -m benchmarks.bench_rows --threads 2 --rounds 7

All arms train the same model, a table of 1,000,000 × 64 and one linear layer on it, on the same
lookups in batches of 4096, from the same weights. They take turns in one process; each round gives
one ratio, and the median ratio is reported. Lookups are drawn evenly, and with chances that fall
as one over the rank (many rows twice in a batch). The first steps of each arm, in which the
system hands out the memory of the moments, are outside the clock.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from treadle.data.batches import TensorSource
from treadle.loop.loop import turn
from treadle.loop.row_adam import RowAdam
from treadle.loop.state import TrainState
from treadle.loop.step import EagerStep
from treadle.loop.until import steps

NUM_IDENTITIES, WIDTH, BATCH_SIZE, NUM_ROWS = 1_000_000, 64, 4096, 1_000_000
RATE, SEED = 1e-3, 7
Arm = Callable[[int], None]
Optimizers = list[torch.optim.Optimizer]


class Scores(nn.Module):
    """A table of vectors and one linear layer: identities int64 [B] → logits float32 [B]."""

    def __init__(self, *, sparse: bool) -> None:
        super().__init__()
        torch.manual_seed(SEED)
        self.table = nn.Embedding(NUM_IDENTITIES, WIDTH, sparse=sparse)
        self.head = nn.Linear(WIDTH, 1)

    def forward(self, identities_B: Tensor) -> Tensor:
        logits: Tensor = self.head(self.table(identities_B))[:, 0]
        return logits


def lookups(kind: str) -> tuple[Tensor, Tensor]:
    """Return identities int64 [N] and answers float32 [N]."""
    draw = torch.Generator().manual_seed(SEED)
    uniform = torch.rand(NUM_ROWS, generator=draw, dtype=torch.float64)
    if kind == "even":
        identities_N = (uniform * NUM_IDENTITIES).long()
    else:
        rank_N = (NUM_IDENTITIES**uniform).long() - 1
        identities_N = torch.randperm(NUM_IDENTITIES, generator=draw)[rank_N]
    taste = torch.rand(NUM_IDENTITIES, generator=draw)
    return identities_N, (torch.rand(NUM_ROWS, generator=draw) < taste[identities_N]).float()


def dense(network: Scores) -> Optimizers:
    return [torch.optim.Adam(network.parameters(), lr=RATE)]


def sparse(network: Scores) -> Optimizers:
    return [torch.optim.SparseAdam(network.table.parameters(), lr=RATE), _of_head(network)]


def by_rows(network: Scores) -> Optimizers:
    return [RowAdam(network.table.parameters(), lr=RATE), _of_head(network)]


def _of_head(network: Scores) -> torch.optim.Optimizer:
    return torch.optim.AdamW(network.head.parameters(), lr=RATE, fused=True)


def by_hand(network: Scores, optimizers: Optimizers, x_N: Tensor, y_N: Tensor) -> Arm:
    """Return what trains some more steps, as a careful engineer would write it."""
    start = 0

    def train(count: int) -> None:
        nonlocal start
        for _ in range(count):
            batch = slice(start, start + BATCH_SIZE)
            start = (start + BATCH_SIZE) % (NUM_ROWS - BATCH_SIZE)
            for optimizer in optimizers:
                optimizer.zero_grad()
            binary_cross_entropy_with_logits(network(x_N[batch]), y_N[batch]).backward()
            for optimizer in optimizers:
                optimizer.step()

    return train


def by_treadle(network: Scores, optimizers: Optimizers, x_N: Tensor, y_N: Tensor) -> Arm:
    """Return what turns the loop for some more steps; its rows are shuffled."""
    state = TrainState(model=network, optimizers={str(i): o for i, o in enumerate(optimizers)})
    source = TensorSource({"x": x_N, "y": y_N}, batch_size=BATCH_SIZE, seed=SEED)
    step = EagerStep(
        lambda batch: binary_cross_entropy_with_logits(network(batch["x"]), batch["y"])
    )
    step.prepare(state)

    def train(count: int) -> None:
        turn(state, source, step, until=steps(state.step + count))

    return train


def arms(x_N: Tensor, y_N: Tensor) -> dict[str, tuple[Arm, int, int]]:
    """Return by name: what trains, the steps of its warm-up, and those of a turn."""

    def make(way: Callable[..., Arm], optimizers: Callable[[Scores], Optimizers]) -> Arm:
        network = Scores(sparse=optimizers is not dense)
        return way(network, optimizers(network), x_N, y_N)

    return {
        "torch by hand, dense Adam": (make(by_hand, dense), 2, 3),
        "torch by hand, SparseAdam": (make(by_hand, sparse), 150, 100),
        "torch by hand, RowAdam": (make(by_hand, by_rows), 150, 200),
        "Treadle, SparseAdam": (make(by_treadle, sparse), 150, 100),
        "Treadle, RowAdam": (make(by_treadle, by_rows), 150, 200),
    }


def compare(kind: str, num_rounds: int) -> dict[str, list[float]]:
    """Return by arm the seconds a step of each round."""
    taking_part = arms(*lookups(kind))
    for train, warm_up, _ in taking_part.values():
        train(warm_up)
    found: dict[str, list[float]] = {name: [] for name in taking_part}
    for turn_number in range(num_rounds):
        order = list(taking_part.items())
        for name, (train, _, count) in order if turn_number % 2 else reversed(order):
            start = time.perf_counter()
            train(count)
            found[name].append((time.perf_counter() - start) / count)
    return found


def show(kind: str, found: dict[str, list[float]]) -> None:
    print(f"\nlookups {kind}         µs a step    × dense    × SparseAdam by hand (lowest–highest)")
    hand = list(found.values())[:2]
    for name, times in found.items():
        of_dense, of_sparse = (
            sorted(own / other for own, other in zip(times, others, strict=True)) for others in hand
        )
        print(
            f"{name:26s} {statistics.median(times) * 1e6:9,.0f}  {statistics.median(of_dense):9.4f}"
            f"  {statistics.median(of_sparse):9.3f} ({of_sparse[0]:.3f}–{of_sparse[-1]:.3f})"
        )
    ours = found["Treadle, RowAdam"]
    faster = statistics.median(d / o for d, o in zip(hand[0], ours, strict=True))
    print(f"Treadle with RowAdam is {faster:.0f} × as fast as the loop with dense Adam")


def main() -> None:
    parser = argparse.ArgumentParser(description="Time updates of the touched rows alone.")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--lookups", choices=["even", "by rank"], nargs="*")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} thread(s), {options.rounds} rounds")
    for kind in options.lookups or ["even", "by rank"]:
        show(kind, compare(kind, options.rounds))
        gc.collect()


if __name__ == "__main__":
    main()
