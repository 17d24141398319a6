"""The verdicts on a training: each cause asked for, and consequences kept from being said twice."""

from __future__ import annotations

from treadle.watch.evidence import Evidence
from treadle.watch.verdict import Name, Verdict
from treadle.watch.verdicts_data import leak, noisy_labels, small_validation, spike
from treadle.watch.verdicts_fit import overfitting, underfitting
from treadle.watch.verdicts_rate import diverged, rate_too_high, rate_too_low
from treadle.watch.verdicts_units import dead_units

CAUSES = (
    spike,
    diverged,
    dead_units,
    small_validation,
    leak,
    noisy_labels,
    rate_too_high,
    rate_too_low,
    overfitting,
    underfitting,
)
"""In the order in which one is a cause of the next: what follows from one that is said already is
not said."""

EXPLAINS: dict[Name, tuple[Name, ...]] = {
    "spike": ("noisy_labels", "rate_too_high", "rate_too_low", "overfitting", "underfitting"),
    "diverged": ("dead_units", "noisy_labels", "rate_too_high", "rate_too_low", "underfitting"),
    "dead_units": ("rate_too_high", "rate_too_low", "overfitting", "underfitting"),
    "small_validation": ("noisy_labels", "overfitting", "underfitting"),
    "noisy_labels": ("rate_too_high", "overfitting", "underfitting"),
    "rate_too_high": ("rate_too_low", "overfitting", "underfitting"),
    "rate_too_low": ("overfitting", "underfitting"),
}

FEWEST, EXPLAINING = 0.5, 0.6
"""The least confidence with which a verdict is said, and with which it explains others."""


def judge(evidence: Evidence) -> list[Verdict]:
    """Return what is wrong with a training, the surest first; nothing for a sound one."""
    kept: list[Verdict] = []
    for cause in CAUSES:
        verdict = cause(evidence)
        sure = [other.name for other in kept if other.confidence >= EXPLAINING]
        explained = {name for cause_name in sure for name in EXPLAINS.get(cause_name, ())}
        if verdict and verdict.confidence >= FEWEST and verdict.name not in explained:
            kept.append(verdict)
    return sorted(kept, key=lambda verdict: -verdict.confidence)
