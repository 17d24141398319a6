"""A table on its way to a model: read, understood, parted, and only then encoded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from treadle.api.corrections import Overlay, corrected_answers, overlay_of
from treadle.api.earlier import Earlier, earlier_of
from treadle.api.options import FitOptions
from treadle.api.table_cells import refuse_cells
from treadle.api.table_parts import fitting_parts, read_parts
from treadle.contracts import Layout
from treadle.data.columns import missing_words, text_of
from treadle.data.health import Finding, check_table
from treadle.data.read import ReadResult, read_memory, read_tables
from treadle.data.split import Split, SplitRule, parse_duration, split, split_given
from treadle.data.tables import (
    Schema,
    TableEncoder,
    TargetEncoder,
    TargetPlan,
    infer_schema,
    plan_target,
)
from treadle.errors import DataError, OptionError, did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

PartName = Literal["train", "validation", "test"]
PARTS: tuple[PartName, ...] = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class TableData:
    """Everything known of a table before training.

    frame:  rows with an answer, in the order given
    places: int64 [N]: where each row of the frame stood in what was read; behind the end of that
            for rows of files of their own
    parts:  by name, "numbers" float32 [N, F], "categories" the narrowest integers [N, C], "target",
            and "weight" float32 [N] where there is one
    notes:  what was recognised and decided, in plain sentences
    """

    frame: pl.DataFrame
    schema: Schema
    encoder: TableEncoder
    target: TargetEncoder
    split: Split
    parts: dict[PartName, dict[str, NDArray[Any]]]
    notes: list[str]
    places: NDArray[np.int64]
    corrections: Overlay | None = None

    @property
    def layout(self) -> Layout:
        return self.encoder.layout(self.target.task, self.target.num_outputs)

    def truth(self, part: PartName) -> NDArray[Any]:
        """Return class codes int64 [N], or values float32 [N]."""
        target = self.parts[part]["target"]
        return target if self.target.task == "number" else target.astype(np.int64)

    @cached_property
    def findings(self) -> list[Finding]:
        """What is suspicious about the table, warnings first."""
        rows = {part: self.rows(part) for part in PARTS}
        return check_table(
            rows["train"],
            rows["validation"],
            rows["test"],
            self.schema,
            self.target,
            whole=(self.frame, self.split),
        )

    def rows(self, part: PartName) -> pl.DataFrame:
        """Return a part's rows as they were given."""
        found: pl.DataFrame = self.frame[getattr(self.split, part)]
        return found


def read_table(options: FitOptions, given: Any = None) -> ReadResult:
    """Read the main table of a fit, from files or from memory. Raises: DataError."""
    if given is not None:
        return read_memory(given)
    return read_tables(list(options.data), sheet=options.sheet)


def prepare(options: FitOptions, read: ReadResult) -> TableData:
    """Understand, part and encode a table. Nothing is fitted on rows outside the train part.

    Raises: DataError, OptionError.
    """
    _check_named(options, read.frame)
    given = read_parts(options, read)
    refuse_cells(options, read)
    whole, schema = read.frame, _schema_of(options, read)
    plan = plan_target(whole, schema.target, metric=options.metric, positive=options.positive)
    parts, said = fitting_parts(given, read, schema, plan.task)
    used = [column.name for column in schema.used()]
    rule = split_rule(options).model_copy(
        update={"content": tuple(used), "ignored": _ignored(options, read)}
    )
    frame, parted = _parted(rule, whole[plan.keep], parts, plan)
    places = _places(plan, frame.height, whole.height)
    frame, overlay = _with_corrections(options, frame, places, plan.encoder)
    plan = _replanned(plan, frame, parted, options)
    notes = [
        *read.notes,
        *said,
        *missing_words(whole, schema),
        *(overlay.words() if overlay else []),
    ]
    encoder = TableEncoder.fit(frame[parted.train], schema)
    target = scaled_on_train(plan.encoder, frame[parted.train][schema.target])
    if earlier := earlier_of(options.start_from, "table"):
        encoder, target = _as_before(earlier, target)
        schema = encoder.table
    return TableData(
        frame=frame,
        schema=schema,
        encoder=encoder,
        target=target,
        split=parted,
        parts=encoded_parts(frame, parted, encoder, target, options.weight),
        notes=[*notes, *plan.notes, *_left_out_words(schema), *parted.notes],
        places=places,
        corrections=overlay,
    )


def _schema_of(options: FitOptions, read: ReadResult) -> Schema:
    return infer_schema(
        read.frame,
        options.target,
        ignore=options.ignore,
        left_out=_left_out(options),
        time=options.time,
        formats=read.formats,
    )


def _ignored(options: FitOptions, read: ReadResult) -> tuple[str, ...]:
    """Return the columns that would be learned from, had the user not left them out."""
    if not options.ignore:
        return ()
    whole = _schema_of(options.model_copy(update={"ignore": ()}), read)
    return tuple(column.name for column in whole.used() if column.name in options.ignore)


def _places(plan: TargetPlan, num_rows: int, num_read: int) -> NDArray[np.int64]:
    """Return where each row stood in what was read; rows of files of their own come behind."""
    return np.concatenate([plan.keep, np.arange(num_rows - len(plan.keep)) + num_read])


