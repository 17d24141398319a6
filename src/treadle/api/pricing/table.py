"""The ground and the learner of a table's price list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from treadle.api.as_answered import group_codes, stretches, table_part
from treadle.api.asked_before import asked_again, options_of
from treadle.api.deciding import deciding, reported
from treadle.api.fit_data import are_paths
from treadle.api.goal_of import read_goal
from treadle.api.machine import files_of
from treadle.api.options import FitOptions
from treadle.api.place import use_threads
from treadle.api.pricing.asked import Asked, Asking, read_without
from treadle.api.pricing.ground import Ground, Told, changed_words
from treadle.api.pricing.recipe import blend_words, recipe_of
from treadle.api.pricing.things import Thing, each_value, find_thing
from treadle.api.table_data import TableData, encoded_parts, prepare, read_table, scaled_on_train
from treadle.data.cuts import time_seconds
from treadle.data.fingerprint import fingerprint, unchanged
from treadle.data.hashing import hash_rows
from treadle.data.read import ReadResult
from treadle.data.split import Split
from treadle.data.tables import Schema, TableEncoder
from treadle.errors import OptionError, UserError
from treadle.folder import RunFolder
from treadle.study.turns import Turn

if TYPE_CHECKING:
    from treadle.api.place import Place


def table_ground(run: RunFolder, data: Any = None) -> Ground:
    """Read a finished run's table again and return what its forks share.

    data: files, where the run's were moved; or a frame, for a run whose data came from Python

    Raises: UserError where the data cannot be read.
    """
    import torch

    frame = None if data is None or are_paths(data) else data
    options = _options(run, data, frame)
    use_threads(options)
    own = [options.corrections] if options.corrections else []
    files = files_of([*options.data, *options.validation, *options.test, *own])
    with unchanged(files):
        read = read_table(options, frame)
        table = prepare(options, read)
        marks = fingerprint(files) if frame is None else fingerprint(read.frame, files)
    return Ground(
        run=run,
        options=options,
        frame=table.frame,
        target=table.target,
        split=table.split,
        learner=TableLearner(table, options, read),
        goal=read_goal(options, table.target, table.frame, table.schema),
        metric=reported(options, table.target.task),
        judge=deciding(options, table),
        recipe=recipe_of(run, run.result or {}, options),
        ahead=bool(options.time or options.validation),
        clusters=_clusters(table, options),
        marks=marks,
        threads=torch.get_num_threads(),
        notes=[*changed_words(run, marks), *blend_words(run.result or {})],
    )


def _options(run: RunFolder, data: Any, frame: Any) -> FitOptions:
    if frame is not None:
        return options_of(run, dict(run.config["options"]))
    return asked_again(run, data)


def _clusters(data: TableData, options: FitOptions) -> Any:
    """Return which rows are drawn together: neighbours in time, or those of a group."""
    if options.time:
        return stretches(time_seconds(data.frame[options.time]))
    if options.group:
        return group_codes(data.frame[options.group])
    return np.arange(data.frame.height)


@dataclass(frozen=True)
class TableLearner:
    """Finds things in a table, and trains one side of a turn on it."""

    data: TableData
    options: FitOptions
    read: ReadResult

    @property
    def words(self) -> str:
        return "rows"

    def things(self, asked: Asking) -> tuple[list[Thing], list[str]]:
        """Return all that is to be priced, all mistakes told at once. Raises: OptionError."""
        columns, problems = self.data.frame.columns, _Problems()
        found: list[Asked] = []
        told: list[str] = []
        for text in asked.without:
            found += problems.kept(partial(_alone, read_without, text, columns))
        if asked.each is not None:
            each = problems.kept(partial(_alone, each_value, asked.each, self.data))
            found += [one for values, _ in each for one in values]
            told += [words for _, words in each if words]
        things: list[Thing] = []
        for one in {(one.kind, one.text): one for one in [*found, *asked.files()]}.values():
            find = partial(_alone, find_thing, one, self.data, self.options, self.read)
            things += problems.kept(find)
        if problems.found:
            raise OptionError.of(problems.found)
        return things, told

    def fit(
        self, ground: Ground, where: Place, options: FitOptions, turn: Turn, thing: Thing | None
    ) -> Told:
        """Train one side of a turn: the run's own model, with the settings it had there."""
        from treadle.api.table_members import Beside, fit_network, fit_trees

        data, recipe = forked(self.data, options, turn, thing), ground.recipe
        beside: Any
        if recipe.model == "trees":
            from treadle.models.tree_settings import TreeSettings

            beside = Beside("trees", TreeSettings.model_validate(recipe.settings))
            train: Callable[..., Any] = fit_trees
        else:
            from treadle.models.tabular_settings import TabularSettings

            beside = Beside("neural", TabularSettings.model_validate(recipe.settings))
            train = fit_network
        member = train(data, options, ground.judge, recipe.condition, where, beside)
        return Told(
            member,
            data,
            table_part(data, options, "validation", member.validation),
            table_part(data, options, "test", member.test),
        )


def _alone(find: Callable[..., Any], *given: Any) -> list[Any]:
    return [find(*given)]


class _Problems:
    """Gathers users' mistakes, so that all are told at once."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def kept(self, find: Callable[[], list[Any]]) -> list[Any]:
        """Return what is found, or nothing where it is a mistake."""
        try:
            return find()
        except UserError as error:
            self.found.append((error.message, error.hint))
            return []


def forked(
    data: TableData, options: FitOptions, turn: Turn, thing: Thing | None = None
) -> TableData:
    """Return the table as one side of one turn sees it; the judging rows are its test part.

    All that is fitted on learning rows is fitted anew.
    """
    frame, learn, choose = data.frame, turn.learn, turn.choose
    schema = data.schema
    if thing is not None and thing.rows is not None:
        learn, choose = learn[~thing.rows[learn]], choose[~thing.rows[choose]]
    if thing is not None and thing.columns:
        schema = _schema_without(schema, thing.columns)
    if thing is not None and thing.answers is not None:
        frame = frame.with_columns(thing.answers)
    if thing is not None and thing.more is not None:
        more = _unjudged(thing.more, frame[turn.judge], schema)
        learn = np.concatenate([learn, np.arange(more.height) + frame.height])
        frame = pl.concat([frame, more], how="vertical_relaxed")
    parted = Split(train=learn, validation=choose, test=turn.judge, rule=data.split.rule)
    encoder = TableEncoder.fit(frame[learn], schema)
    target = scaled_on_train(data.target, frame[learn][schema.target])
    found = replace(
        data,
        frame=frame,
        schema=schema,
        encoder=encoder,
        target=target,
        split=parted,
        parts=encoded_parts(frame, parted, encoder, target, options.weight),
        notes=[],
    )
    vars(found)["findings"] = []  # the place of a cached_property: forks are not looked at again
    return found


def _schema_without(schema: Schema, columns: tuple[str, ...]) -> Schema:
    changed = {"kind": "left_out", "why": "left out to be priced"}
    return schema.model_copy(
        update={
            "columns": tuple(
                column.model_copy(update=changed) if column.name in columns else column
                for column in schema.columns
            )
        }
    )


def _unjudged(more: pl.DataFrame, judges: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """Return further rows without those that are among the judges already."""
    names = [column.name for column in schema.used()]
    known = np.isin(hash_rows(more.select(names)), hash_rows(judges.select(names)))
    return more.filter(pl.Series(~known))
