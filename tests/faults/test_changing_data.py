"""Files that change while they are read, or while training goes on: named, never half believed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import treadle
from tests import small
from tests.safety import workbooks
from treadle.api import fit_events, fit_images, fit_table, image_result
from treadle.api.machine import files_of
from treadle.errors import DataError, RunError
from treadle.folder import RunFolder

OPTIONS: dict[str, Any] = {"target": "left", "model": "trees", "threads": 1, "until": "2 epochs"}
NAMES = ("data", "validation", "test")


def write(frame: pl.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        frame.write_csv(path)
    else:
        frame.write_parquet(path)
    return path


def before(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, change: Callable[[], object]
) -> None:
    """Let the data change before a function of a fit is called."""
    real = getattr(module, name)

    def changed(*arguments: Any, **named: Any) -> Any:
        change()
        return real(*arguments, **named)

    monkeypatch.setattr(module, name, changed)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("of", NAMES)
def test_a_table_that_changes_between_reading_and_hashing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, of: str
) -> None:
    files = {
        name: write(small.customers(seed=number), tmp_path / f"{name}.{ending}")
        for number, name in enumerate(NAMES)
    }
    other = small.customers(seed=9)
    before(monkeypatch, fit_table, "fingerprint", lambda: write(other, files[of]))
    with pytest.raises(DataError, match="changed while being read") as raised:
        treadle.fit(
            files["data"],
            validation=files["validation"],
            test=files["test"],
            out=tmp_path / "run",
            **OPTIONS,
        )
    assert [name for name in NAMES if str(files[name]) in raised.value.message] == [of]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("how", ["in place", "another file of the same size and time", "gone"])
def test_however_a_file_changes_it_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    path = write(small.customers(), tmp_path / "customers.csv")
    text, was = path.read_text(), path.stat()

    def change() -> None:
        if how == "gone":
            path.unlink()
        elif how == "in place":
            path.write_text(text.replace("yes", "noo", 1))
        else:
            aside = tmp_path / "aside"
            aside.write_text(text.replace("yes", "noo", 1))
            os.utime(aside, ns=(was.st_atime_ns, was.st_mtime_ns))
            aside.replace(path)

    before(monkeypatch, fit_table, "fingerprint", change)
    with pytest.raises(DataError, match=r"customers\.csv was changed while being read"):
        treadle.fit(path, out=tmp_path / "run", **OPTIONS)


def test_a_workbook_cut_short_in_the_middle_of_reading_is_said_to_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not to be broken, as reading it would have it."""
    path = workbooks.write(tmp_path / "customers.xlsx")
    before(monkeypatch, fit_table, "read_table", lambda: path.write_bytes(path.read_bytes()[:200]))
    with pytest.raises(DataError, match=r"customers\.xlsx was changed while being read"):
        treadle.fit(path, kind="table", out=tmp_path / "run", **OPTIONS | {"target": "a"})


def test_a_log_of_events_that_changes_while_it_is_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(small.purchases(), tmp_path / "purchases.csv")
    other = small.purchases(seed=9)
    before(monkeypatch, fit_events, "fingerprint", lambda: write(other, path))
    with pytest.raises(DataError, match=r"purchases\.csv was changed while being read"):
        treadle.fit(path, until="1 epoch", threads=1, out=tmp_path / "run")


def test_files_beside_a_table_in_memory_are_a_part_of_what_a_resume_compares(
    tmp_path: Path,
) -> None:
    held_out = write(small.customers(seed=2), tmp_path / "test.csv")
    options = OPTIONS | {"test": held_out, "out": tmp_path / "run"}
    treadle.fit(small.customers(), **options)
    (tmp_path / "run/result.json").unlink()
    write(small.customers(seed=3), held_out)
    with pytest.raises(RunError, match=r"the file test\.csv has changed"):
        treadle.fit(small.customers(), resume=True, **options)


def test_what_a_pattern_or_a_home_stands_for_is_read_and_hashed_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from treadle.data.read import read_tables

    monkeypatch.setenv("HOME", str(tmp_path))
    for year in ("2023", "2024"):
        (tmp_path / year / "deep").mkdir(parents=True)
        write(small.customers(), tmp_path / year / "deep" / "part.csv")
    for given in ("~/2023/deep/part.csv", f"{tmp_path}/*/deep/part.csv", f"{tmp_path}/**/*.csv"):
        assert files_of([given]) == [path for path, _ in read_tables([given]).files], given
        assert files_of([given]) != []


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return small.photos(tmp_path / "photos", each=40)


def fit_photos(tmp_path: Path) -> treadle.Run:
    return treadle.fit(
        tmp_path / "photos",
        until="2 epochs",
        threads=1,
        engine="eager",
        cache=tmp_path / "cache",
        out=tmp_path / "run",
    )


def test_a_photo_that_changes_after_it_was_found_is_left_out_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photos: Path
) -> None:
    other = (photos / "red/01.png").read_bytes()
    target = photos / "red/00.png"
    before(monkeypatch, fit_images, "features_of", lambda: target.write_bytes(other))
    run = fit_photos(tmp_path)
    sentences = " ".join(line["sentence"] for line in run.journal)
    assert "red/00.png: the file was changed while it was being used" in sentences


def test_photos_that_are_gone_are_more_than_one_in_a_hundred_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photos: Path
) -> None:
    def take_away() -> None:
        for number in range(3):
            (photos / f"green/{number:02}.png").unlink()

    before(monkeypatch, fit_images, "features_of", take_away)
    with pytest.raises(DataError, match=r"3 of 120 photos cannot be read") as raised:
        fit_photos(tmp_path)
    assert "green/00.png: there is no such file" in raised.value.message


def test_a_photo_gone_by_the_end_costs_its_picture_in_the_report_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photos: Path
) -> None:
    """The network saw it; only the report would have shown it again."""
    tested: list[str] = []

    def spoil(data: Any, truth: Any, predicted: Any, chosen: Any) -> list[dict[str, Any]]:
        rows = data.rows("test")
        tested.extend(data.frame["path"][int(row)] for row in rows[:2])
        (photos / tested[0]).unlink()
        (photos / tested[1]).write_bytes((photos / "blue/00.png").read_bytes() + b" ")
        return real(data, (chosen + 1) % 3, predicted, chosen)  # all are taken for another kind

    real = image_result.wrong_photos
    monkeypatch.setattr(image_result, "SHOWN_PHOTOS", 100)
    monkeypatch.setattr(image_result, "wrong_photos", spoil)
    run = fit_photos(tmp_path)
    gone = [line["sentence"] for line in run.journal if "gone since" in line["sentence"]]
    assert len(gone) == 1 and all(name in gone[0] for name in tested)
    assert RunFolder(tmp_path / "run").result is not None
    assert (tmp_path / "run/report.html").exists()
