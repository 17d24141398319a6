"""Logs of events: which columns, which times, what is left out, and what a model gets to see."""

import json
from datetime import UTC, datetime

import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.data.events import EncodedLog, EventEncoder, EventLog
from treadle.data.events_columns import EventColumns, find_columns
from treadle.data.events_times import seconds
from treadle.data.events_windows import (
    following_cases,
    latest_cases,
    moment_cases,
    training_windows,
)
from treadle.errors import DataError

DAY = 86_400


def frame(*rows: tuple[str, str, float], **more: list[str]) -> pl.DataFrame:
    users, items, times = zip(*rows, strict=True)
    return pl.DataFrame({"user": users, "item": items, "time": times, **more})


def encoded(*rows: tuple[str, str, float], **more: list[str]) -> EncodedLog:
    log = EventLog.of(frame(*rows, **more))
    return EventEncoder.fit(log).encode(log)


# Columns


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("user", "item", "rating", "time"), ("user", "item", "time")),
        (("CustomerID", "StockNo", "SKU", "InvoiceDate"), ("CustomerID", "SKU", "InvoiceDate")),
        (("ts", "visitorid", "itemid", "price"), ("visitorid", "itemid", "ts")),
        (("product_name", "product_id", "client_no", "day"), ("client_no", "product_id", "day")),
        (("Kunde", "Artikel", "Datum", "Menge"), ("Kunde", "Artikel", "Datum")),
        (("session_id", "user_id", "movieId", "timestamp"), ("user_id", "movieId", "timestamp")),
        (("session_id", "url", "created_at", "x"), ("session_id", "url", "created_at")),
    ],
)
def test_columns_are_found_by_their_names_and_said(
    names: tuple[str, ...], expected: tuple[str, str, str]
) -> None:
    columns, notes = find_columns(pl.DataFrame({name: [1, 2, 1] for name in names}))
    assert (columns.user, columns.item, columns.time) == expected
    assert len(notes) == 3 and all(f"'{name}'" in " ".join(notes) for name in expected)


def test_named_columns_are_taken_as_named() -> None:
    table = pl.DataFrame({"user": [1], "item": [1], "time": [1], "who": [2]})
    columns, notes = find_columns(table, user="who")
    assert columns.user == "who" and len(notes) == 2


def test_columns_without_telling_names_are_told_apart_by_what_they_hold() -> None:
    visits = [(user, user * 3 + step) for user in range(9) for step in range(6)]
    table = pl.DataFrame(
        {
            "a": [step % 7 for _, step in visits],
            "b": [user for user, _ in visits],
            "c": [datetime(2025, 1, 1 + user, step % 20, tzinfo=UTC) for user, step in visits],
        }
    )
    columns, notes = find_columns(table)
    assert columns == EventColumns(user="b", item="a", time="c")
    assert "what it holds" in notes[-1]


def test_all_problems_of_columns_are_told_at_once() -> None:
    table = pl.DataFrame({"customer": [1], "product": [2], "when": [3]})
    with pytest.raises(DataError, match="2 problems") as error:
        find_columns(table, user="costumer", item="produkt")
    assert "did you mean 'customer'" in error.value.message
    assert "did you mean 'product'" in error.value.message
    with pytest.raises(DataError, match="named for user and for item"):
        find_columns(table, user="customer", item="customer")


def test_a_role_that_cannot_be_found_says_which_option_names_it() -> None:
    with pytest.raises(DataError, match="what it was done with") as error:
        find_columns(pl.DataFrame({"user": ["a"], "time": [1], "fee": [0.5]}))
    assert "--item" in error.value.hint


def test_a_column_of_kinds_needs_words_of_doing_where_its_name_is_vague() -> None:
    table = pl.DataFrame({"user": [1, 2], "item": [1, 2], "time": [1, 2]})
    kinds = table.with_columns(type=pl.Series(["view", "purchase"]))
    colours = table.with_columns(type=pl.Series(["red", "blue"]))
    assert find_columns(kinds)[0].event == "type"
    assert find_columns(colours)[0].event is None


# Times

MOMENT = datetime(2025, 12, 31, 18, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "times",
    [
        pl.Series([MOMENT]),
        pl.Series([MOMENT.timestamp()]),
        pl.Series([int(MOMENT.timestamp()) * 1000]),
        pl.Series([int(MOMENT.timestamp()) * 10**6]),
        pl.Series([int(MOMENT.timestamp()) * 10**9]),
        pl.Series([str(int(MOMENT.timestamp()))]),
        pl.Series(["2025-12-31T18:30:00Z"]),
        pl.Series(["31.12.2025 18:30"]),
    ],
)
def test_times_of_any_spelling_are_seconds(times: pl.Series) -> None:
    assert seconds(times)[0].to_list() == [MOMENT.timestamp()]


