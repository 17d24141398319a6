"""What can be said to `treadle fit` about data: every option, checked all at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from treadle.api.engine import Engine
from treadle.api.rate import RateCare
from treadle.api.running import parse_machine_cost
from treadle.contracts import Frozen
from treadle.costs import read_costs
from treadle.data.durations import parse_duration
from treadle.errors import OptionError, did_you_mean
from treadle.goal import AT_K, METRICS
from treadle.loop.schedules import SCHEDULES
from treadle.loop.until import StopCondition, parse
from treadle.rates import parse_capacity, parse_rate
from treadle.sinks import PACKAGES

Kind = Literal["table", "images", "events"]
BOUNDS = {"gt": "above", "ge": "of at least", "lt": "below", "le": "of at most"}
DEVICE = re.compile(r"auto|(cpu|cuda|mps|xpu)(:\d+)?")
LEAST_TUNE_SECONDS = 30
KIND_WORDS = {"tables": "table", "image": "images", "event": "events"}


class FitOptions(Frozen):
    """The options of one fit; config.json holds them, and `treadle resume` reads them from there.

    data, validation, test: paths; an empty `data` means that the data came from Python
    positive:    which of two classes is the one that is looked for
    time, group: a column; for images `group` is a pattern of file names
    corrections: a list of answers put right; the data itself stays as it is
    until:       stop conditions in words; `minutes` in them bound the whole fit
    worth:       how much better the metric must get for going on to be worth it
    tune:        tables: how long the whole fit may take, other settings tried in what is left
    deep:        tables and photos: look at the data in depth after training
    cost:        what mistakes cost, in words or as a dict: answers are chosen to cost least
    capacity:    how many cases can be looked at; volume: how many there are
    machine_cost: what this machine costs, such as "0.20 an hour"; watts: what it draws
    items:       events: a file that says what the items are called
    photos:      images: the folder that a CSV's paths are relative to and may not lead out of
    unfreeze:    images: how many of the backbone's last blocks are trained along
    lr:          a number; "auto" looks for it; by default what suits a network of that size
    save_every:  seconds of work that a crash may cost
    track:       sinks that the curves go to as well: tensorboard, mlflow, wandb
    cache:       images: where features are kept; by default in the user's own cache folder
    """

    data: tuple[str, ...] = ()
    target: str | None = None
    positive: str | None = None
    kind: Kind | None = None
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    sheet: str | None = None
    photos: str | None = None
    time: str | None = None
    group: str | None = None
    label_delay: str | None = None
    corrections: str | None = None
    user: str | None = None
    item: str | None = None
    event: str | None = None
    items: str | None = None
    metric: str | None = None
    cost: str | None = None
    capacity: str | None = None
    volume: str | None = None
    machine_cost: str | None = None
    watts: float | None = Field(default=None, gt=0)
    until: str | None = None
    worth: float | None = Field(default=None, ge=0)
    tune: str | None = None
    model: Literal["auto", "neural", "trees"] = "auto"
    deep: bool = False
    start_from: str | None = None
    lr: Literal["auto"] | Annotated[float, Field(gt=0)] | None = None
    batch_size: int | None = Field(default=None, gt=0)
    schedule: str | None = None
    device: str = "auto"
    precision: Literal["float32", "bf16"] = "float32"
    threads: int | None = Field(default=None, gt=0)
    engine: Engine = "auto"
    weight: str | None = None
    ignore: tuple[str, ...] = ()
    seed: int = Field(default=0, ge=0)
    unfreeze: int = Field(default=0, ge=0, le=7)
    save_every: float = Field(default=60.0, gt=0)
    track: tuple[str, ...] = ()
    cache: str | None = None
    out: str | None = None
    overwrite: bool = False

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, values: Any) -> Any:
        """Let one path stand for a list of one, a Path for its text, a condition for its words."""
        if isinstance(values, dict):
            values = {name: _plain(value) for name, value in values.items()}
            for name in ("data", "validation", "test", "ignore", "track"):
                if isinstance(values.get(name), str):
                    values[name] = (values[name],)
                elif name in values and values[name] is None:
                    values[name] = ()
            values["cost"] = _cost_words(values.get("cost"))
            values["lr"] = _number_if_it_is_one(values.get("lr"))
            values["kind"] = KIND_WORDS.get(str(values.get("kind")), values.get("kind"))
        return values

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> FitOptions:
        """Return options, all problems said at once. Raises: OptionError."""
        problems = [
            (f"fit has no option '{name}'.", did_you_mean(name, cls.model_fields))
            for name in values
            if name not in cls.model_fields
        ]
        known = {name: _plain(value) for name, value in values.items() if name in cls.model_fields}
        options = None
        try:
            options = cls(**known)
        except ValidationError as error:
            last = {detail["loc"][:1]: detail for detail in error.errors()}  # one an option
            problems += [_problem(detail) for detail in last.values()]
        problems += _contradictions(known)
        if problems or options is None:
            raise OptionError.of(problems)
        return options

    @property
    def stops_itself(self) -> bool:
        """Whether training may end where more is not worth it.

        How long our own models are trained follows from what was measured on many data sets; so
        they stop before that only where somebody said what more is worth.
        """
        return self.worth is not None

    @property
    def tune_seconds(self) -> float | None:
        """How long a fit may take that tries other settings; None: it tries none."""
        return parse_duration(self.tune, "--tune") if self.tune else None

    @property
    def condition(self) -> StopCondition | None:
        """What the user said of when to stop, or None."""
        return parse(self.until) if self.until else None

    @property
    def rate(self) -> float | None:
        """The learning rate that the user named, or None."""
        return self.lr if isinstance(self.lr, float) else None

    @property
    def rate_care(self) -> RateCare:
        """What is done about the learning rate: our own networks know what suits them."""
        return "known" if self.lr is None else "searched" if self.lr == "auto" else "watched"

    def recorded(self) -> dict[str, Any]:
        """Return what config.json keeps: all but where things lie, which may be moved."""
        return self.model_dump(mode="json", exclude={"out", "overwrite", "cache"})


def _cost_words(value: Any) -> Any:
    """Return costs that were given as a dict in Python as they are said on a command line."""
    if not isinstance(value, Mapping):
        return value
    quoted = {k: f"'{v}'" if isinstance(v, str) and " " in v else v for k, v in value.items()}
    return " ".join(f"{outcome}={amount}" for outcome, amount in quoted.items())


def _volume_rate(text: str) -> object:
    return parse_rate(text, "--volume", "2,000,000 a year")


def _plain(value: Any) -> Any:
    """Return what JSON can hold of an option given in Python."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, StopCondition):
        return value.text
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _number_if_it_is_one(value: Any) -> Any:
    """Return a number typed on a command line, where a word may stand as well, as a number."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _problem(detail: Any) -> tuple[str, str]:
    """Return one of pydantic's findings as (what was found, what to do)."""
    name = str(detail["loc"][0]) if detail["loc"] else "the options"
    found, context = detail.get("input"), detail.get("ctx") or {}
    flag = f"--{name.replace('_', '-')} is {found!r}"
    if detail["type"] == "literal_error":
        known = [word.strip("'") for word in re.findall(r"'[^']*'", context["expected"])]
        hint = did_you_mean(str(found), known)
        return f"{flag}, which is not known.", f"{hint}It is one of {', '.join(known)}."
    for bound, words in BOUNDS.items():
        if bound in context:
            return f"{flag}.", f"Use a number {words} {context[bound]:g}."
    return f"{flag}: {detail['msg'][:1].lower()}{detail['msg'][1:]}.", ""


