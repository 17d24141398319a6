"""Verdicts on the learning rate: too high, too low; and which rates are worth a trial.

The trials decide. From the last weights a copy is trained for a few of the steps: with a
lower rate, where it is asked whether the model only bounced about; with a higher one, where it is
asked whether it only crept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from treadle.watch.evidence import Array, Evidence, Probe, Windows, surely
from treadle.watch.verdict import Verdict, sureness

LOWER = ((0.1, 40),)
HIGHER = ((10.0, 60),)
"""Which factors are tried, and for how many steps of the training a trial takes one: a lower rate
always, a higher one where the loss still falls. Together they take less than a twentieth of it."""

FALLS = 2.0

FEWEST_STEPS = 10

LOWERED, HIGHER_BY = 0.34, 8.0
"""The factors on the rate that its first steps had asked for, from which on it was far too high, or
too low."""

UNTOUCHED = 0.3
"""The share of the error that a sound number of rounds does not leave untouched: 60 rounds at a
rate of 0.1 must leave 0.002 of it."""

SETTLED = 0.09
"""What must be gained at a tenth of the rate: the geometric mean of the share of the loss that goes
and of the share of the way from a constant answer. Sound trainings gain up to 0.045 of it."""

CREPT = 0.04
"""The share of all that the training gained which a higher rate must add in a sixtieth of its
steps: at its own pace it were 0.017 on a straight line, and next to nothing at a curve's end."""

NEXT_TO_NOTHING = 0.1
"""The least share of a constant answer's loss that counts as the way from it."""

SURE, SURELY = 3.0, 1.64
"""Standard errors, of the differences row by row, from which a difference is no chance: alone, and
where another measurement must agree."""

ROSE = 0.25
"""The share of what was gained that the training loss gave up again, and did not win back."""

OVERSHOT = 1.5
"""Times the loss of the first batch, and of a constant answer, that three windows are above."""

RAN_AWAY = 10.0
"""Times the loss of a model that knows nothing at which the last quarter of a training lies."""

BY_HEART = 0.5
"""The share of a constant answer's loss below which the train rows were learned."""

LEARNED, CHANCE, FEWEST_TIMES = 0.3, 0.5, 3
"""Shares of a constant answer's loss below which a model has learned, and above which it has lost
that; and how often that must happen."""

DIED = 0.7
"""The share of a layer's units that fell silent while training."""


Sign = tuple[float, str, dict[str, float]]
"""How sure one sign makes of a rate that is too high, why in words, and the numbers."""


