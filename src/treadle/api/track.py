"""Sending the curves of a running training to the places people already look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from treadle.folder import RunFolder

if TYPE_CHECKING:
    from treadle.loop.state import TrainState
    from treadle.sinks.sink import Sink


def sinks(names: Sequence[str], folder: RunFolder) -> list[SinkWatcher]:
    """Return a watcher for each sink that was asked for."""
    return [SinkWatcher(name, folder) for name in names if name]


class SinkWatcher:
    """A watcher that hands each new validation to a sink by name."""

    def __init__(self, name: str, folder: RunFolder) -> None:
        self.name = name
        self.folder = folder
        self.sink: Sink | None = None

    def __call__(self, state: TrainState) -> None:
        if not state.history or state.history[-1].step != state.step:
            return
        if self.sink is None:
            from treadle.loop.randomness import kept_generators
            from treadle.sinks import open_sink

            with kept_generators():
                self.sink = open_sink(self.name, self.folder.path, self.folder.config)
        newest = state.history[-1]
        self.sink({"step": newest.step, "epoch": newest.epoch, "values": dict(newest.metrics)})

    def close(self) -> None:
        """Wait until what was handed over has been sent, or has failed."""
        if self.sink is not None:
            self.sink.close()
