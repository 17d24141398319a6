"""Training one of our own networks: state, step and stop condition, put together in one place."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from treadle.api.engine import make_step
from treadle.api.options import FitOptions
from treadle.api.training import Training
from treadle.goal import Metric
from treadle.loop.until import StopCondition, epochs, no_better_for

if TYPE_CHECKING:
    import torch
    from torch import nn

    from treadle.api.verdicts import Sight
    from treadle.contracts import Schedule
    from treadle.data.batches import TensorSource
    from treadle.watch.validation import Evaluate


def network_training(
    name: str,
    model: nn.Module,
    *,
    optimizer: torch.optim.Optimizer,
    source: TensorSource,
    evaluate: Evaluate,
    metric: Metric,
    options: FitOptions,
    until: StopCondition,
    most_epochs: int,
    patience: int,
    validate_every: int,
    clip_norm: float | None = None,
    schedule: Schedule | None = None,
    sayings: list[tuple[str, str]] | None = None,
    sight: Sight | None = None,
) -> Training:
    """Return the training of a network whose forward takes a Batch.

    until:    what the user or the budget says; most_epochs holds where that sets no steps
    patience: validations without a better one after which training stops
    schedule: the default one, where the user named none: a warm-up and a cosine
    sight:    looks at the network at the end, for the verdicts
    """
    from treadle.loop.schedules import by_name, warmup_cosine
    from treadle.loop.state import TrainState
    from treadle.loop.step import StepOptions

    named = by_name(options.schedule) if options.schedule else None
    step = make_step(
        options.engine,
        lambda batch: model.loss(model(batch), batch),  # type: ignore[operator]
        schedule=named or schedule or warmup_cosine(),
        options=StepOptions(precision=options.precision, clip_norm=clip_norm),
    )
    state = TrainState(model=model, optimizers={"main": optimizer}, device=source.device)
    step.prepare(state)
    limit = _bounded(until | no_better_for(patience), most_epochs)
    state.horizon = int(limit.max_steps(source.steps_per_epoch))
    return Training(
        name=name,
        state=state,
        source=source,
        step=step,
        evaluate=evaluate,
        metric=metric,
        until=limit,
        steps_per_epoch=source.steps_per_epoch,
        validate_every=validate_every,
        plateau=options.schedule == "plateau",
        sayings=sayings or [],
        free_threads=options.threads is None and options.engine == "auto",
        rate=options.rate_care,
        sight=sight,
    )


def _bounded(until: StopCondition, most_epochs: int) -> StopCondition:
    """Return a condition that holds at last: a schedule is laid out over a number of steps."""
    if math.isfinite(min(until.steps_limit, until.epochs_limit)):
        return until
    return until | epochs(most_epochs)


def predicted(model: Any, part: dict[str, torch.Tensor]) -> Any:
    """Return what a network predicts for a whole part, [N, C] probabilities or [N] values."""
    from treadle.api.inference import inputs_of
    from treadle.capture.inference import Inference

    return Inference(model)(inputs_of(part)).numpy()
