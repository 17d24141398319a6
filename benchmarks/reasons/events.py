"""Are suggestions owed to what is named, and do two trainings name the same?

    python benchmarks/reasons/events.py --data DATA/ml-100k/events.csv --scratch /tmp/reasons-events

Two trainings from two seeds; the ten suggestions of the first, for users drawn at random.

- moves most: in how many suggestions the rank falls the most where the item that is named first is
  left out of the past, among all items of it; over those that some item moves by three ranks or
  more. By chance: of an item drawn from the past.
- same first, same three: in how many suggestions the other training names the same.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

import treadle
from treadle.data.events import EventLog
from treadle.data.events_windows import latest_cases
from treadle.models.ranking import Cases, Scorer, histories, taken_items, top_items
from treadle.serve.event_reasons import EventReasons
from treadle.serve.predictor import load_predictor

MOVED = 3


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    models: list[Any] = [load_predictor(_run(options, seed).path / "model") for seed in (0, 1)]
    columns = models[0].encoder.columns.model_dump()
    log = EventLog.read(pl.read_csv(options.data), **columns)
    cases = Cases(**latest_cases(models[0].encoder.encode(log)))
    users = np.random.default_rng(0).permutation(len(cases.start))[: options.users]
    finds = [EventReasons(model.scorer) for model in models]
    first, three, most, chance, seconds = [], [], [], [], 0.0
    for user in map(int, users):
        codes = top_items(models[0].scorer, cases.take(torch.tensor([user])), k=10)[0][0]
        begun = time.process_time()
        items, parts = finds[0].parts(cases, user, codes)
        seconds += time.process_time() - begun
        _, others = finds[1].parts(cases, user, codes)
        named, again = (found.argsort(dim=0, descending=True)[:3] for found in (parts, others))
        first += (named[0] == again[0]).tolist()
        three += (named.sort(dim=0).values == again.sort(dim=0).values).all(dim=0).tolist()
        fell = _fall(models[0].scorer, cases, user, items, codes)
        told = fell.max(dim=0).values >= MOVED
        best = fell == fell.max(dim=0).values
        most += best.gather(0, named[:1])[0][told].tolist()
        chance += best.float().mean(dim=0)[told].tolist()
    print(f"moves most: {np.mean(most):.3f} of {len(most)}, by chance {np.mean(chance):.3f}")
    print(f"same first: {np.mean(first):.3f}, same three: {np.mean(three):.3f} of {len(first)}")
    print(f"{1000 * seconds / len(users):.0f} ms of processor time a user")


def _fall(
    scorer: Scorer, cases: Cases, user: int, items: torch.Tensor, codes: torch.Tensor
) -> torch.Tensor:
    """Return by how many ranks suggestions fall without each item of a past, int64 [Q, k].

    By its own way to the past without an item, one at a time.
    """
    one = cases.take(torch.tensor([user]))
    past = histories(one, int(one.end - one.start))
    old = taken_items(past, int(cases.items.max()))
    ranks = []
    for item in [0, *items.tolist()]:
        kept = past.items[0] != item
        scores = scorer.scores(*(part[:, kept] for part in (past.items, past.times, past.kinds)))
        scores[:, : old.shape[1]].masked_fill_(old, -torch.inf)
        ranks.append((scores[0] > scores[0, codes - 1][:, None]).sum(dim=1))
    return torch.stack(ranks[1:]) - ranks[0]


def _run(options: argparse.Namespace, seed: int) -> treadle.Run:
    place = options.scratch / f"run-{seed}"
    if (place / "result.json").exists():
        return treadle.load(place)
    return treadle.fit(options.data, seed=seed, threads=1, until=options.until, out=place)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--users", type=int, default=150)
    parser.add_argument("--until", default="2 minutes")
    options = parser.parse_args()
    options.scratch.mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    main()