def test_day_numbers_are_days_and_small_numbers_are_said_to_be_no_clock() -> None:
    days, said = seconds(pl.Series("t", [20250101, 20250102]))
    assert days[1] - days[0] == DAY and "days" in said[0]
    steps, said = seconds(pl.Series("t", [1, 2, 3]))
    assert steps.to_list() == [1, 2, 3] and "order is what counts" in said[0]


def test_cells_that_are_no_times_are_told_with_their_rows() -> None:
    with pytest.raises(
        DataError, match=r"2 of 4 cells .* row 2 \('soon'\), row 4 \('2025-13-45'\)"
    ):
        EventLog.of(
            pl.DataFrame(
                {
                    "user": [1, 2, 1, 2],
                    "item": [1, 2, 2, 1],
                    "time": ["2025-01-01", "soon", "2025-01-02", "2025-13-45"],
                }
            )
        )


def test_infinite_times_are_refused() -> None:
    with pytest.raises(DataError, match="row 2"):
        seconds(pl.Series("t", [1.0, float("inf")]))


# The log


def test_repeated_and_incomplete_rows_are_left_out_with_a_word() -> None:
    table = pl.DataFrame(
        {
            "user": ["a", "a", None, "b", "b"],
            "item": ["x", "x", "x", "y", " "],
            "time": [1, 1, 2, 3, 4],
        }
    )
    log = EventLog.of(table.vstack(pl.DataFrame({"user": ["b"], "item": ["x"], "time": [9]})))
    assert log.frame.height == 3
    said = " ".join(log.notes)
    assert "no 'user'" in said and "no 'item'" in said and "repeat another" in said


def test_rows_may_come_in_any_order() -> None:
    rows = [("b", "x", 5.0), ("a", "y", 3.0), ("a", "x", 1.0), ("b", "y", 2.0)]
    assert EventLog.of(frame(*rows)).frame.equals(EventLog.of(frame(*rows[::-1])).frame)


def test_one_user_or_one_item_is_not_enough() -> None:
    with pytest.raises(DataError, match="2 problems"):
        EventLog.of(frame(("a", "x", 1.0), ("a", "x", 2.0)))


def test_whole_numbers_read_as_fractions_are_the_same_identifiers() -> None:
    table = pl.DataFrame({"user": [1.0, 2.0], "item": [7, 8], "time": [1, 2]})
    assert EventLog.of(table).frame["user"].to_list() == ["1", "2"]


def test_a_time_cut_parts_the_log_by_share() -> None:
    log = EventLog.of(frame(*[("ab"[n % 2], "xy"[n % 2], float(n)) for n in range(10)]))
    assert log.time_after(0.7) == 7
    assert log.before(log.time_after(0.7)).frame.height == 7


# Codes


def test_encoder_travels_as_json() -> None:
    encoder = EventEncoder.fit(EventLog.of(frame(("a", "x", 1.0), ("b", "y", 2.0))))
    assert EventEncoder.model_validate(json.loads(encoder.model_dump_json())) == encoder


def test_unknown_items_are_left_out_and_their_users_stay() -> None:
    log = EventLog.of(frame(("a", "x", 1.0), ("b", "y", 2.0), ("c", "new", 3.0), ("a", "y", 4.0)))
    coded = EventEncoder.fit(log.before(3.0)).encode(log)
    assert coded.items.tolist() == [1, 2, 2]
    assert coded.user_names == ("a", "b", "c")
    assert coded.users.tolist() == [0, 0, 1]


def test_buying_is_the_goal_where_events_have_kinds() -> None:
    rows = [("a", "x", 1.0), ("a", "x", 2.0), ("a", "x", 3.0), ("b", "y", 4.0), ("b", "x", 5.0)]
    kinds = ["view", "purchase", "purchase", "remove from order", "view"]
    log = EventLog.of(frame(*rows, event=kinds))
    encoder = EventEncoder.fit(log)
    assert encoder.goal_kinds == ("purchase",)
    assert "To be foreseen: purchase" in encoder.notes[0]
    coded = encoder.encode(log)
    assert coded.goal.tolist() == [False, True, False, False, False]
    assert coded.event_weight.tolist() == pytest.approx([0.2, 1.0, 0.0, 0.2, 0.2])


