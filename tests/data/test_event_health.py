"""What is suspicious about a log of events."""

from __future__ import annotations

import numpy as np
import polars as pl

from tests import small
from treadle.data.event_health import check_events
from treadle.data.events import EventLog


def titles(log: pl.DataFrame) -> list[str]:
    return [finding.title for finding in check_events(EventLog.read(log).frame)]


LOG = small.purchases()


def test_a_sound_log_has_no_findings() -> None:
    assert titles(LOG) == []


def test_events_sent_twice_are_told() -> None:
    again = LOG.head(100).with_columns(pl.col("time") + 5)
    assert titles(pl.concat([LOG, again])) == ["Events that come twice"]


def test_a_robot_is_told_by_its_name() -> None:
    robot = pl.DataFrame({"user": ["u-robot"] * 200, "item": [f"i{n % 30}" for n in range(200)]})
    times = np.linspace(LOG["time"].min(), LOG["time"].max(), 200).astype(int)  # type: ignore[arg-type]
    log = pl.concat([LOG, robot.with_columns(time=pl.Series(times))])
    (finding,) = check_events(EventLog.read(log).frame)
    assert "u-robot" in finding.sentence and finding.severity == "warning"


def test_times_that_are_only_days_leave_the_order_open() -> None:
    log = LOG.with_columns(time=(pl.col("time") // 5_000_000) * 5_000_000)
    assert "Events of one moment" in titles(log)


def test_lost_days_are_told() -> None:
    random = np.random.default_rng(0)
    times = 1_700_000_000 + random.integers(0, 40 * 86_400, 4000)
    log = pl.DataFrame(
        {
            "user": [f"u{n}" for n in random.integers(200, size=4000)],
            "item": [f"i{n}" for n in random.integers(50, size=4000)],
            "time": times,
        }
    )
    assert titles(log) == []
    day = log["time"] // 86_400
    gone = day.is_in([int(day.max()) - 5, int(day.max()) - 6])  # type: ignore[arg-type]
    assert titles(log.filter(~gone)) == ["Days without any event"]


def test_items_that_hardly_come_are_told() -> None:
    rare = pl.DataFrame(
        {
            "user": [f"u{n % 100}" for n in range(60)],
            "item": [f"rare{n}" for n in range(60)],
            "time": [1_600_000_000 + 86_400 * n for n in range(60)],
        }
    )
    assert "Items with few events" in titles(pl.concat([LOG, rare]))


def test_what_was_in_hand_before_it_was_bought_is_told() -> None:
    looks = LOG.with_columns(kind=pl.lit("view"))
    buys = LOG.with_columns(time=pl.col("time") + 300, kind=pl.lit("purchase"))
    whole = EventLog.read(pl.concat([looks, buys]), event="kind").frame
    (finding,) = check_events(whole, ("purchase",))
    assert finding.title == "Most of what is taken was in hand already"
    assert finding.severity == "warning" and "'view'" in finding.sentence
    assert finding.evidence["events"] == finding.evidence["of"]


def test_what_was_looked_at_days_before_was_not_in_hand() -> None:
    looks = LOG.with_columns(kind=pl.lit("view"))
    buys = LOG.with_columns(time=pl.col("time") + 90_000, kind=pl.lit("purchase"))
    whole = EventLog.read(pl.concat([looks, buys]), event="kind").frame
    assert check_events(whole, ("purchase",)) == []