def _with_corrections(
    options: FitOptions, frame: pl.DataFrame, places: NDArray[np.int64], target: TargetEncoder
) -> tuple[pl.DataFrame, Overlay | None]:
    """Put corrected answers in; rows stay in the parts they are in without them."""
    if options.corrections is None:
        return frame, None
    overlay = overlay_of(options.corrections, frame, places, target.column)
    answers, _ = corrected_answers(overlay, frame[target.column], target)
    return frame.with_columns(answers), overlay


def _as_before(earlier: Earlier, target: TargetEncoder) -> tuple[TableEncoder, TargetEncoder]:
    """Return the encoders of an earlier run: its weights mean nothing under others."""
    known = TargetEncoder.model_validate(earlier.facts["target"])
    earlier.must_fit("answers", known.classes or known.task, target.classes or target.task)
    return TableEncoder.model_validate(earlier.facts["encoder"]), known


def split_rule(options: FitOptions) -> SplitRule:
    """Return the rule that the options ask for."""
    common: dict[str, Any] = {"seed": options.seed}
    if options.time:
        delay = parse_duration(options.label_delay) if options.label_delay else 0.0
        return SplitRule(method="time", column=options.time, label_delay_seconds=delay, **common)
    if options.group:
        return SplitRule(method="group", column=options.group, **common)
    return SplitRule(**common)


def _parted(
    rule: SplitRule, main: pl.DataFrame, parts: dict[str, pl.DataFrame], plan: TargetPlan
) -> tuple[pl.DataFrame, Split]:
    """Return the rows of all parts under each other, and which is which."""
    classes = plan.encoder.column if plan.task != "number" else None
    if not parts:
        return main, split(main, rule, classes, leave_out_unknown=True)
    return split_given(
        main,
        parts.get("validation"),
        parts.get("test"),
        rule,
        classes,
        leave_out_unknown=True,
    )


def _replanned(
    plan: TargetPlan, frame: pl.DataFrame, parted: Split, options: FitOptions
) -> TargetPlan:
    """Plan anew without the classes that training lacks, of which no part has a row left."""
    if plan.task == "number":
        return plan
    present = text_of(frame[plan.encoder.column][parted.train]).unique()
    if set(plan.encoder.classes) <= set(present):
        return plan
    return plan_target(
        frame[parted.rows], plan.encoder.column, metric=options.metric, positive=options.positive
    )


def encoded_parts(
    frame: pl.DataFrame,
    parted: Split,
    encoder: TableEncoder,
    target: TargetEncoder,
    weight: str | None,
) -> dict[PartName, dict[str, NDArray[Any]]]:
    """Return each part of a table as arrays."""
    rows = {name: frame[getattr(parted, name)] for name in PARTS}
    return {name: _encoded(part, encoder, target, weight) for name, part in rows.items()}


def _encoded(
    rows: pl.DataFrame, encoder: TableEncoder, target: TargetEncoder, weight: str | None
) -> dict[str, NDArray[Any]]:
    """Return rows as arrays: what to learn from, "target", and "weight" where there is one."""
    arrays: dict[str, NDArray[Any]] = dict(encoder.encode(rows))
    arrays["target"] = target.encode(rows[target.column])
    if weight:
        arrays["weight"] = _weights(rows[weight])
    return arrays


def _weights(column: pl.Series) -> NDArray[np.float32]:
    values = column.cast(pl.Float64, strict=False)
    bad = values.is_null() | ~values.is_finite() | (values < 0)
    if bad.any():
        row = int(bad.arg_true()[0])
        raise DataError(
            f"the weight column '{column.name}' holds {column[row]!r} in row {row + 1} of a part.",
            "Weights are finite numbers of 0 or more.",
        )
    return values.cast(pl.Float32).to_numpy()


def scaled_on_train(target: TargetEncoder, answers: pl.Series) -> TargetEncoder:
    """Return the encoder with the centre and spread of a number as the train part has them."""
    if target.task != "number":
        return target
    values = answers.cast(pl.Float64).to_numpy()
    spread = float(values.std())
    return target.model_copy(
        update={"center": float(values.mean()), "scale": spread if spread > 0 else 1.0}
    )


def _left_out(options: FitOptions) -> dict[str, str]:
    reasons = {}
    if options.weight:
        reasons[options.weight] = "it says how much each row counts"
    if options.group:
        reasons[options.group] = "it says which rows belong together"
    return reasons


def _left_out_words(schema: Schema) -> list[str]:
    columns = [column for column in schema.columns if column.kind == "left_out"]
    return [f"'{column.name}' is not learned from: {column.why}." for column in columns]


def _check_named(options: FitOptions, frame: pl.DataFrame) -> None:
    """Refuse columns that are not there, all at once."""
    problems = []
    listed = ", ".join(f"'{name}'" for name in frame.columns[:30])
    if options.target is None:
        problems.append(
            ("which column is to be predicted was not said.", f"Say --target COLUMN: {listed}.")
        )
    named = [
        ("--target", options.target),
        ("--time", options.time),
        ("--group", options.group),
        ("--weight", options.weight),
        *(("--ignore", name) for name in options.ignore),
    ]
    for flag, name in named:
        if name is not None and name not in frame.columns:
            hint = did_you_mean(name, frame.columns)
            problems.append(
                (f"{flag} '{name}': there is no such column.", f"{hint}There are {listed}.")
            )
    if problems and frame.width == 1:
        problems.append(
            (
                "Only one column was found.",
                "Its cells must be parted by commas, semicolons, tabs or vertical bars.",
            )
        )
    if problems:
        raise OptionError.of(problems)
