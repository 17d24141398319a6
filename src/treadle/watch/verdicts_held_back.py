"""The verdict on a model that weight decay or dropout holds back: too simple by force."""

from __future__ import annotations

import math

from treadle.watch.evidence import Evidence, surely
from treadle.watch.trials import DECAYED, gain_of
from treadle.watch.verdict import Verdict, sureness

FREED = 0.2
"""What a short training without weight decay and dropout must gain. A sound training, of ratings,
gains 0.11: its decay is strong because it has to be."""

SURE = 3.0
WITHERED = 0.05
"""What is left of the weights' size where decay has won."""


def held_back(evidence: Evidence) -> Verdict | None:
    """Tell whether the model learns well as soon as nothing holds it back."""
    best = evidence.best or evidence.last
    if best is None or best.held_out is None:
        return None
    freed = [p for p in evidence.probes if p.free and not p.broke]
    gained = gain_of(evidence, freed[0]) if freed else 0.0
    if freed and gained >= FREED and surely(best.held_out - freed[0].held_out) > SURE:
        return _said(
            evidence,
            sureness(gained, FREED) * 0.4 + 0.6,
            f"without them, {freed[0].steps:,} more steps brought the error on validation from "
            f"{best.held_out.mean():.3g} to {freed[0].held_out.mean():.3g}",
            {"gain": round(gained, 4), "steps": freed[0].steps},
        )
    withered = evidence.decayed > DECAYED and evidence.weights_left < WITHERED
    learned = evidence.constant_loss - float(best.held_out.mean())
    if withered and math.isfinite(learned) and learned < WITHERED * evidence.constant_loss:
        why = f"its weights shrank to {evidence.weights_left:.2g} of what they were, and it learned"
        return _said(evidence, 0.9, f"{why} next to nothing", {"left": evidence.weights_left})
    return None


def _said(evidence: Evidence, confidence: float, why: str, saw: dict[str, float]) -> Verdict:
    what = "weight decay" if evidence.decayed > DECAYED else "dropout"
    return Verdict(
        name="underfitting",
        confidence=confidence,
        sentence=(
            "The model is held back from learning (underfitting) by weight decay or dropout that "
            f"is too strong: {why}."
        ),
        action=f"Train again with a tenth of the {what}, or without it.",
        saw=saw,
    )
