"""Fit an engineer's own module: their data, loss, optimizer, metrics, watchers, or whole step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from treadle.api.engine import compiler, make_step
from treadle.api.evidence_module import ModuleSight
from treadle.api.machine import machine_and_versions, pick_device
from treadle.api.module_loss import (
    BatchLoss,
    Evaluation,
    OwnStep,
    choose_metric,
    compared,
    parts_of,
)
from treadle.api.module_options import HELD, USUAL_EPOCHS, ModuleOptions
from treadle.api.module_record import config_of, finish
from treadle.api.module_sources import make_sources
from treadle.api.run import Run
from treadle.api.start import begin, new_folder
from treadle.api.track import sinks
from treadle.api.training import Observer, Saving, Training, train
from treadle.contracts import Json
from treadle.errors import OptionError
from treadle.folder import EVENTS, RunFolder
from treadle.goal import LOSS, Metric
from treadle.loop.journal import Journal
from treadle.loop.schedules import by_name
from treadle.loop.until import StopCondition, epochs

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from treadle.contracts import Schedule
    from treadle.data.own import Own

LOSS_OF_TRAINING = Metric(
    name="train_loss",
    needs="values",
    higher_is_better=False,
    tasks=("own",),
    function=lambda truth, predicted: float("nan"),
)
WAYS = ("resume", "not_exact", "overwrite")
USUAL_RATE = 1e-3
"""AdamW's, where the search for one begins."""


def fit_module(module: nn.Module, data: Any, options: ModuleOptions) -> Run:
    """Train `module` on `data` and return the run; the best weights are in the module.

    data: (x, y) tensors or arrays, a dict of them, a torch Dataset, a DataLoader, or the paths of
          Parquet files, which may be larger than memory.

    Raises: OptionError, DataError, RunError, Interrupted, DivergedError.
    """
    import torch

    from treadle.api.transfer import take_weights
    from treadle.data.own import fingerprint
    from treadle.loop.randomness import seed_all

    if options.threads:
        torch.set_num_threads(options.threads)
    folder = RunFolder(options.out) if options.out else new_folder()
    device = pick_device(options.device)
    source, held_out, sayings = make_sources(data, options, device)
    opening = [("data", sentence) for sentence in sayings]
    if options.start_from is not None and not (options.resume and folder.is_run):
        opening.append(("transfer", take_weights(module, options.start_from)))
    training = _training(module, source, held_out, options)
    marks: Json = {"data": fingerprint(source, held_out), "device": str(device)}
    marks["engine"] = options.engine
    if options.engine != "eager":
        marks["compiler"] = compiler()
    machine = machine_and_versions(torch.get_num_threads()) | marks
    config = config_of(module, source, options, training)
    ways: dict[str, bool] = {name: getattr(options, name) for name in WAYS}
    with begin(folder, config, machine, **ways) as said:
        training.sayings = opening + [("resume", sentence) for sentence in said]
        names = [options.track] if isinstance(options.track, str) else options.track
        training.watchers = [*options.watchers, *sinks(names, folder)]
        seed_all(options.seed)
        saving = Saving(every_seconds=options.save_every_seconds)
        observer = options.observer or Observer()
        journal = Journal(folder.path, listener=observer.line)
        resume = options.resume and (folder.path / EVENTS).exists()
        trained = train(training, folder, journal, resume=resume, observer=observer, saving=saving)
        finish(folder, training, trained, held_out)
    return Run(folder.path, module=module)


def predict_module(module: nn.Module, data: Any, batch_size: int = 1_024) -> Tensor:
    """Return the module's outputs for all rows of `data` (with or without targets), on the CPU."""
    import torch

    from treadle.data.own import as_source
    from treadle.watch.validation import evaluating

    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    source, _ = as_source(data, batch_size=batch_size, seed=0, device=device, shuffle=False)
    with evaluating(module):
        outputs = (parts_of(module, batch)[0] for batch in source.once())
        return torch.cat([compared(output, "the module's output").cpu() for output in outputs])


