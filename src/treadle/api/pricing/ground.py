"""What all forks of a run have in common: its data, its model, the rows that judge, the machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.api.machine import changed_data, machine_and_versions
from treadle.api.options import FitOptions
from treadle.contracts import Json
from treadle.data.hashing import hash_rows, hash_values, mixed
from treadle.data.split import Split, SplitRule, split
from treadle.data.tables import TargetEncoder
from treadle.errors import RunError
from treadle.folder import RunFolder
from treadle.goal import Metric
from treadle.study.turns import CHOOSE, TURNS, Turn, turns_of

if TYPE_CHECKING:
    from treadle.api.answers import Part
    from treadle.api.goal_of import Goal
    from treadle.api.image_data import ImageData
    from treadle.api.member import Member
    from treadle.api.place import Place
    from treadle.api.pricing.asked import Asking
    from treadle.api.pricing.recipe import Recipe
    from treadle.api.pricing.things import Thing
    from treadle.api.table_data import TableData

Codes: TypeAlias = NDArray[np.int64]

AHEAD = 0.18
"""The share of the train part that chooses where validation alone judges: what validation is of
both."""

MOST_ALIKE = 0.2


class Told(NamedTuple):
    """What training one side of a turn gave; data: as that side saw it, its test part judges."""

    member: Member
    data: TableData | ImageData
    held: Part
    test: Part


class Learner(Protocol):
    """Finds things in one kind of data, and trains one side of a turn on it."""

    @property
    def words(self) -> str:
        """What a row is called: rows, photos."""

    def things(self, asked: Asking) -> tuple[list[Thing], list[str]]:
        """Return all that is to be priced, and what must be said. Raises: OptionError."""

    def fit(
        self, ground: Ground, where: Place, options: FitOptions, turn: Turn, thing: Thing | None
    ) -> Told:
        """Train in a place, from its newest checkpoint where it was begun."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What is the same for all forks.

    frame:    all rows, in the order given; split: the run's own
    ahead:    rows are in the order of time, or the user gave the validation rows: these judge in
              all turns; else all rows but the test rows judge in turns
    clusters: int64 [N]: rows of one cluster are not independent; each its own where none is known
    metric:   that is told; judge: that decides when a training is best
    notes:    what must be said before, in sentences
    """

    run: RunFolder
    options: FitOptions
    frame: pl.DataFrame
    target: TargetEncoder
    split: Split
    learner: Learner
    goal: Goal | None
    metric: Metric
    judge: Metric
    recipe: Recipe
    ahead: bool
    clusters: Codes
    marks: Json
    threads: int
    notes: list[str]

    def truth(self, rows: Codes, answers: pl.Series | None = None) -> NDArray[Any]:
        """Return what is true of some rows; answers: of all rows, in place of the data's own."""
        column = self.frame[self.target.column] if answers is None else answers
        found: NDArray[Any] = self.target.encode(column[rows])
        return found if self.target.task == "number" else found.astype(np.int64)

    def turns(self, count: int) -> list[Turn]:
        """Return who learns, chooses and judges for each of so many seeds; rows of the frame."""
        if self.ahead:
            return [_ahead(self)] * count
        pool = np.sort(np.concatenate([self.split.train, self.split.validation]))
        kinds: NDArray[Any] = np.zeros(len(pool), np.int64)
        groups = group_cells(self.frame[pool], self.split.rule)
        if groups is not None:
            keys = hash_values(groups)
            empty = groups.is_null().to_numpy()
            keys[empty] = mixed(np.flatnonzero(empty).astype(np.uint64))
        else:
            keys = _content(self.frame[pool], self.split.rule, self.target.column)
            kinds = self.truth(pool) if self.target.task != "number" else kinds
        found = turns_of(keys, kinds, count, seed=self.options.seed)
        return [
            Turn(learn=pool[turn.learn], choose=pool[turn.choose], judge=pool[turn.judge])
            for turn in found
        ]

    def folder(self) -> Path:
        """Return where the forks lie: another place where anything they share is another."""
        common = {
            "options": self.options.recorded(),
            "recipe": {**self.recipe.__dict__, "seconds": 0},
            "machine": machine_and_versions(self.threads),
            "data": self.marks.get("sha256"),
            "metrics": [self.metric.name, self.judge.name],
            "goal": None if self.goal is None else self.goal.model_dump(mode="json"),
            "turns": [self.ahead, TURNS, CHOOSE, AHEAD],
        }
        text = json.dumps(common, sort_keys=True, default=str)
        return self.run.path / "worth-of" / hashlib.sha256(text.encode()).hexdigest()[:12]


