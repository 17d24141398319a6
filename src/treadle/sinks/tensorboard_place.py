"""TensorBoard: event files in the run folder, read by `tensorboard --logdir`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from treadle.contracts import Json
from treadle.folder import RunFolder

OPTIONS = ("logdir",)


class TensorBoardPlace:
    """Writes event files below `logdir`."""

    def __init__(self, logdir: str, config: Json) -> None:
        self.logdir = logdir
        self.config = config
        self._writer: Any = None

    def begin(self, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        is_first = self._writer is None
        if not is_first:
            self._writer.close()
        self._writer = SummaryWriter(self.logdir, purge_step=step)
        if is_first and self.config:
            text = json.dumps(self.config, indent=2, ensure_ascii=False)
            self._writer.add_text("config", f"```\n{text}\n```", step)

    def curve(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        for name, value in {**values, "epoch": epoch}.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def words(self, step: int, topic: str, sentence: str) -> None:
        self._writer.add_text(topic, sentence, step)

    def end(self) -> None:
        self._writer.close()


def open_place(run: RunFolder, config: Json, options: Mapping[str, str]) -> TensorBoardPlace:
    return TensorBoardPlace(options.get("logdir", str(run.path / "tensorboard")), config)
