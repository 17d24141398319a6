"""Weights & Biases: one W&B run for a run folder, also across resumes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treadle.contracts import Json
from treadle.errors import TreadleError
from treadle.folder import RunFolder
from treadle.sinks.tracked import remember, remembered

OPTIONS = ("project", "entity", "mode")
WITHOUT_ACCOUNT = ("offline", "disabled", "shared")


class WandbPlace:
    """Logs curves over our own step, since W&B's only ever counts up and a resume goes back."""

    def __init__(self, run: RunFolder, config: Json, options: Mapping[str, str]) -> None:
        self.run = run
        self.config = config
        self.options = options
        self._wandb: Any = None

    def begin(self, step: int) -> None:
        if self._wandb:
            return
        import wandb

        mode = self.options.get("mode")
        settings = wandb.Settings(console="off", silent=True)  # the terminal is not W&B's
        if (mode or settings.mode) not in WITHOUT_ACCOUNT and not wandb.api.api_key:
            # W&B would ask for a key at the terminal, in the middle of the training.
            raise TreadleError("there is no key; run `wandb login`, or ask for mode=offline")
        self._wandb = wandb.init(
            project=self.options.get("project", "treadle"),
            entity=self.options.get("entity"),
            mode=mode,
            id=remembered(self.run, "wandb"),
            resume="allow",
            name=self.run.name,
            config=self.config,
            dir=str(self.run.path),
            settings=settings,
        )
        remember(self.run, "wandb", self._wandb.id)
        self._wandb.define_metric("*", step_metric="step")

    def curve(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        self._wandb.log({**values, "epoch": epoch, "step": step})

    def words(self, step: int, topic: str, sentence: str) -> None:
        self._wandb.summary[f"said/{topic}"] = f"step {step:,}: {sentence}"

    def end(self) -> None:
        self._wandb.finish()


def open_place(run: RunFolder, config: Json, options: Mapping[str, str]) -> WandbPlace:
    return WandbPlace(run, config, options)
