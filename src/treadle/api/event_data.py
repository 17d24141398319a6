"""A log of events on its way to a recommender: one global time cut for the test, one before it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from treadle.api.options import FitOptions
from treadle.api.table_data import read_table
from treadle.contracts import Batch
from treadle.costs import Costs, parse_costs
from treadle.data.event_health import check_events
from treadle.data.events import EncodedLog, EventEncoder, EventLog
from treadle.data.events_columns import words_of
from treadle.data.events_windows import moment_cases
from treadle.data.finding import Finding, counted
from treadle.data.item_titles import Titles, titles_of
from treadle.data.item_worth import ItemWorth, item_worth
from treadle.data.read import read_tables
from treadle.errors import DataError
from treadle.models.ranking import Cases

if TYPE_CHECKING:
    from torch import Tensor

TEST_SHARE = 0.15
VALIDATION_SHARE = 0.1
LEAST_CASES = 20
ROW_WORDS = {"row", "rows", "rownames", "index", "unnamed", "nr", "no", "number", "0"}
RATING_WORDS = {"rating", "ratings", "rate", "stars", "score", "grade", "feedback", "bewertung"}
"""Words for columns that tell how much an item was liked."""


@dataclass(frozen=True, kw_only=True)
class EventData:
    """A log, parted by time.

    known: all events before the test cut; train: those before the validation cut
    validation, test: the moments to be foreseen, each with the history before it
    titles: what people call the items, where that is known
    worth:  what they bring, where that was said
    notes:  all that is to be said of the log; split_notes: of these, how it was parted
    """

    log: EventLog
    encoder: EventEncoder
    known: EncodedLog
    train: EncodedLog
    validation: Cases
    test: Cases
    cuts: tuple[float, float]
    notes: list[str]
    split_notes: list[str]
    titles: Titles
    worth: ItemWorth | None = None

    @property
    def num_items(self) -> int:
        return len(self.encoder.items)

    def sizes(self) -> dict[str, int]:
        """Return the events to learn from, and the moments to validate and to test on."""
        return {
            "train": len(self.train.items),
            "validation": len(self.validation.start),
            "test": len(self.test.start),
        }

    @cached_property
    def findings(self) -> list[Finding]:
        """What is suspicious about the log, warnings first."""
        return check_events(self.log.frame, self.encoder.goal_kinds)

    def item_counts(self) -> Tensor:
        """Return how often each item comes in the train part, float32 [I]."""
        import torch

        return torch.bincount(self.train.items - 1, minlength=self.num_items).float()


def prepare_events(options: FitOptions, frame: Any = None) -> EventData:
    """Read a log, cut it by time, and learn the catalogue from what lies before the test.

    Raises: DataError.
    """
    read = read_table(options, frame)
    log, cut = _log_and_cut(options, read.frame)
    titles = titles_of(options.items, read.frame, log.columns.item)
    asked = parse_costs(options.cost) if options.cost else None
    worth = item_worth(asked, read.frame, log.columns.item) if asked else None
    past = log.before(cut)
    if past.frame.height < 2:
        raise DataError("no events lie before the test cut.", "Give a longer log.")
    validation_cut = past.time_after(1 - VALIDATION_SHARE)
    encoder = EventEncoder.fit(past)
    everything = encoder.encode(log)
    known = everything.before(cut)
    validation, not_seen = moment_cases(known, validation_cut)
    test, said = moment_cases(everything, cut)
    _check_cases(("validation", validation, not_seen), ("test", test, said))
    days = (float(log.frame["time"].max()) - float(log.frame["time"].min())) / 86_400  # type: ignore[arg-type]
    split_notes = [
        f"All before {_day(cut)} is known, the last tenth of it for validation; what came after "
        "is the test: at each moment the next item is to be foreseen from what came before.",
        *said,
        *_came_later(log, encoder),
    ]
    notes = [
        *read.notes,
        *log.notes,
        *titles.notes,
        *_unused(read.frame, log, titles, asked),
        *encoder.notes,
        f"{log.frame.height:,} events of {log.frame['user'].n_unique():,} users and "
        f"{log.frame['item'].n_unique():,} items over {days:,.0f} days.",
        *split_notes,
    ]
    return EventData(
        log=log,
        encoder=encoder,
        known=known,
        train=known.before(validation_cut),
        validation=Cases(**validation),
        test=Cases(**test),
        cuts=(validation_cut, cut),
        notes=notes,
        split_notes=split_notes,
        titles=titles,
        worth=worth,
    )


def _log_and_cut(options: FitOptions, frame: pl.DataFrame) -> tuple[EventLog, float]:
    """Return the whole log, and where the test begins: at the given test file's first event."""
    named: dict[str, Any] = {
        "user": options.user,
        "item": options.item,
        "time": options.time,
        "event": options.event,
    }
    if not options.test:
        log = EventLog.of(frame, **named)
        return log, log.time_after(1 - TEST_SHARE)
    later = read_tables(list(options.test), sheet=options.sheet).frame
    first = float(EventLog.of(later, **named).frame["time"].min())  # type: ignore[arg-type]
    whole = pl.concat([frame, later.select(frame.columns)], how="vertical_relaxed")
    return EventLog.of(whole, **named), first


def _came_later(log: EventLog, encoder: EventEncoder) -> list[str]:
    """Return a sentence on the events of items that were not there before the test, or nothing."""
    new = log.frame["item"].filter(~log.frame["item"].is_in(list(encoder.items)))
    if not len(new):
        return []
    return [
        f"{len(new):,} events of the test are of {counted(new.n_unique(), 'item')} that came up "
        "only then: nobody could suggest them, so they are not counted, neither for nor against."
    ]


def _unused(frame: pl.DataFrame, log: EventLog, titles: Titles, asked: Costs | None) -> list[str]:
    """Return a sentence on the columns that are not learned from, or nothing."""
    used = {*log.columns.model_dump().values(), titles.column}
    used |= {*asked.columns} if asked else set()
    names = [name for name in frame.columns if name not in used and set(words_of(name)) - ROW_WORDS]
    if not names:
        return []
    shown = ", ".join(f"'{name}'" for name in names[:6]) + (", …" if len(names) > 6 else "")
    said = f"Not learned from: {shown}. Who, what and when is all that counts."
    rated = [name for name in names if not RATING_WORDS.isdisjoint(words_of(name))]
    if rated:
        said += (
            f" So an item with a low '{rated[0]}' counts as taken like any other: leave such rows "
            "out if they should not count."
        )
    return [said]


def _check_cases(*parts: tuple[str, Batch, list[str]]) -> None:
    problems = [
        (
            f"the {name} part holds only {len(cases['start'])} moments at which something new is "
            "to be foreseen for a user who was there before.",
            " ".join(
                [
                    f"At least {LEAST_CASES} are needed: give a longer log, or more users who come "
                    "back.",
                    *(f"Of this part, {line}" for line in not_tested),
                ]
            ),
        )
        for name, cases, not_tested in parts
        if len(cases["start"]) < LEAST_CASES
    ]
    if problems:
        raise DataError.of(problems)


def _day(seconds: float) -> str:
    moment = pl.Series([round(seconds * 1e6)]).cast(pl.Datetime("us"))
    return str(moment.dt.strftime("%Y-%m-%d %H:%M")[0])
