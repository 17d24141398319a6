"""Logs as shops really keep them: out of order, repeated, from the future, half empty."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import treadle
from tests import small
from tests.conftest import Finished
from treadle.api.predict import predict
from treadle.data import events
from treadle.data.events import EventEncoder, EventLog
from treadle.errors import DataError, OptionError
from treadle.serve.event_predictor import EventPredictor
from treadle.serve.predictor import load_predictor

NOW = 1_700_000_000.0


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events.time, "time", lambda: NOW)


def log(*rows: tuple[str | None, str | None, float | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["user", "item", "time"], orient="row")


PLAIN = (("ann", "tea", 1.6e9), ("ann", "milk", 1.6e9 + 60), ("bob", "tea", 1.6e9 + 90))


def said(frame: pl.DataFrame) -> str:
    return " ".join(EventLog.of(frame).notes)


def changed(frame: pl.DataFrame, user: str, column: str, value: object) -> pl.DataFrame:
    """Return a log in which a column of one user's rows holds another value."""
    other = pl.lit(value, dtype=frame.schema[column])
    kept = pl.when(pl.col("user") == user).then(other).otherwise(pl.col(column))
    return frame.with_columns(kept.alias(column))


class TestReading:
    def test_rows_out_of_order_are_put_in_order_and_said(self) -> None:
        tidy, mixed = EventLog.of(log(*PLAIN)), EventLog.of(log(*PLAIN[::-1]))
        assert mixed.frame.equals(tidy.frame)
        assert "1 of 3 rows stand behind a later one of the same user" in " ".join(mixed.notes)
        assert "stand behind" not in " ".join(tidy.notes)

    def test_repeated_rows_count_once_and_are_said(self) -> None:
        found = EventLog.of(log(*PLAIN, *PLAIN[:2]))
        assert found.frame.height == 3
        assert "2 of 5 rows repeat another one" in " ".join(found.notes)

    def test_events_from_the_future_are_kept_and_questioned(self) -> None:
        found = EventLog.of(log(*PLAIN, ("bob", "jam", NOW + 3 * 86_400)))
        assert found.frame.height == 4
        assert "1 event is dated later than today, the last 2023-11-17" in " ".join(found.notes)
        assert "later than today" not in said(log(*PLAIN, ("bob", "jam", NOW + 3_600)))

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_rows_without_user_item_or_time_are_left_out_and_counted(self, place: int) -> None:
        whole = ("cy", "jam", 1.6e9 + 99)
        empty = tuple(None if at == place else cell for at, cell in enumerate(whole))
        found = EventLog.of(log(*PLAIN, empty))
        assert found.frame.height == 3
        name = ("user", "item", "time")[place]
        assert f"1 of 4 rows have no '{name}' and are left out" in " ".join(found.notes)

    def test_identifiers_that_are_not_a_number_are_missing_ones(self) -> None:
        frame = pl.DataFrame(
            {"user": [1.0, 1.0, 2.0, float("nan")], "item": ["a", "b", "a", "b"], "time": range(4)}
        )
        found = EventLog.of(frame)
        assert set(found.frame["user"]) == {"1", "2"}
        assert "1 of 4 rows have no 'user'" in " ".join(found.notes)

    def test_blank_identifiers_are_missing_ones(self) -> None:
        assert "1 of 4 rows have no 'item'" in said(log(*PLAIN, ("bob", "  ", 1.6e9)))


class TestTimes:
    @pytest.mark.parametrize("bad", ["yesterday", "2025-13-45", "12:99"])
    def test_cells_that_are_no_times_are_refused_with_their_rows(self, bad: str) -> None:
        frame = log(*PLAIN).with_columns(time=pl.Series(["2025-01-01", bad, "2025-01-03"]))
        with pytest.raises(DataError, match="row 2") as error:
            EventLog.of(frame)
        assert bad in error.value.message and "--time" in error.value.hint

    @pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
    def test_numbers_that_are_none_are_no_times(self, bad: float) -> None:
        with pytest.raises(DataError, match="row 4"):
            EventLog.of(log(*PLAIN, ("bob", "jam", bad)))

    @pytest.mark.parametrize("bad", [1.6e12, 1e300, -1e18, 1.6e18])
    def test_one_time_in_another_unit_moves_no_other(self, bad: float) -> None:
        """Read by the largest, the others would all have been in January 1970."""
        with pytest.raises(DataError, match="1 of 4 cells of the time column 'time'") as error:
            EventLog.of(log(*PLAIN, ("bob", "jam", bad)))
        assert "row 4" in error.value.message

    def test_a_log_all_in_milliseconds_is_read_as_such(self) -> None:
        frame = log(*PLAIN).with_columns(time=(pl.col("time") * 1_000).cast(pl.Int64))
        assert EventLog.of(frame).frame.equals(EventLog.of(log(*PLAIN)).frame)
        assert "read as milliseconds" in said(frame)


