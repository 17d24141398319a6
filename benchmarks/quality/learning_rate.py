"""The learning rate that is found beside the best of a sweep over twelve, on small tasks.

    python benchmarks/quality/learning_rate.py [--only NAME] [--schedule held|constant|cosine|…]
    python benchmarks/quality/learning_rate.py --too-high

For each task: twelve trainings at rates from 1e-5 to 1 (seed 0); the best rate again with seeds 1
to 3; and `lr="auto"` with seeds 1 to 3. It holds where the mean validation loss of auto is within
2 % of the sweep's, or within one standard deviation of its seeds. Times are those of the same
processes: of auto, search and training together.

With `--too-high` each task is trained at 10, 30 and 100 times a good rate (KNOWN, from the sweep),
with no help: how many end within 3 % of what the good rate reaches (the mean of three seeds)?
"""

from __future__ import annotations

import argparse
import itertools
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor, nn

import treadle
from treadle.errors import DivergedError

RATES = [float(rate) for rate in np.logspace(-5, 0, 12)]
SEEDS = (1, 2, 3)
Arrays = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Task:
    """A small problem: what makes the network, the rows, the loss, how long and in what batches."""

    name: str
    network: Callable[[], nn.Module]
    rows: Callable[[], Arrays]
    loss: str
    epochs: int
    batch_size: int


def dense(*widths: int, act: type[nn.Module] = nn.ReLU, norm: type[nn.Module] | None = None) -> Any:
    def make() -> nn.Module:
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths[:-1]):
            layers += [nn.Linear(before, after), *([norm(after)] if norm else []), act()]
        return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))

    return make


class Convolutions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(24 * 16, 10),
        )  # fmt: skip

    def forward(self, pixels: Tensor) -> Tensor:
        out: Tensor = self.body(pixels.reshape(-1, 1, 8, 8))
        return out


