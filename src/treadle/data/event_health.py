"""What is suspicious about a log of events before anything is learned from it."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from treadle.data.finding import Finding, of_100, worst_first

_TWICE_WITHIN_SECONDS = 60
_TWICE = 0.02
_SAME_MOMENT = 0.3
_ONE_ERRAND_SECONDS = 3_600
_LED = 0.5
_ONE_USER = 0.05
_FEW_USERS = 20
_THIN_ITEM = 5
_THIN = 0.3
_FEWEST_EVENTS = 200
_DAYS_LOOKED_AT = 60
_LEAST_DAYS = 14
_SECONDS_A_DAY = 86_400


def check_events(log: pl.DataFrame, goal_kinds: tuple[str, ...] = ()) -> list[Finding]:
    """Return what is suspicious about a log with the columns user, item, time (seconds), kind.

    goal_kinds: the kinds of events that are to be foreseen; nothing where that is all
    """
    if log.height < _FEWEST_EVENTS:
        return []
    findings = [
        *_taken_twice(log),
        *_same_moment(log),
        *_one_user(log),
        *_thin_items(log),
        *_missing_days(log),
        *_led_up_to(log, goal_kinds),
    ]
    return worst_first(findings)


def _taken_twice(log: pl.DataFrame) -> Iterator[Finding]:
    """Tell of the same user taking the same item again at once: a double click, or sent twice."""
    again = log.sort("user", "item", "kind", "time").select(
        (pl.col("time").diff() <= _TWICE_WITHIN_SECONDS)
        & (pl.col("user") == pl.col("user").shift())
        & (pl.col("item") == pl.col("item").shift())
        & (pl.col("kind") == pl.col("kind").shift())
    )
    count = int(again.to_series().fill_null(False).sum())
    if count >= _TWICE * log.height:
        yield Finding(
            severity="warning",
            title="Events that come twice",
            sentence=f"{count:,} of {log.height:,} events repeat the same user and item within a "
            "minute: double clicks, or events that were sent twice. To foresee them is easy and "
            "worth nothing.",
            evidence={"events": count, "of": log.height},
            action="keep the first of each",
        )


def _led_up_to(log: pl.DataFrame, goal_kinds: tuple[str, ...]) -> Iterator[Finding]:
    """Tell of items that a user had in hand when taking them: the last step of one errand."""
    goal = pl.col("kind").is_in(list(goal_kinds))
    ordered = log.sort("time", maintain_order=True).with_columns(goal=goal)
    before = pl.when(~pl.col("goal")).then("time").forward_fill().over("user", "item")
    looked = ordered.with_columns(waited=pl.col("time") - before)
    taken = looked.filter("goal").unique(["user", "item"], keep="first", maintain_order=True)
    led = taken.filter(pl.col("waited") <= _ONE_ERRAND_SECONDS).height
    kinds = ordered.filter(~pl.col("goal"))["kind"].unique().sort()
    if not taken.height or not len(kinds) or led < _LED * taken.height:
        return
    said = " or ".join(f"'{kind}'" for kind in kinds[:3])
    yield Finding(
        severity="warning",
        title="Most of what is taken was in hand already",
        sentence=f"{of_100(led / taken.height)} of 100 items taken come within an hour of {said} "
        "of the same user and item: to name what somebody is about to take anyway is easy, so "
        "figures look better than suggestions of anything new would be.",
        evidence={"events": led, "of": taken.height},
        action=f"fit once on a log of {' and '.join(repr(kind) for kind in goal_kinds[:3])} alone: "
        "that tells how well it suggests what a user has not found yet",
    )


def _same_moment(log: pl.DataFrame) -> Iterator[Finding]:
    """Tell of a user's events at exactly the same time: their order is not known."""
    together = log.select(pl.len().over("user", "time").alias("n")).filter(pl.col("n") > 1).height
    share = together / log.height
    if share >= _SAME_MOMENT:
        yield Finding(
            severity="note",
            title="Events of one moment",
            sentence=f"{of_100(share)} of 100 events have the same time as another one of the same "
            "user, so which came first is not known, nor what follows what.",
            evidence={"events": together, "of": log.height},
            action="give times to the second if there are any",
        )


def _one_user(log: pl.DataFrame) -> Iterator[Finding]:
    """Tell of a user who makes far more events than any person would: a robot, or a shared name."""
    counts = log["user"].value_counts(sort=True, name="events")
    if counts.height < _FEW_USERS:
        return
    user, events = counts.row(0)
    if events >= _ONE_USER * log.height:
        yield Finding(
            severity="warning",
            title="One user makes very many events",
            sentence=f"user '{user}' made {of_100(events / log.height)} of 100 events "
            f"({events:,}): a robot, a test, or the name for all who are not known.",
            evidence={"user": str(user), "events": int(events), "of": log.height},
            action="leave this user's events out if it is no person",
        )


def _thin_items(log: pl.DataFrame) -> Iterator[Finding]:
    counts = log["item"].value_counts(name="events")["events"]
    thin = int((counts < _THIN_ITEM).sum())
    if thin >= _THIN * counts.len():
        yield Finding(
            severity="note",
            title="Items with few events",
            sentence=f"{thin:,} of {counts.len():,} items have fewer than {_THIN_ITEM} events "
            "each: hardly anything can be learned of them, and they are hardly ever suggested.",
            evidence={"items": thin, "of": counts.len()},
        )


def _missing_days(log: pl.DataFrame) -> Iterator[Finding]:
    """Tell of days without any event among the last days, where every day has many as a rule."""
    days = (log["time"] // _SECONDS_A_DAY).cast(pl.Int64)
    last = int(days.max())  # type: ignore[arg-type]
    first = max(int(days.min()), last - _DAYS_LOOKED_AT)  # type: ignore[arg-type]
    counted = days.filter(days >= first).value_counts(name="events")
    usual = float(counted["events"].median() or 0)  # type: ignore[arg-type]
    span = last - first + 1
    missing = span - counted.height
    if span < _LEAST_DAYS or usual < 20 or not 1 <= missing <= span // 4:
        return
    yield Finding(
        severity="warning",
        title="Days without any event",
        sentence=f"{missing:,} of the last {span:,} days have no event at all, where {usual:,.0f} "
        "a day are usual: part of the log may be lost.",
        evidence={"days": missing, "of": span, "usual": usual},
        action="look whether the export is whole",
    )
