"""What is refused before any data is read: options that do nothing here, or cannot be met."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from treadle.api.options import FitOptions, Kind
from treadle.errors import OptionError, RunError, UserError, did_you_mean
from treadle.folder import RunFolder

KIND_WORD: dict[str, str] = {
    "table": "a table",
    "images": "photos",
    "events": "events",
    "module": "a module of your own",
}
ONLY_FOR: dict[str, tuple[Kind, ...]] = {
    "target": ("table", "images"),
    "positive": ("table", "images"),
    "validation": ("table", "images"),
    "group": ("table", "images"),
    "sheet": ("table", "events"),
    "time": ("table", "events"),
    "label_delay": ("table",),
    "corrections": ("table", "images"),
    "weight": ("table",),
    "ignore": ("table",),
    "model": ("table",),
    "tune": ("table",),
    "deep": ("table", "images"),
    "cost": ("table", "images", "events"),
    "capacity": ("table", "images"),
    "volume": ("table", "images", "events"),
    "machine_cost": ("table", "images"),
    "watts": ("table", "images"),
    "photos": ("images",),
    "unfreeze": ("images",),
    "cache": ("images",),
    "user": ("events",),
    "item": ("events",),
    "event": ("events",),
    "items": ("events",),
}
INSTEAD = {
    ("target", "events"): "What is foreseen there is the next item: name its column with --item.",
    ("capacity", "events"): "There, the first so many suggestions count: --metric hit@10.",
    ("validation", "events"): "There, validation is the last tenth of the time before the test.",
}
WEIGHTS = {
    "trees": ("trees.safetensors",),
    "neural": ("neural.safetensors",),
    "auto": ("trees.safetensors", "neural.safetensors"),
}


def refuse_unmet(options: FitOptions, kind: Kind) -> None:
    """Refuse what cannot be done with this kind of data or on this machine, all at once.

    Raises: UserError.
    """
    problems = _for_others(options, kind)
    checks: list[Callable[[], None]] = [lambda: _check_device(options.device)]
    checks += [lambda name=name: _check_sink(name) for name in options.track]  # type: ignore[misc]
    if options.start_from:
        checks.append(lambda: _check_start(options, kind))
    for check in checks:
        try:
            check()
        except UserError as error:
            problems.append((error.message, error.hint))
    if problems:
        raise OptionError.of(problems)


def _for_others(options: FitOptions, kind: Kind) -> list[tuple[str, str]]:
    usual = {name: field.default for name, field in FitOptions.model_fields.items()}
    return [
        (
            f"--{name.replace('_', '-')} does nothing for {KIND_WORD[kind]}.",
            f"It is for {' and '.join(KIND_WORD[other] for other in kinds)}. "
            + INSTEAD.get((name, kind), "Leave it out, or say another --kind."),
        )
        for name, kinds in ONLY_FOR.items()
        if kind not in kinds and getattr(options, name) != usual[name]
    ]


def _check_device(name: str) -> None:
    if name in ("auto", "cpu"):  # every machine has these: torch need not be loaded to know it
        return
    from treadle.api.machine import pick_device

    pick_device(name)


def _check_sink(name: str) -> None:
    from importlib.util import find_spec

    from treadle.errors import MissingExtraError
    from treadle.sinks import PACKAGES

    if name not in PACKAGES:
        raise OptionError(
            f"--track {name}: there is no such place to send curves to.",
            f"{did_you_mean(name, PACKAGES)}There are {', '.join(PACKAGES)}.",
        )
    if find_spec(name) is None:
        raise MissingExtraError(PACKAGES[name], "track", f"sending curves to {name}")


def _check_start(options: FitOptions, kind: Kind) -> None:
    """Make sure that the earlier run is of this kind, finished, and keeps weights to start from."""
    place = Path(str(options.start_from))
    if place.is_file():
        raise RunError(f"--start-from {place} is a file.", "Give a run folder: the --out of a fit.")
    earlier = RunFolder.open(place)
    theirs = str(earlier.config.get("kind"))
    if theirs != kind:
        raise RunError(
            f"--start-from {place} is a run of {KIND_WORD.get(theirs, theirs)}; "
            f"this is one of {KIND_WORD[kind]}.",
            "Start from a run of the same kind.",
        )
    if earlier.result is None:
        raise RunError(
            f"--start-from {place}: that run was not finished, so it has no weights to give.",
            f"Finish it first: treadle resume {place}",
        )
    if kind == "table":
        _check_members(options.model, earlier)


def _check_members(model: str, earlier: RunFolder) -> None:
    kept = [name for name in WEIGHTS["auto"] if (earlier.path / "model" / name).is_file()]
    if not any(name in kept for name in WEIGHTS[model]):
        others = " and ".join(Path(name).stem for name in kept)
        raise RunError(
            f"--start-from {earlier.path}: that run trained {others or 'no table'}, not {model}.",
            f"Use --model {others}." if len(kept) == 1 else "",
        )