def _contradictions(values: dict[str, Any]) -> list[tuple[str, str]]:
    problems = []
    if values.get("time") and values.get("group"):
        problems.append(
            (
                "--time and --group were both given, and a split follows one rule.",
                "Give one of them.",
            )
        )
    if values.get("label_delay") and not values.get("time"):
        problems.append(
            ("--label-delay needs to know when each row happened.", "Give --time COLUMN as well.")
        )
    problems += _twice_named(values) + _unknown_places(values) + _cost_problems(values)
    metric = str(values.get("metric") or "roc_auc").removeprefix("neg_")
    if metric not in METRICS and not AT_K.fullmatch(metric):
        hint = did_you_mean(metric, [*METRICS, "hit@10", "recall@10", "ndcg@10"])
        problems.append(
            (
                f"the metric '{metric}' is not known.",
                f"{hint}Metrics are {', '.join(METRICS)}; for events hit@k, recall@k and ndcg@k.",
            )
        )
    schedule = values.get("schedule")
    if schedule is not None and schedule not in SCHEDULES:
        hint = did_you_mean(str(schedule), SCHEDULES)
        problems.append(
            (f"there is no schedule '{schedule}'.", f"{hint}Schedules are {', '.join(SCHEDULES)}.")
        )
    if values.get("model") == "trees":
        problems += [
            (
                f"--{name.replace('_', '-')} is for the network, and --model trees trains none.",
                "Leave it out, or use --model neural.",
            )
            for name, usual in (("batch_size", None), ("schedule", None), ("precision", "float32"))
            if values.get(name, usual) != usual
        ]
    for name, read in READERS.items():
        if isinstance(values.get(name), str):
            try:
                read(values[name])
            except OptionError as error:
                problems.append((error.message, error.hint))
    return problems


