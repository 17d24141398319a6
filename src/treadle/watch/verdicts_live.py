"""What can be told of a training while it turns: from its curves alone, and said once each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from treadle.contracts import Json
from treadle.loop.journal import Journal
from treadle.loop.state import TrainState
from treadle.watch.evidence import Evidence
from treadle.watch.verdict import Verdict
from treadle.watch.verdicts_fit import RISE
from treadle.watch.verdicts_spike import spike
from treadle.watch.verdicts_too_high import put_back_or_thrown

MEMORY = "verdicts_live"
IN_A_ROW, SCATTERS = 3, 2.0
"""Validations that must all be above the best one, and by how often their usual change from one to
the next: one may be chance."""

FEWEST_VALIDATIONS = 6

STAYS = ("spike", "overfitting")
"""Of a rate that seemed too high, the trials at the end know more."""


class LiveVerdicts:
    """A watcher that says at validations what goes wrong, once each.

    It goes by the state alone and remembers in it what was said, so a resumed run says the same.

    evidence: state → what is known of the training so far
    say:      (journal, verdict, step) → writes it
    """

    def __init__(
        self,
        journal: Journal,
        evidence: Callable[[TrainState], Evidence],
        say: Callable[[Journal, Verdict, int], None],
    ) -> None:
        self.journal, self.evidence, self.say = journal, evidence, say

    def __call__(self, state: TrainState) -> None:
        if not state.history or state.history[-1].step != state.step:
            return
        memory = state.memory.setdefault(MEMORY, {"said": {}})
        if isinstance(memory["said"], list):  # an earlier Treadle kept the names alone
            memory["said"] = {name: {} for name in memory["said"]}
        said = memory["said"]
        evidence = self.evidence(state)
        for cause in (spike, put_back_or_thrown, learning_by_heart):
            verdict = cause(evidence)
            if verdict is not None and verdict.name not in said:
                said[verdict.name] = verdict.as_json()
                self.say(self.journal, verdict, state.step)
            if verdict is not None:
                return  # what follows from it is not said beside it


def said_of(memory: Json) -> dict[str, Verdict]:
    """Return by name what was said on the way that the end does not ask about anew."""
    said = memory.get(MEMORY, {}).get("said", {})
    kept = {name: said[name] for name in STAYS if isinstance(said, dict) and said.get(name)}
    return {name: Verdict(**verdict) for name, verdict in kept.items()}


def learning_by_heart(evidence: Evidence) -> Verdict | None:
    """Tell whether validation turned up for good while the training loss goes on falling."""
    held_out, train = evidence.curve.held_out, evidence.curve.train
    if len(held_out) < FEWEST_VALIDATIONS or not np.isfinite(held_out).all():
        return None
    best = int(held_out.argmin())
    after = held_out[best + 1 :]
    scatter = float(np.median(np.abs(np.diff(held_out)))) if len(held_out) > 1 else 0.0
    mark = held_out[best] + max(RISE * abs(held_out[best]), SCATTERS * scatter)
    if len(after) < IN_A_ROW or after[-IN_A_ROW:].min() <= mark or train[-1] > train[best]:
        return None
    step = int(evidence.curve.steps[best])
    return Verdict(
        name="overfitting",
        confidence=0.8,
        sentence=(
            f"Since step {step:,} it learns its examples by heart (overfitting): its error on them "
            f"goes on falling, and on others it rose from {held_out[best]:.3g} to "
            f"{held_out[-1]:.3g}."
        ),
        action="Nothing is lost: the best weights are kept, and put back at the end.",
        taken=True,
        saw={"from_step": step, "best": float(held_out[best]), "newest": float(held_out[-1])},
    )
