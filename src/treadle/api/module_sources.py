"""What an engineer's module trains and validates on: their data as sources of batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from treadle.api.module_options import AUTO, OF_FILES, ModuleOptions
from treadle.errors import DataError, OptionError

if TYPE_CHECKING:
    import torch

    from treadle.data.own import Own

Sources = tuple["Own", "Own | None", list[str]]


def make_sources(data: Any, options: ModuleOptions, device: torch.device) -> Sources:
    """Return the training source, the validation source or None, and what must be said.

    Raises: DataError, OptionError.
    """
    from treadle.data.own import as_source, rows_of
    from treadle.data.parquet_files import are_files

    sizes: dict[str, Any] = {
        "batch_size": options.batch_size,
        "seed": options.seed,
        "device": device,
    }
    splits = isinstance(options.validation, str) and options.validation == AUTO
    validation = None if splits else options.validation
    sayings = _why_none_is_set_aside(data, options) if splits else []
    splits = splits and not sayings
    if are_files(data):
        return _of_files(data, AUTO if splits else validation, options, sizes, sayings)
    _refuse_options_of_files(options, validation)
    if splits:
        train_rows, held_rows = _split(data, options.seed)
        data, validation = rows_of(data, train_rows), rows_of(data, held_rows)
        sayings.append(
            f"{len(held_rows):,} of {len(held_rows) + len(train_rows):,} rows, drawn by a hash "
            "of their number, were set aside for validation. validation=None trains on all."
        )
    sizes["worker_timeout_seconds"] = options.worker_timeout_seconds
    source, said = as_source(data, **sizes)
    held_out = None
    if validation is not None:
        held_out, _ = as_source(validation, shuffle=False, **sizes)
    return source, held_out, sayings + said


def _why_none_is_set_aside(data: Any, options: ModuleOptions) -> list[str]:
    """Return the sentence why no rows can be set aside, or nothing."""
    from treadle.data.own import is_loader

    if options.step is not None and options.loss is None and not options.metrics:
        return [
            "no rows were set aside for validation, for nothing can be measured on them beside "
            "a step of your own. Give loss=… or metrics=… to validate with."
        ]
    if is_loader(data):
        return [
            "warning: a DataLoader without validation data: nothing can tell whether the "
            "module only learns its samples by heart. Give validation=…."
        ]
    return []


def _of_files(
    data: Any, validation: Any, options: ModuleOptions, sizes: dict[str, Any], sayings: list[str]
) -> Sources:
    """Return the sources of Parquet files, within a budget of memory."""
    from treadle.data.own import as_source
    from treadle.data.own_files import FileOptions, sources_of_files
    from treadle.data.parquet_files import are_files

    given = {name: getattr(options, name) for name in OF_FILES}
    files = FileOptions(**{name: value for name, value in given.items() if value is not None})
    in_files = validation is None or are_files(validation)
    source, held_out, said = sources_of_files(
        data, validation if in_files else None, files, **sizes
    )
    if in_files:
        return source, held_out, sayings + said
    return source, as_source(validation, shuffle=False, **sizes)[0], sayings + said


def _refuse_options_of_files(options: ModuleOptions, validation: Any) -> None:
    """Refuse what has no effect on data in memory. Raises: OptionError."""
    from treadle.data.parquet_files import are_files

    problems = [
        (f"{name} was given, and the data is not the path of a file.", "Leave it out.")
        for name in OF_FILES
        if getattr(options, name) is not None
    ]
    if are_files(validation):
        problems.append(
            (
                f"validation is {validation!r}, and the data is not the path of a file.",
                "Give validation data of the same kind as the data.",
            )
        )
    if problems:
        raise OptionError.of(problems)


def _split(data: Any, seed: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the rows to train on and the rows to validate on, by a hash of their number."""
    import polars as pl

    from treadle.data.own import num_rows_of
    from treadle.data.split import SplitRule, split

    count = num_rows_of(data)
    if count < 10:
        raise DataError(
            f"there are only {count} rows, too few to set some aside for validation.",
            "Give validation data, or validation=None to train on all of them.",
        )
    numbers = pl.DataFrame({"row": np.arange(count)})
    parts = split(numbers, SplitRule(fractions=(0.85, 0.15, 0.0), seed=seed))
    return parts.train, parts.validation
