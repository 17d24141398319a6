"""How the answer of a recommender is mixed: the network and the simple ways, or one way alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from treadle.api.event_data import EventData
from treadle.loop.journal import Journal
from treadle.models.baseline_choice import BASELINES, Choice, choose
from treadle.models.best_alone import better_alone
from treadle.models.item_baselines import Ease
from treadle.models.recommender_blend import BLEND_REGULARIZATION, MEMBERS, RecommenderBlend
from treadle.report.sentences import SIMPLE_WAYS

if TYPE_CHECKING:
    from treadle.data.events import EncodedLog
    from treadle.models.recommender import Recommender

NAMES = ("decayed transitions", "EASE", "recent popularity")
WAYS = {
    "network": "the sequence model",
    "transitions": "what usually comes next",
    "ease": "what is taken together",
    "recent_ease": "what was taken together of late",
    "popularity": "what is popular now",
}
"""What the answer is mixed of, in words."""
MEMBER_OF = {
    "decayed transitions": "transitions",
    "EASE": "ease",
    "recent popularity": "popularity",
}
"""Each simple way as a part of the mix."""


class Weighed(NamedTuple):
    """How the answer is mixed; ndcg: on validation, by weights of other moments, where measured."""

    weights: dict[str, float]
    shares: dict[str, float]
    ndcg: float | None


def weighed(
    data: EventData,
    network: Recommender,
    choices: dict[str, Choice],
    k: int,
    seed: int,
    journal: Journal,
) -> tuple[RecommenderBlend, Weighed, str | None]:
    """Return the network and the simple ways, weighed on the validation moments, and how.

    Where one simple way alone is surely better than all of them weighed, it alone counts: the
    last is its name then.
    """
    simple = tables_for(data.train, data.num_items, choices)
    blend = RecommenderBlend(network, *blend_tables(data.train, data.num_items, simple))
    found = blend.fit_weights(data.validation, seed=seed)
    crossed = blend.cross_fitted_ndcg(data.validation, k=k, seed=seed)
    ways = dict(zip(NAMES, simple, strict=True))
    alone = better_alone(crossed, ways, data.validation, k=k, seed=seed)
    if alone is not None:
        return _alone(alone, network, simple, journal)
    mix = Weighed(found.weights, found.shares, float(crossed.mean()))
    parts = ", ".join(f"{WAYS[name]} {words}" for name, words in counts_in_words(mix).items())
    journal.say(
        "blend",
        "the sequence model and the simple ways were weighed together on validation. How much "
        f"each moves the order of items: {parts}.",
        weights=found.weights,
        shares=found.shares,
        cases=found.cases,
    )
    return blend, mix, None


def _alone(
    name: str, network: Recommender, simple: list[Any], journal: Journal
) -> tuple[RecommenderBlend, Weighed, str | None]:
    """Return a mix in which one simple way is all, and say so."""
    blend = RecommenderBlend(network, *simple)
    counts = {member: float(member == MEMBER_OF[name]) for member in MEMBERS}
    blend.weights.copy_(blend.weights.new_tensor(list(counts.values())))
    journal.say(
        "blend",
        f"on validation {SIMPLE_WAYS[name]} was surely better alone than weighed together with "
        "the sequence model and the other simple ways: it alone answers.",
        weights=counts,
    )
    return blend, Weighed(counts, counts, None), name


def counts_in_words(mix: Weighed) -> dict[str, str]:
    """Return how much each member moves the order of items: "41 %", "3 %, against it"."""
    return {
        name: f"{100 * share:.0f} %"
        + (" (against it)" if mix.weights[name] < 0 and share >= 0.005 else "")
        for name, share in mix.shares.items()
    }


def choose_baselines(data: EventData, seed: int) -> dict[str, Choice]:
    """Return each simple way with the settings that rank validation best."""
    log = data.train
    return {
        name: choose(
            name, log.items, log.times, log.users, data.num_items, data.validation, seed=seed
        )
        for name in NAMES
    }


def tables_for(log: EncodedLog, num_items: int, choices: dict[str, Choice]) -> list[Any]:
    """Return the simple ways fitted on a log, in the order in which a blend takes them."""
    return [
        BASELINES[name](log.items, log.times, log.users, num_items, **choices[name].settings)
        for name in NAMES
    ]


def blend_tables(
    log: EncodedLog, num_items: int, simple: list[Any], alone: str | None = None
) -> list[Any]:
    """Return the simple ways as the blend takes them: its EASE is held back more than a rival's.

    simple: the ways as rivals, fitted on that log; alone: the one that answers alone, if one does
    """
    if alone is not None:
        return simple
    transitions, _, popularity = simple
    ease = Ease.fit(log.items, log.times, log.users, num_items, regularization=BLEND_REGULARIZATION)
    return [transitions, ease, popularity]
