"""How one of our networks predicts during a fit: eagerly, or captured like its step."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from treadle.contracts import Json

if TYPE_CHECKING:
    import torch
    from torch import nn

    from treadle.api.training import Training
    from treadle.loop.journal import Journal
    from treadle.loop.state import TrainState

MEMORY = TOPIC = "inference"
WORTH_SHARE = 0.2
"""Of the time that validation still takes, what capturing its forward pass may take."""

FEWEST_SECONDS = 3.0
"""What a look into the cache takes."""


class Predicting:
    """state → what the network predicts for the held-out rows.

    Where the step is captured, so is this, once and by decision: at the first validation where
    that was asked for, and under "auto" where what validation still takes is worth the wait.
    """

    def __init__(self, network: nn.Module, held_out: dict[str, torch.Tensor]) -> None:
        from treadle.capture.inference import Inference

        self.inference = Inference(network)
        self.held_out = inputs_of(held_out)
        self.training: Training | None = None
        self.journal: Journal | None = None
        self._seconds = 0.0

    def __call__(self, state: TrainState) -> Any:
        if not self.inference.is_captured:
            self._capture_if_due(state)
        start = time.perf_counter()
        found = self.inference(self.held_out).numpy()
        self._seconds = time.perf_counter() - start
        return found

    def watch(self, training: Training, journal: Journal) -> None:
        """Say whose step this follows, and where its decisions are written."""
        self.training, self.journal = training, journal

    def _capture_if_due(self, state: TrainState) -> None:
        if MEMORY not in state.memory and not self._decides(state):
            return
        if state.memory[MEMORY]["engine"] == "compiled" and not self.inference.is_captured:
            self.inference.capture(self.held_out, worth_seconds=math.inf)  # resumed

    def _decides(self, state: TrainState) -> bool:
        """Decide whether to predict by captured code, where this is the time for it."""
        from treadle.loop.compiled import is_captured

        step: Any = self.training.step if self.training else None
        if self.journal is None or not is_captured(state):
            return False
        if not step.pinned and not self._is_due(state):
            return False
        worth = math.inf if step.pinned else self._worth_seconds(state)
        decided: str = self.journal.decide(TOPIC, state.step, lambda: self._capture(worth))
        state.memory[MEMORY] = {"engine": decided}
        return True

    def _is_due(self, state: TrainState) -> bool:
        """Tell whether this is the time to find out; an attempt before knew the same step."""
        assert self.journal is not None
        if self.journal.has_replay_after(TOPIC, state.step):
            return self.journal.has_replay(TOPIC, state.step)
        return self._worth_seconds(state) > FEWEST_SECONDS

    def _worth_seconds(self, state: TrainState) -> float:
        assert self.training is not None
        most = self.training.until.max_steps(self.training.steps_per_epoch)
        validations = max(0.0, (most - state.step) / self.training.validate_every)
        left = self.training.until.max_minutes * 60 - state.seconds
        return WORTH_SHARE * min(validations * self._seconds, max(0.0, left))

    def _capture(self, worth_seconds: float) -> tuple[str, str, Json]:
        from treadle.capture.background import Refused

        answer = self.inference.capture(self.held_out, worth_seconds=worth_seconds)
        if isinstance(answer, Refused):
            return "eager", f"validation goes on uncompiled: {answer.reason}.", {}
        saw = {"seconds": round(answer.seconds, 2), "cached": answer.was_cached}
        how = "was there already" if answer.was_cached else "was compiled"
        sentence = (
            f"validation predicts by compiled code, too; it {how} ({answer.seconds:.1f} seconds)."
        )
        return "compiled", sentence, saw


def inputs_of(part: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return what a network is given of a part: all but the truth and its weight."""
    return {name: tensor for name, tensor in part.items() if name not in ("target", "weight")}