def test_what_was_noticed_in_a_fit_is_in_the_journal_and_the_report_once(tmp_path: Path) -> None:
    frame = small.purchases()
    odd = [("u1", None, 1_600_000_000), ("u2", "i3", int(NOW) + 10**6), ("u3", "i1", 1_599_000_000)]
    more = pl.DataFrame(odd, schema=frame.schema, orient="row")
    path = tmp_path / "log.csv"
    pl.concat([frame, frame.head(5), more]).write_csv(path)
    run = treadle.fit(path, until="1 epoch", threads=1, engine="eager", out=tmp_path / "run")
    told = [line["sentence"] for line in run.journal]
    page = (run.path / "report.html").read_text(encoding="utf-8").replace("&#39;", "'")
    for words in (
        "repeat another one",
        "have no 'item' and are left out",
        "stand behind a later one of the same user",
        "dated later than today",
    ):
        assert sum(words in sentence for sentence in told) == 1, words
        assert words in page, words


def test_items_that_came_up_only_in_the_test_are_said(tmp_path: Path) -> None:
    frame = small.purchases()
    late = frame.tail(12).with_columns(item=pl.lit("brand new"), time=pl.col("time") + 10**6)
    pl.concat([frame, late]).write_csv(tmp_path / "log.csv")
    found = treadle.check(tmp_path / "log.csv")
    words = "12 events of the test are of 1 item that came up only then"
    assert sum(words in sentence for sentence in found["sentences"]) == 1


class TestPredicting:
    @pytest.fixture
    def predictor(self, event_run: Finished) -> EventPredictor:
        found = load_predictor(event_run.path / "model")
        assert isinstance(found, EventPredictor)
        return found

    def test_order_and_repetition_change_no_suggestion(
        self, predictor: EventPredictor, event_run: Finished
    ) -> None:
        rows = event_run.tested.head(60)
        expected = predictor.predict(rows)
        assert predictor.predict(rows.reverse()).equals(expected)
        assert predictor.predict(pl.concat([rows, rows.head(20)])).equals(expected)

    def test_items_unknown_to_the_model_are_passed_over_and_said(
        self, predictor: EventPredictor, event_run: Finished
    ) -> None:
        rows = event_run.tested.head(60)
        user = rows["user"][0]
        found, notes = predictor.answer(changed(rows, user, "item", "unheard of"))
        own = found.filter(pl.col("user") == user)
        assert own.height == 10
        assert own["problem"].unique().to_list() == [
            "nothing this user did is known to the model: these are popular now"
        ]
        assert any("such as 'unheard of': they are passed over" in note for note in notes)
        others = found.filter(pl.col("user") != user).drop("problem")
        assert others.equals(predictor.predict(rows).filter(pl.col("user") != user))

    def test_users_unknown_to_the_model_are_answered_by_what_they_did(
        self, predictor: EventPredictor, event_run: Finished
    ) -> None:
        rows = event_run.tested.filter(pl.col("user") == event_run.tested["user"][0])
        known = predictor.predict(rows)
        found = predictor.predict(rows.with_columns(user=pl.lit("never seen")))
        assert found.drop("user").equals(known.drop("user"))

    @pytest.mark.parametrize("column", ["item", "time"])
    def test_a_user_of_whom_no_row_is_whole_is_there_with_a_problem(
        self, predictor: EventPredictor, event_run: Finished, column: str
    ) -> None:
        rows = event_run.tested.head(60)
        user = rows["user"][0]
        found, notes = predictor.answer(changed(rows, user, column, None))
        own = found.filter(pl.col("user") == user).row(0, named=True)
        assert own["item"] is None and own["score"] is None
        assert own["problem"] == "no row of this user has both an item and a time"
        assert any(f"have no '{column}'" in note for note in notes)

    def test_rows_without_a_user_are_said(
        self, predictor: EventPredictor, event_run: Finished
    ) -> None:
        rows = event_run.tested.head(60)
        found, notes = predictor.answer(changed(rows, rows["user"][0], "user", None))
        assert rows["user"][0] not in found["user"]
        assert any("have no 'user' and are left out" in note for note in notes)

    @pytest.mark.parametrize("column", ["user", "item", "time"])
    def test_a_log_that_lacks_a_column_is_refused(
        self, predictor: EventPredictor, event_run: Finished, column: str
    ) -> None:
        with pytest.raises(DataError, match=f"there is no column '{column}'"):
            predictor.predict(event_run.tested.drop(column))

    def test_a_run_gives_as_many_suggestions_as_are_asked_for(self, event_run: Finished) -> None:
        rows = event_run.tested.head(60)
        run = treadle.load(event_run.path)
        assert run.predict(rows, top=3)["rank"].max() == 3
        assert run.predict(rows)["rank"].max() == 10
        with pytest.raises(OptionError, match="0 suggestions were asked for"):
            run.predict(rows, top=0)

    def test_a_log_without_rows_is_refused(
        self, predictor: EventPredictor, event_run: Finished
    ) -> None:
        with pytest.raises(DataError, match="no rows that name a user"):
            predictor.predict(event_run.tested.head(0))
        nobody = event_run.tested.with_columns(user=pl.lit(None, dtype=pl.String))
        with pytest.raises(DataError, match="no rows that name a user"):
            predictor.predict(nobody)

    def test_the_command_counts_problems_and_passes_notes_on(
        self, event_run: Finished, tmp_path: Path
    ) -> None:
        rows = event_run.tested.head(60)
        data = tmp_path / "new.csv"
        changed(rows, rows["user"][0], "item", "unheard of").write_csv(data)
        _, summary = predict(event_run.path, [str(data)], out=tmp_path / "out.csv")
        assert summary["problems"] == 10
        assert any("passed over" in note for note in summary["notes"])


