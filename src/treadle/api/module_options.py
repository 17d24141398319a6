"""What an engineer can say about the training of their own module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from treadle.api.engine import ENGINES, Engine
from treadle.api.rate import RateCare
from treadle.api.training import Observer
from treadle.contracts import Watcher
from treadle.errors import OptionError, did_you_mean
from treadle.loop.until import StopCondition, epochs, no_better_for, parse

if TYPE_CHECKING:
    from treadle.contracts import Schedule

AUTO = "auto"
HELD = "held"
USUAL_EPOCHS = 100


@dataclass(frozen=True, kw_only=True)
class ModuleOptions:
    """How a module is trained.

    loss:       (output, target) → scalar; a name such as "cross_entropy"; or None where the
                module's output has a `.loss` of its own. A dict batch is given to the module by
                name, without its "target" (or "labels"), which goes to the loss
    optimizer:  a torch optimizer, several by name, a function of the parameters, or None (AdamW)
    step:       (state, batch) → loss, for whoever wants to do it all: forward, backward, update
    validation: data of the same kinds; "auto" splits tensors, a Dataset or files 85 to 15 by a hash
                of the row; None trains on everything
    metrics:    functions (output, target) → number by name, or names of scikit-learn's
    metric:     which one decides what is best: "loss" or one of `metrics`
    target, columns: for Parquet files: the column to predict (or a list of them), and those to
                predict from (all others): batches are (x, y). columns={name: columns} gives dicts
    encode:     for Parquet files, in place of these: a function of a polars frame that returns a
                dict of arrays
    memory:     the most memory that the rows of Parquet files may take at once, such as "2 GB"
    lr:         the learning rate, where no optimizer is given; None or "auto": it is looked for
                before the first step. "auto" beside an optimizer: its rates, times what is found
    schedule:   a name, or a function (step, horizon, scale) → factor on the rate. By default the
                rate is held, and runs out at the end; an optimizer of yours keeps its own
    until:      e.g. epochs(50) | minutes(10), or the same in words
    worth:      how much better the metric must get for going on to be worth it, in its own units;
                where `until` is not said, half of the metric's noise. With `until` and no
                `worth`, training goes on as long as `until` says
    validate_every: steps between validations; by default an epoch, at most 1,000 steps
    extras:     by name, what your step keeps besides and a checkpoint must hold: anything with
                state_dict and load_state_dict, such as a torch scheduler
    out:        the run folder; without one a new folder below runs/. overwrite=True replaces a
                run that is there, resume=True goes on with it
    engine:     "compiled" captures the whole step as native code and waits for the compiler,
                "eager" never does, "auto" has it compiled beside training where that pays
    start_from: an earlier run, or a safetensors file, whose weights are taken where they fit
    worker_timeout_seconds: how long a worker process of a DataLoader may take over a batch before
                that is an error, where the DataLoader itself does not say (its timeout)
    track:      names of sinks: "tensorboard", "mlflow", "wandb"
    """

    loss: Callable[..., Any] | str | None = None
    optimizer: Any = None
    step: Callable[..., Any] | None = None
    validation: Any = AUTO
    target: str | Sequence[str] | None = None
    columns: str | Sequence[str] | Mapping[str, str | Sequence[str]] | None = None
    encode: Callable[[Any], Mapping[str, Any]] | None = None
    memory: str | int | None = None
    metrics: Mapping[str, Callable[[Any, Any], Any]] | Sequence[str] = ()
    metric: str = "loss"
    higher_is_better: bool | None = None
    until: StopCondition | str | None = None
    worth: float | None = None
    batch_size: int = 256
    lr: float | Literal["auto"] | None = None
    schedule: Schedule | str | None = None
    accumulate: int = 1
    clip_norm: float | None = None
    average: float | None = None
    precision: Literal["float32", "bf16"] = "float32"
    engine: Engine = "auto"
    validate_every: int | None = None
    watchers: Sequence[Watcher] = ()
    extras: Mapping[str, Any] | None = None
    start_from: Path | str | None = None
    out: Path | str | None = None
    overwrite: bool = False
    resume: bool = False
    not_exact: bool = False
    seed: int = 0
    device: str = AUTO
    threads: int | None = None
    save_every_seconds: float = 60.0
    worker_timeout_seconds: float = 300.0
    track: str | Sequence[str] = ()
    observer: Observer | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> ModuleOptions:
        """Return options, all problems said at once. Raises: OptionError."""
        known = [field.name for field in fields(cls)]
        problems = [
            (f"fit has no option '{name}' for a module.", did_you_mean(name, known))
            for name in options
            if name not in known
        ]
        problems += [
            (f"{name} is {options[name]!r}.", "Use a number above 0.")
            for name in ("batch_size", "lr", "save_every_seconds", "worker_timeout_seconds")
            if name in options and not _is_above_zero(options[name])
            if name != "lr" or options[name] not in (AUTO, None)
        ]
        worth = options.get("worth")
        if worth is not None and not (isinstance(worth, (int, float)) and worth >= 0):
            problems.append((f"worth is {worth!r}.", "Use a number of the metric, 0 or above."))
        if options.get("precision", "float32") not in ("float32", "bf16"):
            problems.append((f"precision is '{options['precision']}'.", "Use float32 or bf16."))
        if options.get("engine", AUTO) not in ENGINES:
            problems.append((f"engine is '{options['engine']}'.", "Use auto, eager or compiled."))
        if not isinstance(options.get("until"), (StopCondition, str, type(None))):
            problems.append((f"until is {options['until']!r}.", 'Say a unit: until="10 epochs".'))
        problems += _idle_beside_a_step(options)
        if problems:
            raise OptionError.of(problems)
        named = options.get("metrics", ())
        return cls(**{**options, "metrics": (named,) if isinstance(named, str) else named})

    @property
    def rate_care(self) -> RateCare:
        """What is done about the learning rate: looked for, where nobody said one."""
        is_ours = self.optimizer is None and self.step is None
        return "searched" if self.lr == AUTO or (self.lr is None and is_ours) else "watched"

    @property
    def stops_itself(self) -> bool:
        """Whether training may end where more is not worth it: not where `until` alone was said."""
        return self.until is None or self.worth is not None

    @property
    def rate_plan(self) -> Schedule | str:
        """The schedule that was asked for, or what is usual where none was."""
        if self.schedule is not None:
            return self.schedule
        return HELD if self.optimizer is None and self.step is None else "constant"

    @property
    def condition(self) -> StopCondition:
        """The stop condition; by default 100 epochs, or no better for 10 validations."""
        asked = parse(self.until) if isinstance(self.until, str) else self.until
        return asked or epochs(USUAL_EPOCHS) | no_better_for(10)


OF_FILES = ("target", "columns", "encode", "memory")
OF_THE_STEP = ("schedule", "accumulate", "clip_norm", "average", "precision")


def _idle_beside_a_step(options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what would have no effect, since a step of the user's own does it all."""
    if options.get("step") is None:
        return []
    default = {field.name: field.default for field in fields(ModuleOptions)}
    idle = [name for name in OF_THE_STEP if options.get(name, default[name]) != default[name]]
    return [
        (
            f"{name} was given beside a step of your own, which it cannot reach.",
            "Do it in the step.",
        )
        for name in idle
    ]


def _is_above_zero(value: Any) -> bool:
    return isinstance(value, (int, float)) and value > 0
