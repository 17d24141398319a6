"""The verdict on units that never fire."""

from __future__ import annotations

from treadle.watch.evidence import Evidence
from treadle.watch.verdict import Verdict, sureness

DEAD = 0.5
"""The share of a layer's units that were silent for every row before anything was learned, and
still are. A narrow layer may well lose two of five by chance, a wide one hardly any."""

FEWEST_UNITS = 8


def dead_units(evidence: Evidence) -> Verdict | None:
    """Tell whether most units of a layer never fired, from the beginning to the end."""
    if evidence.last is None:
        return None
    found = {
        name: (min(silent, evidence.first_silent.get(name, (0, 0))[1]), units)
        for name, (units, silent) in evidence.last.silent.items()
        if units >= FEWEST_UNITS
    }
    if not found:
        return None
    silent, units = max(found.values(), key=lambda pair: pair[0] / pair[1])
    if silent < DEAD * units:
        return None
    return Verdict(
        name="dead_units",
        confidence=0.9 + 0.1 * (silent / units),
        sentence=(
            f"{silent:,} of the {units:,} units of a layer were silent for every example looked "
            "at, from the first step to the last, so they cannot learn (dead units)."
        ),
        action="Look at how weights and biases begin, and bring inputs near mean 0, spread 1.",
        saw={"silent": silent, "units": units, "share": sureness(silent / units, DEAD)},
    )