def group_cells(frame: pl.DataFrame, rule: SplitRule) -> pl.Series | None:
    """Return what says which rows belong together, or None where nothing does."""
    if rule.method == "time" or rule.column is None:
        return None
    cells = frame[rule.column]
    if rule.pattern is None:
        return cells
    return cells.cast(pl.String).str.extract(rule.pattern, 1 if "(" in rule.pattern else 0)


def _content(frame: pl.DataFrame, rule: SplitRule, target: str) -> NDArray[np.uint64]:
    """Return a hash of what each row holds; where most rows are alike, one of their own."""
    names = list(rule.content) or [name for name in frame.columns if name != target]
    keys = hash_rows(frame.select(names), rule.seed)
    if len(np.unique(keys)) < (1 - MOST_ALIKE) * len(keys):
        keys = mixed(keys + mixed(np.arange(len(keys), dtype=np.uint64)))
    return keys


def refuse_other_runs(run: RunFolder) -> None:
    """Refuse a run that cannot be forked, in words. Raises: RunError."""
    config = run.config
    if config["kind"] == "module":
        raise RunError(
            f"the run at {run.path} trained a module of your own, which only your code can train "
            "again.",
            "Leave the rows or columns out in your own code, once for each of some seeds, and "
            "compare what validation says.",
        )
    if config["kind"] == "events":
        raise RunError(
            f"the run at {run.path} learned from events, each of which is part of its user's whole "
            "history; so far only what tables and photos earned can be priced.",
            "Fit once without the events in question and compare: treadle report RUN OTHER",
        )
    if run.result is None:
        raise RunError(
            f"the run at {run.path} was not finished, so there is no model to price data for.",
            f"Go on with it first: treadle resume {run.path}",
        )
    if config["options"].get("start_from"):
        raise RunError(
            f"the run at {run.path} started from another run's weights, which may have learned "
            "from the same data.",
            "What data earned can be told of a run that started anew: fit without --start-from.",
        )


def changed_words(run: RunFolder, marks: Json) -> list[str]:
    """Say that the data is not what the run learned from, where that is so."""
    changed = changed_data((run.data or {}).get("fingerprint", {}), marks)
    if not changed:
        return []
    return [
        f"the data was changed since the run ({'; '.join(changed[:3])}): what is told is of the "
        "data as it is now."
    ]


def _ahead(ground: Ground) -> Turn:
    """Return the one turn of rows in the order of time: the end of the train part chooses."""
    train, rule = ground.split.train, ground.split.rule
    method = "time" if ground.options.time else "group" if rule.column else "stratified"
    part = {"method": method, "fractions": (1 - AHEAD, AHEAD, 0.0), "cuts": None}
    rule = rule.model_copy(update=part | {"label_delay_seconds": 0.0})  # all of train is labelled
    target = ground.target.column if ground.target.task != "number" else None
    inner = split(ground.frame[train], rule, target, leave_out_unknown=True)
    return Turn(
        learn=train[inner.train], choose=train[inner.validation], judge=ground.split.validation
    )


def shares_told(turns: Sequence[Turn], ground: Ground) -> Json:
    """Return how many rows learn, choose and judge, for the record."""
    judged = np.unique(np.concatenate([turn.judge for turn in turns]))
    return {
        "learn": len(turns[0].learn),
        "choose": len(turns[0].choose),
        "judge": len(judged),
        "run_learned": len(ground.split.train),
    }
