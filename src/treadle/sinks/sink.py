"""A sink: takes lines at once, sends them on in a thread of its own, and cannot hurt the run."""

from __future__ import annotations

import atexit
import logging
import math
import threading
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Protocol

from treadle.contracts import Json

log = logging.getLogger(__name__)


class Place(Protocol):
    """Somewhere that curves and words can be written to. Called from one thread."""

    def begin(self, step: int) -> None:
        """Get ready; what an earlier attempt wrote from `step` on is superseded."""
        ...

    def curve(self, step: int, epoch: int, values: Mapping[str, float]) -> None: ...
    def words(self, step: int, topic: str, sentence: str) -> None: ...
    def end(self) -> None: ...


class Sink:
    """Called with each line of a run, as the journal writes it.

    A line with `values` is a point of the curves, one with a `sentence` is something said. The
    first failure of the place is said once, and everything after it is dropped.

    failure: why nothing is sent any more; empty while all is well
    """

    def __init__(
        self, name: str, place: Place, *, say: Callable[[str], None] | None = None
    ) -> None:
        self.name = name
        self.failure = ""
        self._place = place
        self._say = say or log.warning
        self._lines: SimpleQueue[Json | None] = SimpleQueue()
        self._attempt = 0
        self._thread = threading.Thread(target=self._work, name=f"sink-{name}", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def __call__(self, line: Json) -> None:
        if not self.failure:
            self._lines.put(line)

    def close(self, patience_seconds: float = 10.0) -> None:
        """Wait until everything has been sent, but not for ever. A closed sink takes no more."""
        atexit.unregister(self.close)
        self._lines.put(None)
        self._thread.join(patience_seconds)
        if self._thread.is_alive():
            self._fail(f"it had not taken everything after {patience_seconds:g} seconds")

    def _work(self) -> None:
        try:
            while (line := self._lines.get()) is not None:
                self._send(line)
            if self._attempt:
                self._place.end()
        except Exception as error:  # whatever a foreign package does, the run goes on
            self._fail(f"{type(error).__name__}: {error}")

    def _send(self, line: Json) -> None:
        step, attempt = int(line.get("step") or 0), int(line.get("attempt") or 1)
        if attempt > self._attempt:
            self._attempt = attempt
            self._place.begin(step)
        if "values" in line:
            self._place.curve(step, int(line.get("epoch") or 0), finite_only(line["values"]))
        elif "sentence" in line:
            self._place.words(step, str(line.get("topic", "")), str(line["sentence"]))

    def _fail(self, reason: str) -> None:
        if self.failure:
            return
        self.failure = reason.rstrip(".")
        self._say(
            f"Nothing more is sent to {self.name}: {self.failure}. The run itself goes on, and its "
            "folder holds everything."
        )


def finite_only(values: Mapping[str, float | None]) -> dict[str, float]:
    """Return the values that a curve can show."""
    return {name: v for name, v in values.items() if v is not None and math.isfinite(v)}
