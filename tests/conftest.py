"""Runs that several houses' tests look at: each is trained once a session, and never changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

import treadle
from tests import small


@pytest.fixture(scope="session", autouse=True)
def _own_track_record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what tests forecast out of the record of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TREADLE_DATA", str(tmp_path_factory.mktemp("record")))
        yield


@dataclass(frozen=True)
class Finished:
    """A finished run, the folder that its data lies in, and the rows it was tested on."""

    path: Path
    data: Path
    tested: pl.DataFrame

    @property
    def run(self) -> treadle.Run:
        return treadle.load(self.path)


@pytest.fixture(scope="session")
def table_run(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Both members on a table, with test rows of our own."""
    place = tmp_path_factory.mktemp("table")
    frame = small.customers()
    frame[:180].write_csv(place / "customers.csv")
    frame[180:].write_csv(place / "test.csv")
    treadle.fit(
        place / "customers.csv",
        target="left",
        test=place / "test.csv",
        until="2 epochs",
        threads=1,
        out=place / "run",
    )
    return Finished(place / "run", place, frame[180:])


@pytest.fixture(scope="session")
def photo_run(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    place = tmp_path_factory.mktemp("photos")
    treadle.fit(
        small.photos(place / "photos"),
        until="6 epochs",
        threads=1,
        cache=place / "cache",
        out=place / "run",
    )
    return Finished(place / "run", place, pl.DataFrame())


@pytest.fixture(scope="session")
def event_run(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    place = tmp_path_factory.mktemp("events")
    frame = small.purchases()
    frame.write_csv(place / "purchases.csv")
    treadle.fit(place / "purchases.csv", until="2 epochs", threads=1, out=place / "run")
    return Finished(place / "run", place, frame)
