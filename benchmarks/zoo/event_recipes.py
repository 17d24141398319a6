"""The recipes of logs of events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks.zoo.events import EVENT_NEEDS, EventBase, EventPlant, EventSettings
from benchmarks.zoo.own_recipes import SAME_AS_TOO_HIGH
from benchmarks.zoo.recipe import Cause, Recipe

EVENT_BASES = (
    EventBase(name="chain", data="chain"),
    EventBase(name="chain-sure", data="chain-sure"),
    EventBase(name="chain-loose", data="chain-loose"),
    EventBase(name="chain-many", data="chain-many", users=500),
    EventBase(name="tastes", data="tastes", rate=2e-3),
    EventBase(name="films", data="films", users=120),
)
BASES = {base.name: base for base in EVENT_BASES}


def event_recipes() -> Iterator[Recipe]:
    """Yield every recipe of a log."""
    for base in EVENT_BASES:
        yield _recipe("healthy", base, EventPlant(), "plain", 1)
        if base.name in AGAIN:
            yield _recipe("healthy", base, EventPlant(), "again", 2)
    for name, factor in HIGH:
        plant = EventPlant(rate=float(factor))
        yield _recipe("rate_too_high", BASES[name], plant, f"x{factor}", 3, SAME_AS_TOO_HIGH)
    for name in LOW:
        yield _recipe("rate_too_low", BASES[name], EventPlant(rate=1 / 30), "by-30", 4)
    for name, users in FEW_USERS.items():
        plant = EventPlant(users=users)
        yield _recipe("small_validation", BASES[name], plant, f"{users}-users", 9)


AGAIN = ("chain", "chain-sure", "tastes")
HIGH = (("chain", 30), ("chain-sure", 30), ("tastes", 100), ("films", 30))
LOW = ("chain", "chain-sure", "chain-loose", "chain-many", "tastes")
FEW_USERS = {"chain": 28, "chain-sure": 28, "tastes": 40}
"""So few users leave little over twenty moments to validate on, the fewest that Treadle takes."""


def _recipe(
    cause: Cause,
    base: EventBase,
    plant: EventPlant,
    detail: str,
    seed: int,
    accepts: Mapping[str, str] | None = None,
) -> Recipe:
    return Recipe(
        name=f"events/{cause}/{base.name}-{detail}",
        cause=cause,
        kind="events",
        base=base.name,
        seed=seed,
        settings=EventSettings(base=base, plant=plant),
        accepts=accepts or {},
        needs=EVENT_NEEDS.get(base.data, ""),
    )
