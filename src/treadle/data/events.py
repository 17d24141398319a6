"""A log of events (who, what, when) and the encoder that turns it into codes.

`EventLog.of(frame)` reads a frame as a log, `EventEncoder.fit(log)` learns the catalogue from
what is known before the test cut, `encoder.encode(log)` gives flat tensors, and
`events_windows` makes training rows and test cases of them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl
import torch
from torch import Tensor

from treadle.contracts import Frozen
from treadle.data.events_columns import GOAL_WORDS, EventColumns, find_columns, words_of
from treadle.data.events_times import seconds
from treadle.errors import DataError

LESSER_EVENT_WEIGHT = 0.2
"""How much it counts in training to foresee an event that is not the goal, such as a click."""

_NO_KIND = "event"
_WHOLE_FLOATS = 2.0**53
_CLOCKS_DIFFER_SECONDS = 86_400.0
"""Times without a zone may be ahead of ours by so much."""


@dataclass(frozen=True, kw_only=True)
class EventLog:
    """A log in one form: each user's events together, in time order, no row twice.

    frame: user String, item String, time Float64 (seconds), kind String; sorted by all four
    lost_users: those of whom no row has both an item and a time
    """

    frame: pl.DataFrame
    columns: EventColumns
    notes: tuple[str, ...]
    lost_users: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        frame: pl.DataFrame,
        *,
        user: str | None = None,
        item: str | None = None,
        time: str | None = None,
        event: str | None = None,
    ) -> EventLog:
        """Read a log to learn from: as `read`, and with two users and two items at least.

        Raises: DataError: as `read`, or fewer than two users or items.
        """
        log = cls.read(frame, user=user, item=item, time=time, event=event)
        _check_variety(log.frame, log.columns)
        return log

    @classmethod
    def read(
        cls,
        frame: pl.DataFrame,
        *,
        user: str | None = None,
        item: str | None = None,
        time: str | None = None,
        event: str | None = None,
    ) -> EventLog:
        """Read a frame as a log; `notes` say in plain words what was guessed and left out.

        Raises: DataError: columns that are not there or not found, or cells that are no times.
        """
        columns, notes = find_columns(frame, user=user, item=item, time=time, event=event)
        times, time_notes = seconds(frame[columns.time])
        log = pl.DataFrame(
            {
                "user": identifiers(frame[columns.user]),
                "item": identifiers(frame[columns.item]),
                "time": times,
                "kind": _kinds(frame, columns.event),
            }
        )
        said = [*notes, *time_notes, *_order(log), *_future(log)]
        users = log["user"]
        log, left_out = _whole_rows(log, columns)
        return cls(
            frame=log,
            columns=columns,
            notes=(*said, *left_out),
            lost_users=_lost(users, log["user"]),
        )

    def time_after(self, share: float) -> float:
        """Return the time before which about `share` of all events lie: a global time cut."""
        place = min(int(share * self.frame.height), self.frame.height - 1)
        return float(self.frame["time"].sort()[place])

    def before(self, cut: float) -> EventLog:
        """Return the events with a time below the cut."""
        return EventLog(
            frame=self.frame.filter(pl.col("time") < cut), columns=self.columns, notes=self.notes
        )


class EncodedLog(NamedTuple):
    """A log as flat tensors over E events of known items, each user's together, in time order.

    items: int64 [E] codes in 1…I    times: float64 [E] seconds    kinds: int64 [E] from 1 on
    users: int64 [E] places in `user_names`
    goal:  bool [E], the first time that this user took this item (as a purchase, or at all)
    event_weight: float32 [E], how much it counts in training to foresee this event
    """

    items: Tensor
    times: Tensor
    kinds: Tensor
    users: Tensor
    goal: Tensor
    event_weight: Tensor
    user_names: tuple[str, ...]

    def before(self, cut: float) -> EncodedLog:
        """Return the events with a time below the cut; the users stay numbered as they are."""
        known = self.times < cut
        return EncodedLog(
            items=self.items[known],
            times=self.times[known],
            kinds=self.kinds[known],
            users=self.users[known],
            goal=self.goal[known],
            event_weight=self.event_weight[known],
            user_names=self.user_names,
        )


class EventEncoder(Frozen):
    """The catalogue and the kinds of events: what of the data travels with a model, as JSON.

    items:      code c stands for items[c − 1]; code 0 is padding and unknown items
    kinds:      the same for kinds of events; an unknown kind has code 0
    goal_kinds: the kinds that are to be foreseen; the others only tell of interest
    """

    columns: EventColumns
    items: tuple[str, ...]
    kinds: tuple[str, ...]
    goal_kinds: tuple[str, ...]

    @classmethod
    def fit(cls, log: EventLog, goal_kinds: tuple[str, ...] = ()) -> EventEncoder:
        """Learn the catalogue from a log that ends before the test cut.

        The goal is what was named, else the kinds that speak of buying, else every kind.
        """
        kinds = tuple(log.frame["kind"].unique().sort())
        unknown = [kind for kind in goal_kinds if kind not in kinds]
        if unknown:
            raise DataError(
                f"no event is of the kind {', '.join(unknown)}.",
                f"The kinds in '{log.columns.event}' are: {', '.join(kinds[:20])}.",
            )
        bought = tuple(kind for kind in kinds if not set(GOAL_WORDS).isdisjoint(words_of(kind)))
        undone = {"remove", "removed", "cancel", "cancelled", "canceled", "refund", "return"}
        bought = tuple(kind for kind in bought if undone.isdisjoint(words_of(kind)))
        items = tuple(log.frame["item"].unique().sort())
        return cls(
            columns=log.columns, items=items, kinds=kinds, goal_kinds=goal_kinds or bought or kinds
        )

    @property
    def notes(self) -> list[str]:
        """What the encoder took for granted, in plain sentences."""
        if set(self.goal_kinds) == set(self.kinds):
            return []
        others = ", ".join(kind for kind in self.kinds if kind not in self.goal_kinds)
        goal = ", ".join(self.goal_kinds)
        return [
            f"To be foreseen: {goal}. The other kinds ({others}) are used as signs of interest."
        ]

    def encode(self, log: EventLog) -> EncodedLog:
        """Return a log as tensors; events of unknown items are left out, their users stay."""
        users = log.frame["user"].unique().sort()
        coded = log.frame.with_columns(
            user=_code(log.frame["user"], tuple(users)) - 1,
            item=_code(log.frame["item"], self.items),
            goal=pl.col("kind").is_in(list(self.goal_kinds)),
            kind=_code(log.frame["kind"], self.kinds),
        ).filter(pl.col("item") > 0)
        first = pl.col("goal") & pl.struct("user", "item").is_first_distinct().over("goal")
        coded = coded.with_columns(first=first)
        weight = pl.when("first").then(1.0).when("goal").then(0.0).otherwise(LESSER_EVENT_WEIGHT)
        coded = coded.with_columns(weight=weight.cast(pl.Float32))

        def tensor(name: str) -> Tensor:
            return torch.from_numpy(coded[name].to_numpy(writable=True))

        return EncodedLog(
            items=tensor("item"),
            times=tensor("time"),
            kinds=tensor("kind"),
            users=tensor("user"),
            goal=tensor("first"),
            event_weight=tensor("weight"),
            user_names=tuple(users),
        )

    def item_names(self, codes: Tensor) -> list[str | None]:
        """Return the items of int64 codes [N]; None for code 0."""
        return [self.items[code - 1] if code else None for code in codes.tolist()]


def identifiers(column: pl.Series) -> pl.Series:
    """Return identifiers as text; whole numbers that were read as fractions lose their ".0"."""
    if column.dtype.is_float():
        column = column.fill_nan(None)
        known = column.drop_nulls()
        if bool((known % 1 == 0).all()) and bool((known.abs() < _WHOLE_FLOATS).all()):
            column = column.cast(pl.Int64)
    text = column.cast(pl.String).str.strip_chars()
    return text.set(text == "", None)


def _kinds(frame: pl.DataFrame, event: str | None) -> pl.Series:
    if event is None:
        return pl.repeat(_NO_KIND, frame.height, eager=True)
    return frame[event].cast(pl.String).str.strip_chars().fill_null("(missing)")


def _order(log: pl.DataFrame) -> list[str]:
    """Return a sentence on rows that stand behind a later one of the same user, or nothing."""
    late = log.select(pl.col("time") < pl.col("time").shift(1).over("user")).to_series().sum()
    if not late:
        return []
    return [
        f"{late:,} of {log.height:,} rows stand behind a later one of the same user: each user's "
        "events are put in the order of time."
    ]


def _future(log: pl.DataFrame) -> list[str]:
    """Return a sentence on events that are dated after this moment, or nothing."""
    now = time.time()
    later = log["time"].filter(log["time"] > now + _CLOCKS_DIFFER_SECONDS)
    if not len(later):
        return []
    last = pl.from_epoch(pl.Series([later.max()]).cast(pl.Int64)).dt.strftime("%Y-%m-%d")[0]
    events = "1 event is" if len(later) == 1 else f"{len(later):,} events are"
    return [
        f"{events} dated later than today, the last {last}: they are kept as they stand, but are "
        "those times right?"
    ]


def _lost(before: pl.Series, after: pl.Series) -> tuple[str, ...]:
    known = before.drop_nulls().unique().sort()
    return tuple(known.filter(~known.is_in(after.unique().implode())))


def _whole_rows(log: pl.DataFrame, columns: EventColumns) -> tuple[pl.DataFrame, list[str]]:
    """Return the sorted log without incomplete and repeated rows, and what was left out."""
    notes = []
    for role, name in (("user", columns.user), ("item", columns.item), ("time", columns.time)):
        empty = log[role].null_count()
        if empty:
            notes.append(f"{empty:,} of {log.height:,} rows have no '{name}' and are left out.")
    whole = log.drop_nulls()
    once = whole.unique().sort("user", "time", "item", "kind")
    repeated = whole.height - once.height
    if repeated:
        notes.append(
            f"{repeated:,} of {whole.height:,} rows repeat another one (same user, item, time and "
            "kind of event); each counts once."
        )
    return once, notes


def _check_variety(log: pl.DataFrame, columns: EventColumns) -> None:
    problems = []
    for role, name in (("user", columns.user), ("item", columns.item)):
        found = log[role].n_unique()
        if found < 2:
            message = f"the column '{name}' holds {found} different {role}s in whole rows."
            problems.append(
                (message, f"Suggestions need two or more; is another column the {role}?")
            )
    if problems:
        raise DataError.of(problems)


def _code(column: pl.Series, names: tuple[str, ...]) -> pl.Series:
    """Return int64 codes from 1 on by place in `names`, 0 for what is not there."""
    table = pl.DataFrame({"name": names, "code": range(1, len(names) + 1)}, schema=_CODES)
    found = column.to_frame("name").join(table, on="name", how="left", maintain_order="left")
    return found["code"].fill_null(0)


_CODES = {"name": pl.String, "code": pl.Int64}
