"""Where suggestions miss, with examples: measured on validation moments, told in a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.api.where_it_fails import told, worst_parts
from treadle.contracts import Json
from treadle.models.ranking import Cases, Scorer, ranking_metrics, top_items

if TYPE_CHECKING:
    from torch import Tensor

    from treadle.api.event_data import EventData

Array: TypeAlias = NDArray[Any]

MOST_MOMENTS = 5_000
SHOWN_MOMENTS = 8
SHOWN_ITEMS = 5
SHOWN_BEFORE = 3
SECONDS_A_DAY = 86_400.0


def where_events_fail(data: EventData, scorer: Scorer, k: int, seed: int) -> Json:
    """Return findings.json's "suggestions", examples of them, and "fails", where they miss.

    A moment is missed where none of its next items is among the first k suggestions.
    """
    cases = _sampled(data.validation, seed)
    hits = ranking_metrics(scorer, cases, k=k, seed=seed)[f"hit@{k}"].numpy().astype(np.float64)
    shown = np.random.default_rng(seed).permutation(len(hits))[:SHOWN_MOMENTS]
    examples = [_example(data, scorer, cases, int(place), k, seed) for place in np.sort(shown)]
    off = 1.0 - hits
    found = worst_parts(_traits(data, cases), off)
    if found is None:
        return {"suggestions": examples}

    def example(place: int, columns: Sequence[str]) -> Json:
        return _example(data, scorer, cases, place, k, seed)

    fails = told(found, off, off, example, is_number=False, shown=1)
    return {"suggestions": examples, "fails": fails | {"k": k}}


def _sampled(cases: Cases, seed: int) -> Cases:
    import torch

    order = torch.randperm(len(cases.start), generator=torch.Generator().manual_seed(seed))
    return cases.take(order[:MOST_MOMENTS].sort().values)


def _traits(data: EventData, cases: Cases) -> pl.DataFrame:
    """Return what is known of each moment, in columns whose names can be read aloud."""
    counts = data.item_counts()
    last = (cases.end - 1).clamp(min=0)
    waited = (cases.times[cases.end] - cases.times[last]) / SECONDS_A_DAY
    usual = counts[cases.items[last] - 1]
    wanted = [int(counts[_next(cases, place)[0] - 1]) for place in range(len(cases.start))]
    return pl.DataFrame(
        {
            "events so far": (cases.end - cases.start).numpy(),
            "days since the last event": waited.numpy(),
            "times the last item was taken": usual.numpy(),
            "times the next item was taken": wanted,
        }
    )


def _next(cases: Cases, place: int) -> list[int]:
    """Return the items to be foreseen at a moment; all of its items where none is new."""
    start, stop = int(cases.end[place]), int(cases.stop[place])
    items, goal = cases.items[start:stop], cases.goal[start:stop]
    chosen = items[goal] if bool(goal.any()) else items
    return [int(item) for item in chosen.unique()]


def _example(data: EventData, scorer: Scorer, cases: Cases, place: int, k: int, seed: int) -> Json:
    """Return one moment; rank: of the first suggestion that came, among the first k, or None."""
    import torch

    one = cases.take(torch.tensor([place]))
    codes, _ = top_items(scorer, one, k=max(k, SHOWN_ITEMS), seed=seed)
    coming = _next(cases, place)
    ranks = [rank for rank, code in enumerate(codes[0].tolist(), 1) if code in coming]
    start, end = int(cases.start[place]), int(cases.end[place])
    before = cases.items[max(start, end - SHOWN_BEFORE) : end]
    return {
        "user": data.known.user_names[int(cases.group[place])],
        "before": _called(data, before),
        "next": _called(data, torch.tensor(coming)),
        "suggested": _called(data, codes[0][:SHOWN_ITEMS]),
        "rank": next((rank for rank in ranks if rank <= k), None),
    }


def _called(data: EventData, codes: Tensor) -> list[str]:
    """Return what items are called: their titles, else as the log spells them."""
    names = [name for name in data.encoder.item_names(codes) if name is not None]
    titles = data.titles.of(names)
    return [title or name for title, name in zip(titles, names, strict=True)]
