"""A log of events on its way to a recommender: one global time cut for the test, one before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from treadle.api.options import FitOptions
from treadle.api.table_data import read_table
from treadle.costs import parse_costs
from treadle.data.events import EncodedLog, EventEncoder, EventLog
from treadle.data.events_windows import moment_cases
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


@dataclass(frozen=True, kw_only=True)
class EventData:
    """A log, parted by time.

    known: all events before the test cut; train: those before the validation cut
    validation, test: the moments to be foreseen, each with the history before it
    titles: what people call the items, where that is known
    worth:  what they bring, where that was said
    """

    log: EventLog
    encoder: EventEncoder
    known: EncodedLog
    train: EncodedLog
    validation: Cases
    test: Cases
    cuts: tuple[float, float]
    notes: list[str]
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
    validation, _ = moment_cases(known, validation_cut)
    test, said = moment_cases(everything, cut)
    _check_cases(len(validation["start"]), len(test["start"]))
    days = (float(log.frame["time"].max()) - float(log.frame["time"].min())) / 86_400  # type: ignore[arg-type]
    notes = [
        *read.notes,
        *log.notes,
        *titles.notes,
        *encoder.notes,
        f"{log.frame.height:,} events of {log.frame['user'].n_unique():,} users and "
        f"{len(encoder.items):,} items over {days:,.0f} days.",
        f"All before {_day(cut)} is known, the last tenth of it for validation; what came after "
        "is the test: at each moment the next item is to be foreseen from what came before.",
        *said,
        *_came_later(log, encoder),
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
    count = int((~log.frame["item"].is_in(list(encoder.items))).sum())
    if not count:
        return []
    return [
        f"{count:,} events of the test are of items that came up only then: nobody could suggest "
        "them, so they are not counted, neither for nor against."
    ]


def _check_cases(validation: int, test: int) -> None:
    problems = [
        (
            f"the {name} part holds only {count} moments of users who were there before.",
            f"At least {LEAST_CASES} are needed: give a longer log, or more users who come back.",
        )
        for name, count in (("validation", validation), ("test", test))
        if count < LEAST_CASES
    ]
    if problems:
        raise DataError.of(problems)


def _day(seconds: float) -> str:
    moment = pl.Series([round(seconds * 1e6)]).cast(pl.Datetime("us"))
    return str(moment.dt.strftime("%Y-%m-%d %H:%M")[0])