def wanted_probes(evidence: Evidence) -> list[tuple[float, int]]:
    """Return the factors worth a trial, each with its steps: those that the curve speaks for."""
    fewest = min(FEWEST_STEPS, max(evidence.step // 50, 1))
    wanted = [*LOWER, *(HIGHER if _fell(evidence) > FALLS else ())]
    return [(factor, max(evidence.step // share, fewest)) for factor, share in wanted]


def rate_too_high(evidence: Evidence) -> Verdict | None:
    """Tell whether the training overshot: was put back, bounced, rose, or lost its units."""
    every = _put_back, _began_anew, _settles, _rose, _died, _thrown, _overshot, _lost
    return _said(evidence, every)


def put_back_or_thrown(evidence: Evidence) -> Verdict | None:
    """Tell of a rate that is too high by what is seen while training."""
    return _said(evidence, (_put_back, _began_anew, _thrown))


def _said(evidence: Evidence, every: Sequence[Callable[[Evidence], Sign | None]]) -> Verdict | None:
    if evidence.better_rate > HIGHER_BY:  # from the start, far higher rates did better
        return None
    signs = [sign(evidence) for sign in every]
    found = [sign for sign in signs if sign is not None]
    if not found:
        return None
    _, why, saw = max(found, key=lambda sign: sign[0])
    taken = evidence.rollbacks > 0 or evidence.better_rate <= LOWERED
    return Verdict(
        name="rate_too_high",
        confidence=1.0 - math.prod(1.0 - sign[0] for sign in found),
        sentence=f"The model learned in steps that were too large (learning rate too high): {why}.",
        action=(
            "It was put back to earlier weights and went on with smaller steps."
            if taken
            else "Train again with a tenth of the learning rate, or leave the rate to Treadle."
        ),
        taken=taken,
        saw=saw,
    )


def diverged(evidence: Evidence) -> Verdict | None:
    """Tell whether the training loss ran away and stayed far above that of knowing nothing."""
    others, first = without_worst(evidence.windows), evidence.windows.first
    known = [x for x in (first, evidence.untrained) if math.isfinite(x)]
    if len(others) < 8 or not known or max(known) <= 0:
        return None
    times = float(np.median(others[-len(others) // 4 :])) / max(known)
    if times < RAN_AWAY:
        return None
    return Verdict(
        name="diverged",
        confidence=0.97,
        sentence=(
            f"The training ran away: its error was {times:.2g} times that of a model that knows "
            "nothing, and stayed there."
        ),
        action="Train again with a tenth of the learning rate, and look for wild numbers.",
        saw={"times": times},
    )


def rate_too_low(evidence: Evidence) -> Verdict | None:
    """Tell whether the training only crept: a higher rate gains far more in a twentieth of it."""
    best = evidence.best or evidence.last
    shares = {p.factor: share for p in evidence.probes if (share := _crept(evidence, p))}
    if evidence.untouched > UNTOUCHED and _best_at_end(evidence):
        return _few_rounds(evidence)
    if evidence.better_rate > HIGHER_BY and _best_at_end(evidence):
        return _slow_from_the_start(evidence)
    if best is None or best.held_out is None or not shares:
        return None
    found = max(evidence.probes, key=lambda p: shares.get(p.factor, 0.0))
    share = shares[found.factor]
    return Verdict(
        name="rate_too_low",
        confidence=sureness(share, CREPT),
        sentence=(
            "The model learned in steps that were too small (learning rate too low): with "
            f"{found.factor:g} times the rate, {found.steps:,} more steps brought the error on "
            f"validation from {best.held_out.mean():.3g} to {found.held_out.mean():.3g}, where all "
            f"{evidence.step:,} steps had brought it from {evidence.constant_loss:.3g}."
        ),
        action=f"Train again with {found.factor:g} times the rate, or leave it to Treadle.",
        saw={"factor": found.factor, "steps": found.steps, "share": round(share, 4)},
    )


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
        action=f"Train again with {times:.2g} times the rate, or leave it to Treadle.",
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
        action="Train again with ten times the learning rate, or leave it to Treadle.",
        saw={"untouched": round(left, 4), "rounds": evidence.step},
    )


def _best_at_end(evidence: Evidence) -> bool:
    """Tell whether the validation loss was lowest in the last quarter: it was still falling.

    The best step may be an early one where the metric that decides only goes by the order.
    """
    held_out = evidence.curve.held_out
    if not len(held_out) or not np.isfinite(held_out).all():
        return (evidence.best_step or 0) > 0.75 * evidence.step
    return float(evidence.curve.steps[int(held_out.argmin())]) > 0.75 * evidence.step


def _crept(evidence: Evidence, found: Probe) -> float:
    """Return what a trial gained, as a share of all that was gained; 0 where that may be chance."""
    last, best = evidence.last, evidence.best or evidence.last
    if found.factor <= 1 or best is None or best.held_out is None or last is None:
        return 0.0
    gained = best.held_out - found.held_out
    mean = float(gained.mean())
    covered = max(evidence.constant_loss - float(best.held_out.mean()), mean * 1e-3, 1e-12)
    if last.train is None or found.train is None:
        sure = surely(gained) > SURE
    else:
        sure = surely(gained) > SURELY and surely(last.train - found.train) > SURE
    return mean / covered if sure and mean > CREPT * covered else 0.0


def _put_back(evidence: Evidence) -> Sign | None:
    if not evidence.rollbacks:
        return None
    times = "once" if evidence.rollbacks == 1 else f"{evidence.rollbacks} times"
    return (
        0.95,
        f"its loss ran away and it had to be put back {times}",
        {"rollbacks": evidence.rollbacks},
    )


def _began_anew(evidence: Evidence) -> Sign | None:
    if evidence.better_rate > LOWERED:
        return None
    why = (
        "its first steps made it worse, and short trials did best at "
        f"{evidence.better_rate:.2g} of the rate"
    )
    return 0.9, why, {"lowered_to": evidence.better_rate}


def _settles(evidence: Evidence) -> Sign | None:
    """Tell whether a short stretch at a lower rate makes the model much better."""
    last = evidence.last
    tries = [p for p in evidence.probes if p.factor < 1]
    if last is None or last.held_out is None or not tries:
        return None
    best = min(tries, key=lambda p: float(p.held_out.mean()))
    gained, left = last.held_out - best.held_out, float(best.held_out.mean())
    if surely(gained) < SURE:
        return None
    of_loss = float(gained.mean()) / max(float(last.held_out.mean()), 1e-12)
    way = max(evidence.constant_loss - left, NEXT_TO_NOTHING * evidence.constant_loss, 1e-12)
    of_way = min(float(gained.mean()) / way, 1.0)
    gain = math.sqrt(max(of_loss, 0.0) * max(of_way, 0.0))
    if gain < SETTLED:
        return None
    why = (
        f"it bounced about, and {best.steps:,} more steps with a {1 / best.factor:g}th of the rate "
        f"brought the error on validation from {last.held_out.mean():.3g} to {left:.3g}"
    )
    return sureness(gain, SETTLED), why, {"gain": round(gain, 4), "factor": best.factor}


def _rose(evidence: Evidence) -> Sign | None:
    """Tell whether the training loss rose again for good, or never came below a constant answer."""
    mean = evidence.windows.mean
    constant = evidence.untrained
    if len(mean) < 8 or not math.isfinite(constant):
        return None
    quarters = [float(np.median(part)) for part in np.array_split(mean, 4)]
    lowest, end = min(quarters), quarters[-1]
    share = (end - lowest) / max(constant - lowest, 1e-12)
    if lowest < constant and share > ROSE and _apart(mean, quarters):
        why = f"its error in training fell to {lowest:.3g} and rose again to {end:.3g}"
        return sureness(share, ROSE), why, {"lowest": lowest, "end": end}
    return None


def _apart(mean: Array, quarters: list[float]) -> bool:
    """Tell whether the last quarter is above the lowest one by more than both scatter."""
    parts = np.array_split(mean, 4)
    low, end = parts[int(np.argmin(quarters))], parts[-1]
    error = math.hypot(*(float(p.std()) / math.sqrt(len(p)) for p in (low, end)))
    return quarters[-1] - min(quarters) > SURE * error


def _died(evidence: Evidence) -> Sign | None:
    """Tell whether most units of a layer fell silent while training."""
    if evidence.last is None:
        return None
    shares = {
        name: (silent - evidence.first_silent.get(name, (units, silent))[1]) / max(units, 1)
        for name, (units, silent) in evidence.last.silent.items()
        if units >= 4
    }
    worst = max(shares.values(), default=0.0)
    if worst < DIED:
        return None
    why = f"{worst:.0%} of the units of a layer fell silent while it trained"
    return sureness(worst, DIED), why, {"died": round(worst, 3)}


def _thrown(evidence: Evidence) -> Sign | None:
    """Tell whether the model was thrown off again and again: back to answers like chance."""
    jumps, constant = evidence.jumps, evidence.untrained
    thrown = (jumps.usual < LEARNED * constant) & (jumps.loss > CHANCE * constant)
    steps = jumps.step[thrown]
    times = int((np.diff(steps) > 1).sum()) + 1 if len(steps) else 0
    if times < FEWEST_TIMES:
        return None
    why = f"{times} times its error jumped up to that of guessing, and had to be won back"
    return sureness(times, FEWEST_TIMES / 2), why, {"thrown_off": times}


def _overshot(evidence: Evidence) -> Sign | None:
    """Tell whether the training loss went far above that of a model that knows nothing."""
    mean, first = evidence.windows.mean, evidence.windows.first
    known = [x for x in (first, evidence.untrained) if math.isfinite(x)]
    if len(mean) < 8 or not known or max(known) <= 0:
        return None
    others = without_worst(evidence.windows)
    three = np.median(np.stack([others[:-2], others[1:-1], others[2:]]), axis=0)
    times = float(three.max()) / max(known)
    if times < OVERSHOT:
        return None
    why = f"its error in training went up to {times:.3g} times that of a model that knows nothing"
    return sureness(times - 1.0, OVERSHOT - 1.0), why, {"times": round(times, 3)}


def without_worst(windows: Windows) -> Array:
    """Return the windows' means without the worst batch of each, which may be a broken one."""
    count = windows.batches
    rest = (windows.mean * count - windows.highest) / np.maximum(count - 1, 1)
    return np.where(count > 1, rest, windows.mean)


def _lost(evidence: Evidence) -> Sign | None:
    """Tell whether even the best model is worse than a constant answer, and not by heart."""
    last, best, constant = evidence.last, evidence.best, evidence.constant
    if last is None or best is None or best.held_out is None or constant is None:
        return None
    if last.train is None or float(last.train.mean()) < BY_HEART * float(constant.mean()):
        return None
    if surely(best.held_out - constant) < SURELY or _fell(evidence) > SURE:
        return None
    if any(_crept(evidence, found) for found in evidence.probes):
        return None
    why = "its answers are worse than always giving the same one, and do not get better"
    return 0.6, why, {"error": float(best.held_out.mean()), "constant": float(constant.mean())}


def _fell(evidence: Evidence) -> float:
    """Return by how many standard errors the training loss fell in the second half.

    Of its two quarters each is compared with the one before: a schedule may end in standing still.
    """
    mean = evidence.windows.mean
    if len(mean) < 8:
        return math.inf
    quarters = np.array_split(mean, 4)
    errors = [float(part.std(ddof=1)) / math.sqrt(len(part)) for part in quarters]
    falls = [
        float(quarters[i].mean() - quarters[i + 1].mean())
        / max(math.hypot(errors[i], errors[i + 1]), 1e-12)
        for i in (1, 2)
    ]
    return max(falls)