READERS: dict[str, Callable[[str], object]] = {
    "until": parse,
    "label_delay": parse_duration,
    "tune": lambda text: _tune_time(text),  # noqa: PLW0108  it stands below
    "capacity": parse_capacity,
    "volume": _volume_rate,
    "machine_cost": parse_machine_cost,
}


def _tune_time(text: str) -> float:
    seconds = parse_duration(text, "--tune")
    if seconds < LEAST_TUNE_SECONDS:
        raise OptionError(
            f'--tune "{text}" is too short to try anything.',
            'Give it some minutes at least: --tune "30 minutes".',
        )
    return seconds


def _cost_problems(values: dict[str, Any]) -> list[tuple[str, str]]:
    words = _cost_words(values.get("cost"))
    if isinstance(words, str):
        return read_costs(words)[1]
    others = ("capacity", "machine_cost", "watts")
    if not values.get("volume") or any(values.get(name) for name in others):
        return []
    return [
        (
            "--volume says how many cases there are, which matters to --cost and --capacity alone.",
            'Say what mistakes cost as well: --cost "missed=500 false_alarm=5".',
        )
    ]


def _twice_named(values: dict[str, Any]) -> list[tuple[str, str]]:
    """Tell of a target that is to be something else as well."""
    target = values.get("target")
    if target is None:
        return []
    others = [name for name in ("time", "group", "weight") if values.get(name) == target]
    problems = [
        (f"--target and --{name} both name '{target}'.", f"Name another column as --{name}.")
        for name in others
    ]
    if target in (values.get("ignore") or ()):
        problems.append(
            (f"--target and --ignore both name '{target}'.", "Leave it out of --ignore.")
        )
    return problems


def _unknown_places(values: dict[str, Any]) -> list[tuple[str, str]]:
    """Tell of devices and sinks that there are nowhere; those absent here alone are told later."""
    problems = []
    device = str(values.get("device") or "auto")
    if not DEVICE.fullmatch(device):
        hint = did_you_mean(device, ("auto", "cpu", "cuda"))
        problems.append((f"there is no device '{device}'.", f"{hint}Use cpu, cuda or auto."))
    for name in values.get("track") or ():
        if name not in PACKAGES:
            hint = did_you_mean(name, PACKAGES)
            problems.append(
                (
                    f"--track {name}: there is no such place to send curves to.",
                    f"{hint}There are {', '.join(PACKAGES)}.",
                )
            )
    return problems
