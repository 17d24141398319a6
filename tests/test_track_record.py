"""The track record: appended by many, read whatever it holds, and what it makes of bands."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from treadle import track_record
from treadle.track_record import FILE, NARROWEST, WIDEST, Kept, factor, folder, keep, read, sentence


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREADLE_DATA", str(tmp_path))


def a_line(run: str = "a", *, held: bool = True, rows: int = 5_000, **more: object) -> dict:  # type: ignore[type-arg]
    line = {"run": run, "at_step": 10, "for_step": 20, "metric": "loss", "held": held}
    return line | {"rows": rows, "width": 1.0, "too_hopeful": not held} | more


def some(held: int, missed: int, *, rows: int = 5_000, hopeful: bool = True) -> list[Kept]:
    kept = [
        Kept(of=str(i), held=True, too_hopeful=False, rows=rows, width=1.0) for i in range(held)
    ]
    return kept + [
        Kept(of=f"-{i}", held=False, too_hopeful=hopeful, rows=rows, width=1.0)
        for i in range(missed)
    ]


def _write(number: int) -> None:
    for i in range(50):
        keep(a_line(f"{number} {i}" + "x" * 300))


def test_what_is_kept_is_read_again_in_order() -> None:
    for name in "abc":
        keep(a_line(name, held=name != "b"))
    assert [kept.held for kept in read()] == [True, False, True]
    assert folder().joinpath(FILE).stat().st_mode & 0o777 == 0o600


def test_several_processes_append_whole_lines() -> None:
    processes = [multiprocessing.Process(target=_write, args=(n,)) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    lines = [x for x in folder().joinpath(FILE).read_text().splitlines() if x]
    assert len(lines) == 150
    assert len({json.loads(line)["run"] for line in lines}) == 150


def test_a_forecast_that_a_resumed_run_checks_again_counts_once() -> None:
    keep(a_line("a", held=False))
    keep(a_line("a", held=True))
    (kept,) = read()
    assert kept.held


def test_lines_that_are_torn_or_strange_are_passed_over() -> None:
    keep(a_line("a"))
    with folder().joinpath(FILE).open("a") as file:
        file.write('{"run": "torn", "held": tr')
    keep(a_line("b"))
    keep({"held": "yes", "width": 1.0, "rows": 5})
    keep(a_line("c", width=0.0))
    keep(a_line("d", rows=None))
    assert len(read()) == 2


def test_only_the_newest_count() -> None:
    for number in range(track_record.NEWEST + 30):
        keep(a_line(str(number)))
    newest = read()
    assert len(newest) == track_record.NEWEST
    assert newest[-1].of.startswith(f"{track_record.NEWEST + 29} ")


def test_a_place_that_cannot_be_written_to_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TREADLE_DATA", str(tmp_path / "file" / "below"))
    keep(a_line())
    assert read() == []


def test_the_folder_is_the_user_s_own_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TREADLE_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", "/somewhere")
    assert folder() == Path("/somewhere/treadle")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert folder() == Path.home() / ".local/share/treadle"


def test_bands_that_missed_too_often_are_made_wider_and_too_sure_ones_narrower() -> None:
    assert factor([]) == 1
    assert factor(some(80, 20)) == pytest.approx(1, abs=0.02)
    assert 1.2 < factor(some(50, 50)) <= WIDEST
    assert NARROWEST <= factor(some(100, 0)) < 0.85
    assert factor(some(1, 200)) == WIDEST


def test_a_few_forecasts_move_the_bands_a_little() -> None:
    assert 1 < factor(some(2, 2)) < 1.2


def test_a_factor_that_served_well_is_kept() -> None:
    wide = [Kept(of=k.of, held=k.held, too_hopeful=False, rows=1, width=1.4) for k in some(160, 40)]
    assert factor(wide) == pytest.approx(1.4, abs=0.06)


def test_the_record_is_told_in_words_with_where_it_leans() -> None:
    assert sentence([]) == ""
    record = some(31, 7, rows=100)
    assert sentence(record).startswith("31 of the last 38 forecasts here came true")
    assert "too hopeful on small data" not in sentence(record[:35])
    assert "too hopeful on small data" in sentence(some(20, 18, rows=100))
    assert "not hopeful enough on larger data" in sentence(some(20, 18, hopeful=False))