def test_without_kinds_the_first_time_of_each_item_is_the_goal() -> None:
    coded = encoded(("a", "x", 1.0), ("a", "x", 2.0), ("b", "x", 3.0), ("b", "y", 4.0))
    assert coded.goal.tolist() == [True, False, True, True]
    assert coded.event_weight.tolist() == [1, 0, 1, 1]


def test_an_unknown_goal_is_refused() -> None:
    log = EventLog.of(frame(("a", "x", 1.0), ("b", "y", 2.0), event=["view", "buy"]))
    with pytest.raises(DataError, match="no event is of the kind bye"):
        EventEncoder.fit(log, goal_kinds=("bye",))


# Windows and cases

logs = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("uvwxyz"), st.integers(0, 12).map(float)),
    min_size=1,
    max_size=60,
).map(lambda rows: [("a", "u", 0.0), ("a", "v", 1.0), ("b", "v", 0.0), *rows])


@settings(max_examples=60, deadline=None)
@given(rows=logs, length=st.integers(1, 7))
def test_each_event_but_a_users_first_is_foreseen_once(
    rows: list[tuple[str, str, float]], length: int
) -> None:
    coded = encoded(*rows)
    windows = training_windows(coded, length)
    items, times = windows["items"], windows["times"]
    assert items.shape == times.shape == (len(windows["row"]), length + 1)
    usable = (items[:, :-1] > 0) & (items[:, 1:] > 0)
    assert int(usable.sum()) == len(coded.items) - len(coded.users.unique())
    assert (times.diff(dim=1) >= 0).all()
    padded = (items == 0).long()
    assert (padded.diff(dim=1) <= 0).all()
    assert (windows["event_weight"][items == 0] == 0).all()


@settings(max_examples=60, deadline=None)
@given(rows=logs, since=st.integers(0, 12).map(float))
def test_cases_see_strictly_earlier_events_of_their_user_and_nothing_else(
    rows: list[tuple[str, str, float]], since: float
) -> None:
    coded = encoded(*rows)
    cases, _ = moment_cases(coded, since)
    spans = zip(*(cases[name].tolist() for name in ("start", "end", "stop", "group")), strict=True)
    found = 0
    for start, end, stop, group in spans:
        moment = coded.times[end]
        assert moment >= since and start < end < stop
        assert (coded.users[start:stop] == group).all()
        assert (coded.times[start:end] < moment).all()
        assert (coded.times[end:stop] == moment).all()
        assert start == 0 or coded.users[start - 1] != group
        found += int(coded.goal[end:stop].sum())
        assert coded.goal[end:stop].any()
    first = torch.cat([torch.ones(1).bool(), coded.users[1:] != coded.users[:-1]])
    first_times = {
        int(u): float(t) for u, t in zip(coded.users[first], coded.times[first], strict=True)
    }
    expected = sum(
        bool(goal) and float(time) >= since and float(time) > first_times[int(user)]
        for user, time, goal in zip(coded.users, coded.times, coded.goal, strict=True)
    )
    assert found == expected


def test_moments_without_history_or_news_are_counted_in_words() -> None:
    coded = encoded(("a", "x", 1.0), ("a", "x", 5.0), ("b", "y", 6.0), ("b", "x", 7.0))
    cases, notes = moment_cases(coded, 4.0)
    assert len(cases["end"]) == 1
    assert len(notes) == 2 and notes[0].startswith("1 ") and notes[1].startswith("1 ")


def test_following_cases_look_for_all_that_came_after_the_cut() -> None:
    coded = encoded(("a", "x", 1.0), ("a", "y", 5.0), ("a", "z", 6.0), ("b", "y", 6.0))
    cases = following_cases(coded, 4.0)
    assert [cases[name].tolist() for name in ("start", "end", "stop")] == [[0], [1], [3]]


def test_latest_cases_hold_every_user_even_one_without_a_known_item() -> None:
    log = EventLog.of(frame(("a", "x", 1.0), ("b", "new", 2.0), ("c", "x", 2.0), ("c", "y", 3.0)))
    known = EventLog.of(frame(("a", "x", 1.0), ("c", "y", 3.0)))
    cases = latest_cases(EventEncoder.fit(known).encode(log))
    assert cases["group"].tolist() == [0, 1, 2]
    assert (cases["end"] - cases["start"]).tolist() == [1, 0, 2]


def test_a_log_of_single_visits_has_nothing_to_learn_from() -> None:
    with pytest.raises(DataError, match="no user has two events"):
        training_windows(encoded(("a", "x", 1.0), ("b", "y", 2.0)), 5)