def test_an_encoder_made_of_a_log_knows_its_items_alone() -> None:
    assert EventEncoder.fit(EventLog.of(log(*PLAIN))).items == ("milk", "tea")


def checked(frame: pl.DataFrame, tmp_path: Path) -> str:
    frame.write_csv(tmp_path / "log.csv")
    return " ".join(treadle.check(tmp_path / "log.csv")["sentences"])


def test_columns_that_are_not_learned_from_are_said_and_a_low_rating_counts(tmp_path: Path) -> None:
    rated = small.purchases().with_columns(rating=pl.lit(2), row_nr=pl.lit(1))
    told = checked(rated, tmp_path)
    assert "Not learned from: 'rating'. Who, what and when is all that counts." in told
    assert "an item with a low 'rating' counts as taken like any other" in told
    assert "Not learned from" not in checked(small.purchases(), tmp_path)


def test_items_are_counted_once_and_for_all(tmp_path: Path) -> None:
    frame = small.purchases()
    late = frame.tail(12).with_columns(item=pl.lit("brand new"), time=pl.col("time") + 10**6)
    assert "of 120 users and 31 items" in checked(pl.concat([frame, late]), tmp_path)


def test_a_log_in_which_all_comes_again_is_refused_by_what_it_lacks(tmp_path: Path) -> None:
    """Every user has had every item long before the test: nothing new is left to be foreseen."""
    rows = [
        (f"u{user}", f"i{(round_ + user) % 3}", 1_600_000_000 + 86_400 * round_ + user)
        for round_ in range(40)
        for user in range(20)
    ]
    frame = pl.DataFrame(rows, schema=["user", "item", "time"], orient="row")
    frame.write_csv(tmp_path / "log.csv")
    with pytest.raises(DataError) as error:
        treadle.check(tmp_path / "log.csv")
    assert "the test part holds only 0 moments" in str(error.value)
    assert "items that the user had taken before" in str(error.value)


def test_a_deep_look_at_a_log_says_that_it_finds_no_more(tmp_path: Path) -> None:
    small.purchases().write_csv(tmp_path / "log.csv")
    told = treadle.check(tmp_path / "log.csv", deep=True)["sentences"]
    assert told[-1] == "Of a log of events this is all: --deep finds no more there."
