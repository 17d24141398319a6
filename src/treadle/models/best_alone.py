"""Whether one simple way alone ranks better than the mix: then that way answers.

The mix's weights make what came next most probable. That is not quite what a ranking is judged by,
and where there is little to learn from a mix may rank worse than what it is mixed of.

Shape legend: N cases.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from treadle.models.ranking import Cases, Scorer, paired_interval, ranking_metrics

MOST_CASES = 3_000


def better_alone(
    mixed: Tensor, ways: Mapping[str, Scorer], cases: Cases, *, k: int = 10, seed: int = 0
) -> str | None:
    """Return the simple way that alone ranks better than the mix by more than luck, or None.

    mixed: the mix's NDCG of each case, float32 [N], by weights that were not found on that case
    ways:  what each simple way scores, fitted on what lies before the cases
    """
    order = torch.randperm(len(cases.start), generator=torch.Generator().manual_seed(seed))
    chosen = order[:MOST_CASES].sort().values
    some = cases.take(chosen)
    best, lead = None, 0.0
    for name, scorer in ways.items():
        alone = ranking_metrics(scorer, some, k=k, seed=seed)[f"ndcg@{k}"]
        mean, low, _ = paired_interval(alone - mixed[chosen], some.group, seed=seed)
        if low > 0 and mean > lead:
            best, lead = name, mean
    return best
