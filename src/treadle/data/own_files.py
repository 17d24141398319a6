"""Parquet files of an engineer's as sources of batches, within a budget of memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch

from treadle.data.parquet_columns import Encode, Names, Plan, plan_columns
from treadle.data.parquet_files import ParquetTable, open_parquet
from treadle.data.parquet_reading import plan_encoded
from treadle.data.row_groups import RowGroupSource, kept_rows
from treadle.data.row_share import RowShare
from treadle.data.sizes import parse_bytes, spell_bytes
from treadle.errors import DataError, OptionError

DEFAULT_MEMORY = "1 GB"
_RESERVE_BYTES = 72_000_000  # the reading library, its pages, batches: measured, see LOG.md
_ORDER_BYTES = 8  # a row's place in the order of its block
_COLUMN_BYTES = 16  # a column of one row group as it is read, and its rows that are meant


@dataclass(frozen=True, kw_only=True)
class FileOptions:
    """What is read of files, and how much memory it may take: see `plan_columns`.

    memory: a number of bytes, or "2 GB": the most that data may take; it sets how many row groups
            are shuffled together, so it is part of the order
    encode: a function of a polars frame that returns a dict of arrays, in place of columns
    """

    target: Names | None = None
    columns: Names | Mapping[str, Names] | None = None
    memory: str | int = DEFAULT_MEMORY
    encode: Encode | None = None

    def __post_init__(self) -> None:
        parse_bytes(self.memory)
        if self.encode is not None and (self.target is not None or self.columns is not None):
            raise OptionError(
                "encode was given, and target or columns beside it.",
                "encode makes the whole batch of all columns, its target too: give it alone.",
            )


@dataclass(frozen=True, kw_only=True)
class Part:
    """Rows of files, and what is read of them."""

    table: ParquetTable
    plan: Plan
    share: RowShare | None = None

    @cached_property
    def kept(self) -> list[int]:
        """The rows of each row group that are meant."""
        return kept_rows(self.table, self.share)


def sources_of_files(
    data: Any,
    validation: Any,
    files: FileOptions,
    *,
    batch_size: int,
    seed: int,
    device: torch.device,
) -> tuple[RowGroupSource, RowGroupSource | None, list[str]]:
    """Return the training source, the validation source or None, and what must be said.

    validation: files, "auto" for 15 of 100 rows by a hash of their number, or None

    Raises: DataError for files, OptionError for columns and for too little memory.
    """
    is_auto = isinstance(validation, str) and validation == "auto"
    train, held_out = _part(data, files), None
    if is_auto:  # footers of large tables are large: they are kept once
        held_out = replace(train, share=RowShare(part="validation", seed=seed))
        train = replace(train, share=RowShare(part="train", seed=seed))
    elif validation is not None:
        held_out = _part(validation, files)
        _refuse_other_shapes(train.plan, held_out.plan)
    at_once = groups_within(parse_bytes(files.memory), train, held_out)
    options: dict[str, Any] = {"batch_size": batch_size, "seed": seed, "device": device}
    source = _source(train, at_once[0], **options)
    validating = _source(held_out, at_once[1], shuffle=False, **options) if held_out else None
    return source, validating, [*train.plan.notes, *_sayings(source, validating, files, is_auto)]


def source_of_files(data: Any, *, batch_size: int, device: torch.device) -> RowGroupSource:
    """Return files as they stand, for predicting: every column, a row group at a time."""
    part = _part(data, FileOptions())
    return _source(part, 1, batch_size=batch_size, device=device, shuffle=False)


def groups_within(budget: int, train: Part, held_out: Part | None) -> tuple[int, int]:
    """Return how many row groups a budget in bytes allows at once, to train and to validate on.

    It follows from the budget and the files' footers alone. Twice G row groups are in memory, those
    that are trained on and those that are read ahead, and the order of the former; of validation
    rows two row groups in turn. Rows that fit whole are kept whole.

    Raises: OptionError where not even two single row groups fit.
    """
    parts = [train] + ([held_out] if held_out else [])
    column = max(part.table.largest_group for part in parts) * _COLUMN_BYTES
    free = budget - _RESERVE_BYTES - column
    whole = [sum(part.kept) * (part.plan.row_bytes + _ORDER_BYTES) for part in parts]
    if sum(whole) <= free:
        return len(train.table.groups), len(held_out.table.groups) if held_out else 0
    validating = 2 * max(held_out.kept) * held_out.plan.row_bytes if held_out else 0
    if whole[0] <= free - validating:
        return len(train.table.groups), 1
    one = max(train.kept) * (2 * train.plan.row_bytes + _ORDER_BYTES)
    at_once = (free - validating) // max(1, one)
    if at_once < 1:
        raise _too_little(budget, budget - free + min(sum(whole), validating + one), train)
    return at_once, 1 if held_out else 0


def _too_little(budget: int, needed: int, train: Part) -> OptionError:
    return OptionError(
        f"memory is {spell_bytes(budget)}, and the largest row group has "
        f"{train.table.largest_group:,} rows of {spell_bytes(train.plan.row_bytes)}: two of them "
        "must fit.",
        f'Give memory="{-(-needed // 1_000_000)} MB" or more, or write the file with smaller row '
        "groups (polars: scan_parquet(…).sink_parquet(…, row_group_size=50_000)).",
    )


def _refuse_other_shapes(train: Plan, held_out: Plan) -> None:
    """Refuse validation files that make other tensors. Raises: DataError."""
    ours, theirs = (
        [(slot.name, slot.columns, slot.shape) for slot in plan.slots] for plan in (train, held_out)
    )
    if ours == theirs:
        return
    told = [f"lack '{name}'" for name in train.read if name not in held_out.read]
    told += [f"have '{name}' besides" for name in held_out.read if name not in train.read]
    raise DataError(
        "the validation files differ from the training files: they "
        f"{', '.join(told[:5]) or 'hold their columns in another order'}.",
        "Both need the same columns in one order; or name those to use with columns=[…].",
    )


def _part(data: Any, files: FileOptions) -> Part:
    table = open_parquet(data)
    if files.encode is not None:
        plan = plan_encoded(table, files.encode)
    else:
        plan = plan_columns(table, columns=files.columns, target=files.target)
    return Part(table=table, plan=plan)


def _source(part: Part, at_once: int, **options: Any) -> RowGroupSource:
    return RowGroupSource(
        part.table, part.plan, groups_at_once=at_once, share=part.share, kept=part.kept, **options
    )


def _sayings(
    source: RowGroupSource, held_out: RowGroupSource | None, files: FileOptions, is_auto: bool
) -> list[str]:
    said = []
    if is_auto and held_out is not None:
        total = held_out.num_rows + source.num_rows
        said.append(
            f"{held_out.num_rows:,} of {total:,} rows, drawn by a hash of their number, were set "
            "aside for validation. validation=None trains on all."
        )
    groups, memory = len(source.table.groups), spell_bytes(parse_bytes(files.memory))
    if source.is_kept_whole:
        said.append(f"the data fits into the {memory} it may take, so it is read once and kept.")
    else:
        said.append(
            f"the data is larger than the {memory} it may take, so it is read anew each epoch: its "
            f"{groups:,} row groups in a new order, {source.groups_at_once:,} at a time, whose "
            "rows are shuffled together. More memory=… shuffles more of them together."
        )
    return said
