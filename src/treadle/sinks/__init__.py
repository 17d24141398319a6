"""Curves and words of a run, sent on to TensorBoard, MLflow or Weights & Biases.

    send = open_sink("tensorboard", "runs/first")      beside a training: send(line) for each line
    replay("mlflow", "runs/first")                     a finished run, whole

A sink reads run folders and their lines, and knows nothing of the training that writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from treadle.contracts import Json
from treadle.errors import MissingExtraError, OptionError, TreadleError, did_you_mean
from treadle.folder import RunFolder
from treadle.sinks.sink import Place, Sink

__all__ = ["PACKAGES", "open_sink", "replay"]

PACKAGES = {"tensorboard": "tensorboard", "mlflow": "mlflow-skinny", "wandb": "wandb"}
"""Name of a sink → the package it needs. The package is imported under the sink's name."""


def open_sink(
    name: str,
    folder: Path | str,
    config: Json | None = None,
    *,
    options: Mapping[str, str] | None = None,
    say: Callable[[str], None] | None = None,
) -> Sink:
    """Return what takes each line of a run's journal and curves, and sends it on.

    Sending happens in a thread of its own; a failure is said once and ends the sending, never
    the run. Close the sink when the run has ended.

    config:  what the run was asked for, shown beside its curves; read from the folder if not given
    options: tensorboard: logdir. mlflow: tracking_uri, experiment. wandb: project, entity, mode
    say:     how a failure is said; by default through `logging`

    Raises: OptionError for an unknown name or option; MissingExtraError.
    """
    place = _place(name, folder, config, dict(options or {}))
    return Sink(name, place, say=say)


def replay(name: str, folder: Path | str, *, options: Mapping[str, str] | None = None) -> None:
    """Send all of a run that has been written so far.

    Raises: RunError when there is no run; OptionError; MissingExtraError; TreadleError when the
    place could not be written to.
    """
    run = RunFolder.open(folder)
    sink = Sink(name, _place(name, folder, None, dict(options or {})), say=lambda _: None)
    for line in sorted([*run.events(), *run.metrics()], key=lambda line: int(line.get("step", 0))):
        sink(line)
    sink.close(patience_seconds=600)
    if sink.failure:
        raise TreadleError(f"{run.path} was not wholly sent to {name}: {sink.failure}.")


def _place(name: str, folder: Path | str, config: Json | None, options: dict[str, str]) -> Place:
    if name not in PACKAGES:
        raise OptionError(
            f"there is no sink '{name}'.",
            f"{did_you_mean(name, PACKAGES)}Sinks are {', '.join(PACKAGES)}.",
        )
    if find_spec(name) is None:
        raise MissingExtraError(PACKAGES[name], "track", f"sending curves to {name}")
    module = import_module(f"treadle.sinks.{name}_place")
    unknown = [option for option in options if option not in module.OPTIONS]
    if unknown:
        raise OptionError(
            f"the sink {name} has no option '{unknown[0]}'.",
            f"{did_you_mean(unknown[0], module.OPTIONS)}It has {', '.join(module.OPTIONS)}.",
        )
    run = RunFolder(folder)
    asked = config if config is not None else run.read_json("config.json") or {}
    place: Place = module.open_place(run, asked, options)
    return place
