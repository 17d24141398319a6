"""Verdicts on what was learned: by heart, too little, nothing new."""

from __future__ import annotations

import math

import numpy as np

from treadle.watch.evidence import Array, Evidence, surely
from treadle.watch.evidence_signs import still_gaining
from treadle.watch.verdict import Verdict, sureness

RISE = 0.1
"""By which share of the best validation loss the last one must be above it. Sound trainings that
went on a little too long rise by up to 0.04."""

LOST = 0.03
"""The share of what was won over a constant answer that must be lost again."""

SURE = 3.0
BETTER = 0.12
"""How much better a quick learner of another kind must be, as a share of a constant answer's
errors, for the model to be too simple."""

NEXT_TO_NOTHING = 0.1
"""The least share of a constant answer's loss that counts as the way from it."""

GAP, UNLEARNED = 0.35, 0.7
"""How far validation may be from train, as a share of the way from a constant answer, for the
error to be one of learning too little: by heart is another matter. It may be further where even the
rows to learn from are hardly learned: what share of a constant answer's loss they keep."""

UNFINISHED = 0.03
"""The share of the validation loss that the last quarter of the training took away, above which a
model is not too simple but not done. Models that are too simple get up to 0.02 of it."""

BY_HEART, UNKNOWN = 0.2, 0.85
"""The shares of a constant answer's loss that are left on the rows to learn from, at most, and on
others, at least, for the first to be learned by heart and little else: sound heads on few photos
keep up to 0.75 of it on others."""


def overfitting(evidence: Evidence) -> Verdict | None:
    """Tell whether validation got surely worse after its best, while training went on falling."""
    best, last = evidence.best, evidence.last
    if best is None or last is None or best.held_out is None or last.held_out is None:
        return None
    lost = last.held_out - best.held_out
    rise = float(lost.mean()) / max(float(best.held_out.mean()), 1e-12)
    won = max(evidence.constant_loss - float(best.held_out.mean()), 1e-12)
    share = float(lost.mean()) / won
    if rise < RISE or share < LOST or surely(lost) < SURE or not _trained_on(evidence):
        return _by_heart(evidence)
    step = evidence.best_step or 0
    return Verdict(
        name="overfitting",
        confidence=sureness(min(rise / RISE, share / LOST), 1.0),
        sentence=(
            f"From step {step:,} of {evidence.step:,} on it learned its examples by heart "
            f"(overfitting): its error on them fell, and on others it rose from "
            f"{best.held_out.mean():.3g} to {last.held_out.mean():.3g}."
        ),
        action=f"The weights of step {step:,} were kept; more examples would help most.",
        taken=True,
        saw={"from_step": step, "rise": round(rise, 4), "lost": round(share, 4)},
    )


def _by_heart(evidence: Evidence) -> Verdict | None:
    """Tell whether train rows are known by heart and others hardly, though nothing got worse."""
    best, last, constant = evidence.best, evidence.last, evidence.constant_loss
    if best is None or best.held_out is None or last is None or last.train is None:
        return None
    if not constant > 0:
        return None
    known, unknown = float(last.train.mean()) / constant, float(best.held_out.mean()) / constant
    is_network = math.isnan(evidence.untouched)  # trees know their rows by heart by nature
    if not (known < BY_HEART and unknown > UNKNOWN and evidence.same_units and is_network):
        return None
    return Verdict(
        name="overfitting",
        confidence=0.5 + 0.4 * min(1.0, (unknown - UNKNOWN) / 0.15),
        sentence=(
            "It learned its examples by heart (overfitting), and little that holds for others: its "
            f"error on them is {known:.0%} of that of always giving the same answer, and on others "
            f"{unknown:.0%}."
        ),
        action="More examples would help most; a smaller model, or weight decay, some.",
        saw={"known": round(known, 4), "unknown": round(unknown, 4)},
    )


def is_behind(evidence: Evidence) -> bool:
    """Tell whether a quick learner of another kind is far better, where little is by heart."""
    behind = _behind(evidence)
    if behind is None or surely(behind) < SURE or not _learned_alike(evidence):
        return False
    return _share(evidence, behind) >= BETTER


def _behind(evidence: Evidence) -> Array | None:
    """Return by how much each validation row is missed further than by the other learner."""
    best, other, base = evidence.best or evidence.last, evidence.other, evidence.constant_missed
    if best is None or best.missed is None or other is None or base is None:
        return None
    behind: Array = best.missed - other
    return behind


def _share(evidence: Evidence, behind: Array) -> float:
    assert evidence.constant_missed is not None
    return float(behind.mean()) / max(float(evidence.constant_missed.mean()), 1e-12)


def underfitting(evidence: Evidence) -> Verdict | None:
    """Tell whether the model is too simple: a quick learner of another kind is far better."""
    best, other, behind = evidence.best, evidence.other, _behind(evidence)
    if best is None or best.missed is None or other is None or behind is None:
        return None
    if not is_behind(evidence) or still_gaining(evidence) > UNFINISHED:
        return None
    share = _share(evidence, behind)
    return Verdict(
        name="underfitting",
        confidence=sureness(share, BETTER),
        sentence=(
            "The model is too simple for this data (underfitting): "
            f"{_off(evidence, best.missed)}, where a quick learner of another kind reaches "
            f"{_figure(evidence, other)} from the same inputs."
        ),
        action="Use a larger model, or one that is made for this kind of data.",
        saw={"missed": float(best.missed.mean()), "other": float(other.mean())},
    )


def _trained_on(evidence: Evidence) -> bool:
    """Tell whether the training loss fell after the best validation."""
    best, last = evidence.best, evidence.last
    if best is not None and last is not None and best.train is not None and last.train is not None:
        return bool(last.train.mean() < best.train.mean())
    curve = evidence.curve
    after = curve.train[curve.steps > (evidence.best_step or 0)]
    before = curve.train[curve.steps <= (evidence.best_step or 0)]
    return bool(len(after) and len(before) and np.nanmin(after) < before[-1])


def _learned_alike(evidence: Evidence) -> bool:
    """Tell whether train rows are not much better known than others, or hardly known themselves."""
    best = evidence.best or evidence.last
    train = math.nan if best is None or best.train is None else float(best.train.mean())
    return train > UNLEARNED * evidence.constant_loss or _gap(evidence) <= GAP


def _gap(evidence: Evidence) -> float:
    """Return how far validation is from train, as a share of the way from a constant answer."""
    best = evidence.best or evidence.last
    if best is None or best.train is None or best.held_out is None:
        return 0.0
    constant = evidence.constant_loss
    way = max(constant - float(best.train.mean()), NEXT_TO_NOTHING * constant, 1e-12)
    return float(best.held_out.mean() - best.train.mean()) / way


def _off(evidence: Evidence, missed: Array) -> str:
    if evidence.best is not None and evidence.best.classes:
        return f"{_figure(evidence, missed)} of its answers are wrong"
    return f"its answers are off by {_figure(evidence, missed)} on average (squared)"


def _figure(evidence: Evidence, missed: Array) -> str:
    mean = float(missed.mean())
    return f"{mean:.0%}" if evidence.best is not None and evidence.best.classes else f"{mean:.3g}"