def _training(
    module: nn.Module, source: Own, held_out: Own | None, options: ModuleOptions
) -> Training:
    from treadle.loop.state import TrainState

    device = pick_device(options.device)
    module.to(device)
    state = TrainState(
        model=module,
        optimizers=_optimizers(module, options.optimizer, options.lr),
        extras=_extras(source, options),
        device=device,
    )
    condition, epoch = _until(source, held_out, options), source.steps_per_epoch
    _refuse_without_length(source, options)
    state.horizon = int(min(condition.max_steps(epoch), 100 * epoch))
    loss = BatchLoss(module, options.loss)
    metric = choose_metric(options.metric, options.metrics, options.higher_is_better)
    if held_out is not None and metric is LOSS and options.step and options.loss is None:
        raise OptionError(
            "metric is 'loss', and beside a step of your own there is none to validate with.",
            "Give loss=…, a function of (output, target), or metric=… one of your metrics.",
        )
    step = _step(loss, source, options)
    if not options.step:
        step.prepare(state)
    return Training(
        name=type(module).__name__,
        state=state,
        source=source,
        step=step,
        evaluate=Evaluation(loss, held_out, options.metrics),
        metric=LOSS_OF_TRAINING if held_out is None else metric,
        until=condition,
        steps_per_epoch=epoch,
        validate_every=options.validate_every or _cadence(source),
        plateau=options.schedule == "plateau",
        free_threads=options.threads is None and options.engine == "auto",
        rate=options.rate_care,
        worth=options.worth,
        stops_itself=options.stops_itself,
        holds_rate=_rate_plan(source, options) == HELD,
        validation_rows=held_out.num_rows if held_out else 0,
        sight=ModuleSight(loss, source, held_out),
    )


def _step(loss: BatchLoss, source: Own, options: ModuleOptions) -> Any:
    """Return the user's own step, or ours."""
    from treadle.loop.step import StepOptions

    if options.step:
        return OwnStep(options.step)
    return make_step(
        options.engine,
        loss,
        schedule=_schedule(_rate_plan(source, options)),
        options=StepOptions(
            accumulate=options.accumulate,
            clip_norm=options.clip_norm,
            average=options.average,
            precision=options.precision,
        ),
    )


def _extras(source: Own, options: ModuleOptions) -> dict[str, Any]:
    """Return what a checkpoint holds besides: what the user named, and a loader's own place."""
    extras = dict(options.extras or {})
    if getattr(source, "exact", False):
        extras["loader"] = source.loader  # type: ignore[union-attr]
    return extras


def _cadence(source: Own) -> int:
    """Return the steps between validations: 1,000, or an epoch where that reads files anew."""
    reads_anew = not getattr(source, "is_kept_whole", True)
    return source.steps_per_epoch if reads_anew else min(source.steps_per_epoch, 1_000)


def _refuse_without_length(source: Own, options: ModuleOptions) -> None:
    """Refuse to lay a schedule out for epochs whose length nobody knows. Raises: OptionError."""
    if options.schedule not in (None, "constant") and _has_no_length(source, options):
        raise OptionError(
            "the data is a stream that does not say how many batches an epoch has, so a schedule "
            "cannot be laid out over epochs.",
            'Say the steps: until="5000 steps". Or give the loader a length.',
        )


def _has_no_length(source: Own, options: ModuleOptions) -> bool:
    """Tell whether nobody knows how many steps training takes: neither the data nor the user."""
    unknown = getattr(source, "num_batches", 0) is None
    return unknown and options.condition.steps_limit == math.inf


def _until(source: Own, held_out: Own | None, options: ModuleOptions) -> StopCondition:
    """Return when to stop. A rate that is held runs out where validation stands still, which ends
    training; patience would end it before."""
    if options.until is None and held_out is not None and _rate_plan(source, options) == HELD:
        return epochs(USUAL_EPOCHS)
    return options.condition


def _rate_plan(source: Own, options: ModuleOptions) -> Schedule | str:
    """Return how the rate goes; constant, where nobody knows how long an epoch is."""
    if options.schedule is None and _has_no_length(source, options):
        return "constant"
    return options.rate_plan


def _schedule(asked: Schedule | str) -> Schedule | None:
    """Return the schedule; a constant one leaves the rates alone, for a scheduler of the user's."""
    if asked == "constant":
        return None
    return by_name(asked) if isinstance(asked, str) else asked


def _optimizers(
    module: nn.Module, given: Any, lr: float | str | None
) -> dict[str, torch.optim.Optimizer]:
    import torch

    from treadle.loop.adamw import AdamW

    if given is None:
        rate = lr if isinstance(lr, (int, float)) else USUAL_RATE
        return {"main": AdamW(module.parameters(), lr=rate)}
    if isinstance(given, torch.optim.Optimizer):
        return {"main": given}
    if isinstance(given, Mapping):
        return dict(given)
    made = given(module.parameters()) if callable(given) else None
    if isinstance(made, torch.optim.Optimizer):
        return {"main": made}
    raise OptionError(
        f"optimizer is a {type(given).__name__}.",
        "Give a torch optimizer, a dict of them by name, or a function of the parameters.",
    )
