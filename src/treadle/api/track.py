"""Sending the curves of a running training to the places people already look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from treadle.contracts import Json
from treadle.folder import RunFolder

if TYPE_CHECKING:
    from treadle.loop.state import TrainState


class SinkWatcher:
    """A watcher that hands each new validation to a sink by name."""

    def __init__(self, name: str, folder: RunFolder) -> None:
        self.name = name
        self.folder = folder
        self.send: Callable[[Json], Any] | None = None

    def __call__(self, state: TrainState) -> None:
        if not state.history or state.history[-1].step != state.step:
            return
        if self.send is None:
            from treadle.sinks import open_sink

            self.send = open_sink(self.name, self.folder.path, self.folder.config)
        newest = state.history[-1]
        self.send({"step": newest.step, "epoch": newest.epoch, "values": dict(newest.metrics)})
