"""The verdict on a learning rate that is too low: a higher one gains more in far fewer steps."""

from __future__ import annotations

from treadle.watch.evidence import Evidence, Probe, surely
from treadle.watch.evidence_signs import best_at_end
from treadle.watch.trials import HIGHER, gain_of
from treadle.watch.verdict import Verdict, sureness

HIGHER_BY = 8.0
"""The factor on the rate that its first steps had asked for, from which on it was far too low."""

UNTOUCHED = 0.3
"""The share of the error that a sound number of rounds does not leave untouched: 60 rounds at a
rate of 0.1 must leave 0.002 of it."""

CREPT, CREPT_LONGER = 0.12, 0.14
"""What a short training at a higher rate must gain, and a longer one. Sound trainings gain up to
0.03 and 0.08 of it, models that are too simple 0.1 in a longer one."""

OR_LEAVE_IT = "where you said one, leave it to Treadle."

SURE = 3.0
"""Standard errors, of the differences row by row, from which a difference is no chance."""


def rate_too_low(evidence: Evidence) -> Verdict | None:
    """Tell whether the training only crept: a higher rate gains far more in a twentieth of it."""
    if evidence.untouched > UNTOUCHED and best_at_end(evidence):
        return _few_rounds(evidence)
    tried = [p for p in evidence.probes if p.factor > 1 and p.falls and not p.free]
    highest = max((probe.factor for probe in tried), default=1.0)
    if evidence.better_rate > HIGHER_BY * highest and best_at_end(evidence):
        return _slow_from_the_start(evidence)
    if not tried:
        return None
    gains = {probe.factor: _gained(evidence, probe) for probe in tried}
    found = max(tried, key=lambda probe: gains[probe.factor])
    return _crept(evidence, found, gains[found.factor]) if gains[found.factor] >= 1 else None


def _crept(evidence: Evidence, found: Probe, times: float) -> Verdict:
    best = evidence.best or evidence.last
    before = float("nan") if best is None or best.held_out is None else float(best.held_out.mean())
    factor = found.factor * min(evidence.better_rate, 1.0)
    return Verdict(
        name="rate_too_low",
        confidence=0.25 + 0.75 * sureness(times, 1.0),
        sentence=(
            "The model learned in steps that were too small (learning rate too low): with "
            f"{factor:.2g} times the rate, {found.steps:,} more steps brought the error on "
            f"validation from {before:.3g} to {found.held_out.mean():.3g}, where all "
            f"{evidence.step:,} steps had brought it from {evidence.constant_loss:.3g}."
        ),
        action=f"Train again with {factor:.2g} times the rate; {OR_LEAVE_IT}",
        saw={"factor": factor, "steps": found.steps, "gain": round(gain_of(evidence, found), 4)},
    )


def _gained(evidence: Evidence, found: Probe) -> float:
    """Return what a trial gained, in multiples of what it must; 0 where that may be chance."""
    best = evidence.best or evidence.last
    if best is None or best.held_out is None or found.broke:
        return 0.0
    if _forgot(evidence, found):
        return 0.0
    longer = found.steps > 1.5 * max(evidence.step / HIGHER, 10)
    must = CREPT_LONGER if longer else CREPT
    sure = surely(best.held_out - found.held_out) > SURE
    return gain_of(evidence, found) / must if sure else 0.0


def _forgot(evidence: Evidence, found: Probe) -> bool:
    """Tell whether a trial only lost what was learned by heart, which may look like learning."""
    last = evidence.last
    if last is None or last.train is None or found.train is None:
        return False
    return float(found.train.mean()) > float(last.train.mean())


def _slow_from_the_start(evidence: Evidence) -> Verdict:
    """The short trainings that the first steps had asked did best at a far higher rate."""
    times = evidence.better_rate
    return Verdict(
        name="rate_too_low",
        confidence=0.9,
        sentence=(
            "The model learned in steps that were too small (learning rate too low): its first "
            f"steps hardly made it better, short trainings did best at {times:.2g} times the rate, "
            "and it was still getting better at the end."
        ),
        action=f"Train again with {times:.2g} times the rate; {OR_LEAVE_IT}",
        saw={"better_rate": times},
    )


def _few_rounds(evidence: Evidence) -> Verdict:
    """Each round of trees takes away at most its rate of what is left: so few cannot reach it."""
    left = evidence.untouched
    return Verdict(
        name="rate_too_low",
        confidence=sureness(left, UNTOUCHED / 2),
        sentence=(
            "The trees learned in steps that were too small (learning rate too low): "
            f"{evidence.step:,} rounds at this rate leave at least {left:.0%} of the error that "
            "they began with, whatever the data holds, and it was still falling."
        ),
        action=f"Train again with ten times the rate; {OR_LEAVE_IT}",
        saw={"untouched": round(left, 4), "rounds": evidence.step},
    )
