"""What is measured of a sequence model for the verdicts: how it ranks what came next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treadle.models.ranking import Cases
    from treadle.models.recommender import Recommender
    from treadle.watch.evidence import Array, Column, Seen

MOST_CASES = 600
"""Ranking a whole catalogue costs more than a look at a row."""


class EventSight:
    """Looks at how a sequence model ranks a sample of the validation moments.

    The loss of a moment is what its metric falls short of 1; the answer that is always the same is
    to name what is most common. Inputs are items, which no quick learner of another kind is for.
    """

    same_units = False

    def __init__(
        self,
        network: Recommender,
        cases: Cases,
        counts: Any,
        metric: str,
        seed: int,
    ) -> None:
        self.network, self.cases, self.counts = network, cases, counts
        self.metric, self.seed = metric, seed
        self.held_out_rows = len(cases.start)

    def to_best(self) -> None:
        """Look at the best weights from here on: they are in the network."""

    def look(self, most_rows: int) -> Seen:
        """Return by how much the sampled moments fall short."""
        from treadle.watch.evidence import Seen

        short = self._short_of_one(self.network, most_rows)
        return Seen(held_out=short, missed=short)

    def silent(self, most_rows: int) -> Mapping[str, tuple[int, int]]:
        """Return nothing: its layers are not looked at."""
        return {}

    def constant(self, most_rows: int) -> tuple[Array | None, Array | None]:
        """Return by how much always naming the commonest items falls short."""
        short = self._short_of_one(_Commonest(self.counts), most_rows)
        return short, short

    def other(self, most_rows: int) -> Array | None:
        """Return nothing: see above."""
        return None

    def column(self, most_rows: int) -> Column | None:
        """Return nothing: see above."""
        return None

    def _short_of_one(self, scorer: Any, most_rows: int) -> Array:
        import torch

        from treadle.models.ranking import ranking_metrics

        count = min(most_rows, MOST_CASES, len(self.cases.start))
        places = torch.linspace(0, len(self.cases.start) - 1, count).long()
        k = int(self.metric.split("@")[1])
        with _as_for_validation(scorer):
            found = ranking_metrics(scorer, self.cases.take(places), k=k, seed=self.seed)
        short: Array = 1.0 - found[self.metric].double().numpy()
        return short


class _Commonest:
    """Scores every item by how often it comes."""

    def __init__(self, counts: Any) -> None:
        self.counts = counts

    def scores(self, items: Any, times: Any, kinds: Any) -> Any:
        return self.counts.expand(len(items), -1)


def _as_for_validation(scorer: Any) -> Any:
    from contextlib import nullcontext

    from treadle.watch.validation import evaluating

    return evaluating(scorer, inference=False) if hasattr(scorer, "modules") else nullcontext()