class Recurrent(nn.Module):
    def __init__(self, symbols: int, classes: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(symbols, 12)
        self.body = nn.GRU(12, 24, batch_first=True)
        self.head = nn.Linear(24, classes)

    def forward(self, symbols: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(self.embed(symbols))[0][:, -1])
        return out


class Attention(nn.Module):
    def __init__(self, symbols: int, length: int, classes: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(symbols, 24)
        self.place = nn.Parameter(torch.randn(length, 24) * 0.02)
        block = nn.TransformerEncoderLayer(24, 4, 48, 0.0, batch_first=True)
        self.body = nn.TransformerEncoder(block, 1, enable_nested_tensor=False)
        self.head = nn.Linear(24, classes)

    def forward(self, symbols: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(self.embed(symbols) + self.place).mean(1))
        return out


class Factors(nn.Module):
    """A rating as the product of a user's and an item's vector."""

    def __init__(self, users: int, items: int) -> None:
        super().__init__()
        self.user, self.item = nn.Embedding(users, 8), nn.Embedding(items, 8)

    def forward(self, pair: Tensor) -> Tensor:
        return (self.user(pair[:, 0]) * self.item(pair[:, 1])).sum(1, keepdim=True)


def scaled(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return ((rows - rows.mean(0)) / (rows.std(0) + 1e-6)).astype(np.float32)


def known(load: Any) -> Callable[[], Arrays]:
    def rows() -> Arrays:
        data = load()
        is_number = data.target.dtype.kind == "f"
        target = scaled(data.target)[:, None] if is_number else data.target.astype(np.int64)
        return scaled(data.data), target

    return rows


def made(function: Any, **options: Any) -> Callable[[], Arrays]:
    def rows() -> Arrays:
        inputs, target = function(random_state=7, **options)[:2]
        is_number = target.dtype.kind == "f"
        return scaled(inputs), scaled(target)[:, None] if is_number else target.astype(np.int64)

    return rows


def symbols(answer: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]) -> Any:
    def rows() -> Arrays:
        drawn = np.random.default_rng(5).integers(0, 8, (2_400, 10))
        return drawn, answer(drawn).astype(np.int64)

    return rows


def spirals() -> Arrays:
    draw = np.random.default_rng(11)
    turn, arm = draw.uniform(0.5, 3.0, 2_000) * math.pi, draw.integers(0, 2, 2_000)
    place = np.stack([np.cos(turn + arm * math.pi), np.sin(turn + arm * math.pi)], 1)
    return scaled(place * turn[:, None] + draw.normal(0, 0.3, (2_000, 2))), arm


def waves() -> Arrays:
    draw = np.random.default_rng(12)
    inputs = draw.uniform(-1, 1, (2_000, 3))
    value = np.sin(5 * inputs[:, 0]) * inputs[:, 1] + 0.1 * draw.normal(size=2_000)
    return inputs.astype(np.float32), scaled(value)[:, None]


def ratings() -> Arrays:
    draw = np.random.default_rng(13)
    users, items = draw.normal(size=(120, 3)), draw.normal(size=(90, 3))
    pairs = np.stack([draw.integers(0, 120, 5_000), draw.integers(0, 90, 5_000)], 1)
    value = (users[pairs[:, 0]] * items[pairs[:, 1]]).sum(1) + 0.3 * draw.normal(size=5_000)
    return pairs, scaled(value)[:, None]


def copied() -> Arrays:
    pixels = scaled(datasets.load_digits().data)
    return pixels, pixels


CLASSES, NUMBER = "cross_entropy", "mean_squared_error"
TASKS = [
    Task("digits", dense(64, 48, 10), known(datasets.load_digits), CLASSES, 30, 64),
    Task("digits, batch 8", dense(64, 32, 10), known(datasets.load_digits), CLASSES, 10, 8),
    Task("digits, normalised", dense(64, 48, 48, 10, norm=nn.LayerNorm),
         known(datasets.load_digits), CLASSES, 25, 64),
    Task("digits, convolutions", Convolutions, known(datasets.load_digits), CLASSES, 15, 64),
    Task("digits, copied", dense(64, 24, 64), copied, NUMBER, 40, 64),
    Task("tumours", dense(30, 24, 2), known(datasets.load_breast_cancer), CLASSES, 40, 32),
    Task("wines", dense(13, 16, 3), known(datasets.load_wine), CLASSES, 60, 16),
    Task("irises, linear", dense(4, 3), known(datasets.load_iris), CLASSES, 80, 16),
    Task("diabetes", dense(10, 24, 1), known(datasets.load_diabetes), NUMBER, 50, 32),
    Task("friedman 1", dense(10, 48, 1), made(datasets.make_friedman1, n_samples=2_000, noise=1.0),
         NUMBER, 40, 64),
    Task("friedman 2", dense(4, 48, 48, 1), made(datasets.make_friedman2, n_samples=2_000,
         noise=9.0), NUMBER, 40, 64),
    Task("friedman 3", dense(4, 32, 32, 1, act=nn.Tanh),
         made(datasets.make_friedman3, n_samples=2_000, noise=0.1), NUMBER, 40, 64),
    Task("linear, 200 columns", dense(200, 1),
         made(datasets.make_regression, n_samples=1_500, n_features=200,
         noise=20.0), NUMBER, 40, 64),
    Task("clusters", dense(20, 64, 5), made(datasets.make_classification, n_samples=3_000,
         n_informative=8, n_classes=5, n_clusters_per_class=2), CLASSES, 25, 128),
    Task("clusters, wrong labels", dense(20, 64, 2), made(datasets.make_classification,
         n_samples=3_000, n_informative=6, flip_y=0.2), CLASSES, 25, 128),
    Task("clusters, deep", dense(20, 32, 32, 32, 32, 32, 3), made(datasets.make_classification,
         n_samples=3_000, n_informative=6, n_classes=3), CLASSES, 25, 64),
    Task("moons", dense(2, 32, 32, 2), made(datasets.make_moons, n_samples=1_500, noise=0.25),
         CLASSES, 40, 64),
    Task("spirals", dense(2, 64, 64, 2), spirals, CLASSES, 60, 64),
    Task("waves", dense(3, 64, 64, 1, act=nn.GELU), waves, NUMBER, 60, 64),
    Task("ratings", lambda: Factors(120, 90), ratings, NUMBER, 40, 128),
    Task("most seen, recurrent", lambda: Recurrent(8, 2),
         symbols(lambda x: (x == 1).sum(1) > (x == 2).sum(1)), CLASSES, 20, 64),
    Task("last but one, recurrent", lambda: Recurrent(8, 8), symbols(lambda x: x[:, -2]),
         CLASSES, 20, 64),
    Task("more large than small, attention", lambda: Attention(8, 10, 2),
         symbols(lambda x: (x > 3).sum(1) > 5), CLASSES, 20, 64),
    Task("first, attention", lambda: Attention(8, 10, 8), symbols(lambda x: x[:, 0]),
         CLASSES, 20, 64),
]  # fmt: skip

KNOWN = {
    "digits": 0.015,
    "digits, batch 8": 0.0053,
    "digits, normalised": 0.043,
    "digits, convolutions": 0.0053,
    "digits, copied": 0.0053,
    "tumours": 0.00066,
    "wines": 0.35,
    "irises, linear": 1,
    "diabetes": 0.0019,
    "friedman 1": 0.015,
    "friedman 2": 0.015,
    "friedman 3": 0.0053,
    "linear, 200 columns": 0.0053,
    "clusters": 0.0053,
    "clusters, wrong labels": 0.0053,
    "clusters, deep": 0.015,
    "moons": 0.015,
    "spirals": 0.015,
    "waves": 0.0053,
    "ratings": 1,
    "most seen, recurrent": 0.043,
    "last but one, recurrent": 0.043,
    "more large than small, attention": 0.12,
    "first, attention": 0.043,
}
"""The rates that did best in the sweep at a constant rate."""

TIMES_TOO_HIGH = (10, 30, 100)
SEEDS_TOO_HIGH = {1: (4, 5, 6), 10: (1,), 30: (2,), 100: (3,)}
"""By how many times too high, the seeds; the same one would often come to the same rate."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--schedule", default="held")
    parser.add_argument("--too-high", action="store_true")
    asked = parser.parse_args()
    tasks = [task for task in TASKS if asked.only in task.name]
    if asked.too_high:
        too_high(tasks)
        return
    held = [compare(task, asked.schedule) for task in tasks]
    shares = [share for _, share in held]
    print(f"{sum(good for good, _ in held)} of {len(held)} within 2 % or a seed's deviation;")
    print(f"time: {statistics.median(shares):.3f} of the sweep's in the median, ", end="")
    print(f"{max(shares):.3f} at most")


def compare(task: Task, schedule: str) -> tuple[bool, float]:
    """Return whether auto holds on a task, and its share of the sweep's time."""
    sweep = [fitted(task, schedule, rate, seed=0) for rate in RATES]
    best = RATES[min(range(len(RATES)), key=lambda i: sweep[i][0])]
    again = [fitted(task, schedule, best, seed=seed)[0] for seed in SEEDS]
    auto = [fitted(task, schedule, "auto", seed=seed) for seed in SEEDS]
    reached, target = (statistics.mean(v) for v in ([value for value, *_ in auto], again))
    deviation = statistics.stdev(again)
    good = reached <= target + max(0.02 * abs(target), deviation)
    share = statistics.mean(seconds for _, seconds, _ in auto) / sum(s for _, s, _ in sweep)
    rates = " ".join(f"{rate:.2g}" for *_, rate in auto)
    print(
        f"{'yes' if good else 'NO ':3} {task.name:34} sweep {target:.4g} ± {deviation:.2g} at "
        f"{best:.2g}; auto {reached:.4g} at {rates}; {share:.3f} of the time",
        flush=True,
    )
    return good, share


def too_high(tasks: list[Task]) -> None:
    """Train at rates that are far too high, and print how many came out well all the same.

    Beside them stand other seeds at the right rate: what chance alone lets miss.
    """
    counted = {times: [0, 0, 0] for times in (1, *TIMES_TOO_HIGH)}
    for task in tasks:
        rate = KNOWN[task.name]
        good = [fitted(task, None, rate, seed=seed)[0] for seed in SEEDS]
        target, deviation = statistics.mean(good), statistics.stdev(good)
        shown = []
        for times, seeds in SEEDS_TOO_HIGH.items():
            for seed in seeds:
                value = fitted(task, None, times * rate, seed=seed)[0]
                shown.append(f"{value:.4g} (x{times})")
                strictly = value <= 1.03 * target
                close = value <= target + max(0.03 * target, deviation)
                for n, one in enumerate((1, strictly, close)):
                    counted[times][n] += one
        print(f"{task.name:34} {target:.4g} ± {deviation:.2g}; {' '.join(shown)}", flush=True)
    for times, (runs, strictly, close) in counted.items():
        print(
            f"x{times}: {runs} runs, {strictly} within 3 %, {close} within that or a seed's "
            "deviation"
        )


def fitted(task: Task, schedule: str | None, rate: Any, *, seed: int) -> tuple[float, float, float]:
    """Return (best validation loss, seconds, learning rate) of one training."""
    inputs, target = (torch.from_numpy(np.ascontiguousarray(part)) for part in task.rows())
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(99))
    held, train = order[: len(order) // 4], order[len(order) // 4 :]
    torch.manual_seed(seed)
    module = task.network()
    with tempfile.TemporaryDirectory() as place:
        began = time.perf_counter()
        try:
            run = treadle.fit(
                module,
                (inputs[train], target[train]),
                validation=(inputs[held], target[held]),
                loss=task.loss,
                until=f"{task.epochs} epochs or no better for 10",
                batch_size=task.batch_size,
                schedule=schedule,
                lr=rate,
                seed=seed,
                engine="eager",
                out=Path(place) / "run",
            )
        except DivergedError:
            return math.inf, time.perf_counter() - began, math.nan
        seconds = time.perf_counter() - began
        found = [line["saw"]["rate"] for line in run.journal if line["topic"] == "rate"]
        return run.result["metric"]["validation"], seconds, found[-1] if found else rate


if __name__ == "__main__":
    main()
