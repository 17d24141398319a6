"""Reasons for suggestions: the items of a person's past without which they would rank lower.

Each item of the past is left out, all events of it, and the model scores the catalogue again. What
the log-odds of a suggested item lose by that is the item's part. Nothing is estimated: it is the
answer of the whole model to a past without the item.

Source: leaving one out, Cook, Detection of influential observation in linear regression, 1977;
"what would not be suggested without it", Ghazimatin, Balalau, Saha Roy and Weikum, PRINCE:
Provider-side interpretability with counterfactual explanations in recommender systems, 2020.

Legend: T events of a past, Q items of it, I items of the catalogue, k suggestions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from treadle.models.ranking import Cases, Histories, Scorer, histories, taken_items

EVENTS_LOOKED_AT = 100
"""Items of older events are not named: they move what comes next the least."""
PASTS_AT_ONCE = 64
SMALLEST = 0.01
"""An item that moves the log-odds by less is no reason."""


class EventReasons:
    """Finds what of each person's past raised each suggestion the most."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer

    @torch.no_grad()
    def parts(self, cases: Cases, case: int, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return the items of a past, int64 [Q], and what each raised the suggestions by, [Q, k].

        codes: int64 [k], of the suggested items, 0 for none
        """
        one = cases.take(torch.tensor([case]))
        length = int(one.end - one.start)
        if not length:
            return torch.zeros(0, dtype=torch.int64), torch.zeros(0, len(codes))
        past = histories(one, length)
        recent = past.items[0, -EVENTS_LOOKED_AT:]
        items = recent[recent > 0].unique()
        pasts = _without(past, items)
        parts = zip(
            *(x.split(PASTS_AT_ONCE) for x in (pasts.items, pasts.times, pasts.kinds)), strict=True
        )
        scores = torch.cat([self.scorer.scores(*part) for part in parts]).double()
        new = ~taken_items(past, scores.shape[1])
        there = (codes - 1).clamp_min(0)
        odds = _log_odds(scores.masked_fill(~new, -torch.inf), there)
        return items, (odds[:1] - odds[1:]).masked_fill(codes == 0, 0.0)

    def strongest(self, cases: Cases, case: int, codes: Tensor, count: int) -> list[list[int]]:
        """Return, for each suggestion, the codes of what raised it most, the strongest first."""
        items, parts = self.parts(cases, case, codes)
        order = parts.argsort(dim=0, descending=True, stable=True)[:count]
        return [
            [int(items[place]) for place in order[:, rank] if parts[place, rank] >= SMALLEST]
            for rank in range(len(codes))
        ]


def because(
    items: list[int], names: Sequence[str], titles: Mapping[str, str], suggested: int = 0
) -> list[str]:
    """Return "because of: Star Wars (1977)" for each item, by its title where it has one.

    items: codes; names: name of each code of the catalogue, from code 1 on
    suggested: the code of what is suggested: it may itself be in the past, looked at and not taken
    """
    named = [names[code - 1] for code in items]
    itself = [", which was looked at already" if code == suggested else "" for code in items]
    return [
        f"because of: {titles.get(name, name)}{own}"
        for name, own in zip(named, itself, strict=True)
    ]


def _without(past: Histories, items: Tensor) -> Histories:
    """Return the whole past, and the past without each item, left-padded, [1 + Q, T]."""
    gone = past.items == items[:, None]  # Q T
    kept = torch.cat([past.items > 0, (past.items > 0) & ~gone])
    order = kept.to(torch.uint8).argsort(dim=1, stable=True)
    inside = kept.gather(1, order)

    def moved(values: Tensor) -> Tensor:
        return values.expand(len(order), -1).gather(1, order)

    return Histories(
        items=moved(past.items).where(inside, 0),
        times=moved(past.times).where(inside, past.times[0, 0]),
        kinds=moved(past.kinds).where(inside, 0),
        goal=moved(past.goal) & inside,
    )


def _log_odds(scores: Tensor, columns: Tensor) -> Tensor:
    """Return the log-odds of some items by scores that are log-linear, float64 [B, k]."""
    chosen = scores[:, columns]
    others = scores.logsumexp(1, keepdim=True)
    log_share = (chosen - others).clamp_max(-1e-12)
    return log_share - torch.log(-torch.expm1(log_share))
