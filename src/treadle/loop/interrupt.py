"""Ctrl-C and SIGTERM: the step under way is finished, the state saved, the run can go on."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from treadle.loop.until import StopCondition, StopReason

if TYPE_CHECKING:
    from treadle.loop.state import TrainState


class Interruption:
    """A context that turns the first signal into a stop condition; a second one ends at once.

    A second Ctrl-C is a KeyboardInterrupt, as everywhere in Python; a second SIGTERM ends the
    process by that signal, whatever it waits for. What was saved before is whole either way.
    Outside the main thread, where Python allows no handlers, it changes nothing.
    """

    def __init__(self) -> None:
        self.asked_by: str | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def condition(self) -> StopCondition:
        return StopCondition(check=self._check, text="")

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.asked_by and number == signal.SIGTERM:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        if self.asked_by:
            raise KeyboardInterrupt
        self.asked_by = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name

    def _check(self, state: TrainState) -> StopReason | None:
        if not self.asked_by:
            return None
        return StopReason("interrupted", f"{self.asked_by} asked to stop at step {state.step:,}")
