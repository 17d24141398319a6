"""A trained model of a fit, whether it answers alone or is weighed with others."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from treadle.api.training import Trained
from treadle.contracts import Json, Task
from treadle.goal import METRICS, Metric, metric_named

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Member:
    """A trained model of a table.

    files:    what the model folder keeps: by file name, tensors by name
    facts:    what is needed to build the model again
    validation: its predictions there, [N, C] probabilities or [N] values
    """

    name: str
    files: dict[str, dict[str, torch.Tensor]]
    facts: Json
    validation: NDArray[Any]
    test: NDArray[Any]
    value: float
    trained: Json


def measures(
    metric: Metric,
    truth: NDArray[Any],
    predicted: NDArray[Any],
    also: Collection[str] = (),
) -> dict[str, float]:
    """Return the deciding metric, and the loss as people know it, on validation predictions.

    also: metrics that a stop condition asks for; a name that is none is passed over
    """
    task: Task = "number" if predicted.ndim == 1 else "classes"
    if predicted.ndim == 2 and predicted.shape[1] == 2:
        task = "two_classes"
    loss = metric_named("log_loss" if predicted.ndim == 2 else "root_mean_squared_error", task)
    asked = [METRICS[name] for name in sorted(also) if name in METRICS]
    more = {m.name: m(truth, predicted) for m in asked if task in m.tasks}
    value = metric(truth, predicted)
    return {"validation_loss": loss(truth, predicted), **more, metric.name: value}


def summary(trained: Trained) -> Json:
    """Return how a training ended, as result.json has it."""
    state = trained.state
    return {
        "stopped": {
            "reason": trained.stopped.kind,
            "sentence": trained.stopped.sentence,
            "epoch": state.epoch,
            "step": state.step,
            "best_step": state.best_step,
        },
        "samples_per_second": round(trained.samples_per_second, 1),
        "seconds": round(trained.seconds, 3),
        "engine": trained.engine,
        "verdicts": trained.verdicts,
        "forecasts": trained.forecasts,
    }
