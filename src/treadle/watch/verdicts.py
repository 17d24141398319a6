"""The verdicts on a training: each cause asked for, and consequences kept from being said twice."""

from __future__ import annotations

from collections.abc import Mapping

from treadle.watch.evidence import Evidence
from treadle.watch.verdict import Name, Verdict
from treadle.watch.verdicts_data import leak, small_validation
from treadle.watch.verdicts_diverged import diverged
from treadle.watch.verdicts_fit import overfitting, underfitting
from treadle.watch.verdicts_held_back import held_back
from treadle.watch.verdicts_labels import noisy_labels
from treadle.watch.verdicts_plateau import plateau
from treadle.watch.verdicts_spike import spike
from treadle.watch.verdicts_too_high import rate_too_high
from treadle.watch.verdicts_too_low import rate_too_low
from treadle.watch.verdicts_units import dead_units

CAUSES = (
    spike,
    diverged,
    dead_units,
    small_validation,
    leak,
    held_back,
    noisy_labels,
    rate_too_high,
    rate_too_low,
    overfitting,
    underfitting,
    plateau,
)
"""In the order in which one is a cause of the next: what follows from one that is said already is
not said."""

LEARNED: tuple[Name, ...] = ("overfitting", "underfitting", "plateau")
EXPLAINS: dict[Name, tuple[Name, ...]] = {
    "spike": ("noisy_labels", "rate_too_high", "rate_too_low", *LEARNED),
    "diverged": ("dead_units", "noisy_labels", "rate_too_high", "rate_too_low", *LEARNED),
    "dead_units": ("rate_too_high", "rate_too_low", *LEARNED),
    "small_validation": ("noisy_labels", *LEARNED),
    "leak": LEARNED,
    "noisy_labels": ("rate_too_high", *LEARNED),
    "rate_too_high": ("rate_too_low", *LEARNED),
    "rate_too_low": LEARNED,
    "overfitting": ("plateau",),
    "underfitting": ("noisy_labels", "rate_too_high", "rate_too_low", "overfitting", "plateau"),
}

FEWEST, EXPLAINING = 0.5, 0.6
"""The least confidence with which a verdict is said, and with which it explains others."""


def judge(evidence: Evidence, said: Mapping[str, Verdict] | None = None) -> list[Verdict]:
    """Return what is wrong with a training, the surest first; nothing for a sound one.

    said: by name, what was said on the way: it stays said unless something else explains it
    """
    kept: dict[Name, Verdict] = {}
    explained: set[Name] = set()
    for cause in CAUSES:
        verdict = cause(evidence) or (said or {}).get(cause.__name__)
        if verdict is None or verdict.confidence < FEWEST or verdict.name in explained:
            continue
        kept.setdefault(verdict.name, verdict)
        if verdict.confidence >= EXPLAINING:
            explained.update(EXPLAINS.get(verdict.name, ()))
    return sorted(kept.values(), key=lambda verdict: -verdict.confidence)
