"""A step that takes its batches in smaller slices where memory does not hold them whole."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from treadle.contracts import Json, Step
from treadle.errors import MemoryFullError
from treadle.loop.out_of_memory import TooLarge, free_what_failed, is_out_of_memory
from treadle.loop.step import EagerStep, num_rows

if TYPE_CHECKING:
    from treadle.loop.journal import Journal
    from treadle.loop.state import TrainState

SLICES = "slices"
"""Where the state remembers the most rows of a slice; and the topic of the decisions."""


class Slicing:
    """A step around another: out of memory, each batch is taken in slices of half as many rows.

    The effective batch stays what it is. Each halving is a decision, made at the step that it
    was needed for (so a resumed run slices from that step on, whatever memory it finds), and the
    failed attempt leaves no trace: weights, buffers, generators and what was logged are as before.
    Where compiled code runs out of memory nobody knows how far it came: the decision is made, and
    training stops, to be resumed from its newest checkpoint. Captured code is for one slicing, so
    after a decision the step is taken the plain way.

    Raises: MemoryFullError where a batch is down to single rows, or cannot be sliced.
    """

    def __init__(self, step: Step, journal: Journal) -> None:
        self.step = step
        self.journal = journal
        self.eager = next(
            (s for s in (step, getattr(step, "eager", None)) if isinstance(s, EagerStep)), None
        )

    def __call__(self, state: TrainState, batch: Any) -> None:
        if self.eager is not None:
            if self.journal.has_replay(SLICES, state.step + 1):
                rows = self.journal.decide(SLICES, state.step + 1, _never)
                state.memory[SLICES] = {"rows": rows}
            if SLICES in state.memory:
                self._as_decided(state, batch, self.eager)
        while True:
            try:
                self.step(state, batch)
                return
            except TooLarge as error:
                reason = str(error)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error) or self.eager is None:
                    raise
                self._stop(state, batch, error)
            # out of the except block: the error kept all that the failed attempt had in memory
            self._slice_further(state, batch, reason)

    def _as_decided(self, state: TrainState, batch: Any, eager: EagerStep) -> None:
        """Take this batch in as many slices as were decided on; a small last one in fewer."""
        count = -(-num_rows(batch) // state.memory[SLICES]["rows"])
        if count != eager.options.accumulate:
            eager.options = replace(eager.options, accumulate=count)
        if getattr(self.step, "is_engaged", False):
            self.step.disengage(state)  # type: ignore[attr-defined]

    def _slice_further(self, state: TrainState, batch: Any, reason: str) -> None:
        assert self.eager is not None, "only a step of our own says TooLarge"
        free_what_failed(state.device)
        self._decide(state, batch, reason)
        self._as_decided(state, batch, self.eager)

    def _decide(self, state: TrainState, batch: Any, reason: str) -> None:
        """Decide on slices of half as many rows from the step to come on. Raises: MemoryFullError.

        What an earlier attempt decided was tried already, and is not enough any more.
        """
        assert self.eager is not None
        rows = -(-num_rows(batch) // self.eager.options.accumulate)
        if rows <= 1:
            raise MemoryFullError(
                f"at step {state.step + 1:,} there was not enough memory even for a single row of "
                f"a batch ({reason}).",
                "What was saved before is whole. Free memory, or train a smaller model.",
            )
        decided = self.journal.decide(
            SLICES, state.step + 1, lambda: _said(-(-rows // 2), rows, reason), ties=False
        )
        state.memory[SLICES] = {"rows": decided}

    def _stop(self, state: TrainState, batch: Any, error: BaseException) -> None:
        """Decide, and stop: the update may be half done. Raises: MemoryFullError."""
        self._decide(state, batch, str(error).splitlines()[0])
        raise MemoryFullError(
            f"memory ran out in the middle of step {state.step + 1:,}, so that nobody can tell "
            "how much of it was done; training was stopped.",
            "Resume it: it goes on from its newest checkpoint, and takes smaller slices from that "
            "step on.",
        ) from error


def _said(rows: int, before: int, reason: str) -> tuple[int, str, Json]:
    sentence = (
        f"there was not enough memory for {before:,} rows at once, so from here on each batch is "
        f"taken in slices of at most {rows:,}; the update still counts all of its rows."
    )
    return rows, sentence, {"rows": rows, "before": before, "error": reason[:200]}


def _never() -> Any:
    raise AssertionError("this was decided before")
