"""The journal: what was noticed, decided and measured, one JSON object a line, in plain words.

`events.jsonl` holds what was said and decided, `metrics.jsonl` the curves. Both are only appended
to. A line carries the `attempt` it was written in (1, and one more with each resume): a resumed
run turns again the steps after its checkpoint, and where two attempts speak of the same step the
later one holds. A last line torn by a crash is passed over.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from treadle.contracts import Json
from treadle.errors import SaveError
from treadle.folder import EVENTS, METRICS, finite, read_lines
from treadle.lock import sync_folder

T = TypeVar("T")


class Journal:
    """Writes a run's journal, and replays the decisions of an earlier attempt.

    folder:   the run folder; without one the lines are kept in memory alone
    listener: called with each line as it is written, for display
    """

    def __init__(
        self, folder: Path | None = None, *, listener: Callable[[Json], None] | None = None
    ) -> None:
        self.folder = folder
        self.listener = listener
        self.lines: list[Json] = []
        read = read_lines(folder / EVENTS) if folder else ()
        self._earlier = [line for line in read if _is_ours(line)]
        self.attempt = 1 + max((line["attempt"] for line in self._earlier), default=0)
        self._replay: dict[tuple[str, int], Any] = {}
        self._is_listed = False
        if folder:
            _close_torn_line(folder / EVENTS)
            _close_torn_line(folder / METRICS)

    def replay_after(self, step: int) -> None:
        """Replay what earlier attempts decided after `step`, where this one starts (-1: all)."""
        self._replay = {
            (line["topic"], line["step"]): line["value"]
            for line in self._earlier
            if "value" in line and line["step"] > step
        }

    def say(self, topic: str, sentence: str, *, step: int = 0, **saw: Any) -> None:
        """Append one line: what was seen (numbers) and one plain sentence."""
        self._append(EVENTS, self._line(topic, sentence, step, saw))

    def decide(
        self, topic: str, step: int, make: Callable[[], tuple[T, str, Json]], *, ties: bool = True
    ) -> T:
        """Return what `make` decides, durable in the journal before it takes effect.

        make returns (a value JSON can hold, one sentence, the numbers it saw). When an earlier
        attempt decided the same topic at the same step after the checkpoint this attempt started
        from, its value is returned and nothing is made anew: so clocks and measurements cannot
        move a resumed run. ties=False marks what is never replayed (a stop).
        """
        if ties and (topic, step) in self._replay:
            replayed: T = self._replay[(topic, step)]
            return replayed
        value, sentence, saw = make()
        line = self._line(topic, sentence, step, saw) | {"value": value}
        self._append(EVENTS, line, durable=True)
        return value

    def has_replay(self, topic: str, step: int) -> bool:
        """Tell whether a decision of this topic at this step is to be replayed."""
        return (topic, step) in self._replay

    def has_replay_after(self, topic: str, step: int) -> bool:
        """Tell whether one is to be replayed at a later step: nothing is decided before it."""
        return any(other == topic and later > step for other, later in self._replay)

    def last_value(self, topic: str, step: int) -> Any:
        """Return what earlier attempts decided last of a topic, up to a step; None: nothing."""
        values = [
            line["value"]
            for line in self._earlier
            if line["topic"] == topic and line["step"] <= step and "value" in line
        ]
        return values[-1] if values else None

    def measure(self, step: int, epoch: int, values: dict[str, float], **clock: float) -> None:
        """Append one point of the curves; `clock` holds what depends on the machine's speed."""
        line: Json = {"attempt": self.attempt, "step": step, "epoch": epoch, "values": values}
        self._append(METRICS, line | ({"clock": clock} if clock else {}))

    def _line(self, topic: str, sentence: str, step: int, saw: Json) -> Json:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"time": now, "attempt": self.attempt, "step": step, "topic": topic}
        return line | {"sentence": sentence} | ({"saw": saw} if saw else {})

    def _append(self, name: str, line: Json, *, durable: bool = False) -> None:
        if self.folder:
            _write_line(self.folder / name, line, durable=durable)
            if durable and not self._is_listed:  # a new file survives a power cut with its folder
                sync_folder(self.folder)
                self._is_listed = True
        else:
            self.lines.append(line)
        if self.listener and name == EVENTS:
            self.listener(line)


def _write_line(path: Path, line: Json, *, durable: bool) -> None:
    """Append one line, all of it or nothing. Raises: SaveError."""
    text = (json.dumps(finite(line), ensure_ascii=False) + "\n").encode()
    before = None
    try:
        with path.open("ab", buffering=0) as file:
            before = file.tell()
            rest = memoryview(text)
            while rest:
                rest = rest[file.write(rest) :]
            if durable:
                os.fsync(file.fileno())
    except OSError as error:
        if before is not None:  # half a line would spoil the next one, where there is one
            with contextlib.suppress(OSError):
                os.truncate(path, before)
        raise SaveError(
            f"{path} could not be written: {error}.",
            "Free space or mend the place, then resume: what was saved before is whole.",
        ) from error


def _is_ours(line: Json) -> bool:
    """Tell whether a line says what every line of ours does; a garbled file may hold others."""
    numbers = line.get("attempt"), line.get("step")
    return isinstance(line.get("topic"), str) and all(type(n) is int for n in numbers)


def _close_torn_line(path: Path) -> None:
    """End a torn last line, so that the next one starts on its own."""
    if path.exists() and (text := path.read_bytes()) and not text.endswith(b"\n"):
        with path.open("ab") as file:
            file.write(b"\n")
