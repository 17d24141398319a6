"""The demo's data: what is known beforehand, with the weather of the hour."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from examples import flights


def a_flight(hour: str, arrival_delay: int | None, origin: str = "JFK") -> dict[str, object]:
    seen_later = dict.fromkeys(flights.KNOWN_AFTERWARDS, 1)
    known = {"year": 2013, "month": 1, "day": 1, "hour": 5, "origin": origin, "time_hour": hour}
    return known | seen_later | {"arr_delay": arrival_delay}


def test_join_keeps_arrived_flights_in_order_with_their_hours_weather() -> None:
    table = pl.DataFrame(
        [a_flight("B", 16), a_flight("A", 15), a_flight("A", None), a_flight("A", 0, "LGA")]
    )
    hours = {"year": 2013, "month": 1, "day": 1, "hour": 5, "origin": "JFK"}
    weather = pl.DataFrame(
        [hours | {"time_hour": h, "temp": t} for h, t in (("A", 1.5), ("B", 2.5))]
    )
    joined = flights.join(table, weather)
    assert joined["late"].to_list() == [0, 0, 1]
    assert joined["temp"].to_list() == [1.5, None, 2.5]
    assert set(joined.columns) == {"month", "day", "hour", "origin", "time_hour", "late", "temp"}


def test_data_that_is_there_already_is_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flights, "download", pytest.fail)
    path = tmp_path / "flights.csv"
    path.write_text("here")
    flights.main(path)
    assert path.read_text() == "here"
