"""What photos earned: their head is trained with them and without."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import treadle
from tests.conftest import Finished
from treadle.api import image_data, worth_of
from treadle.errors import OptionError


@pytest.fixture
def run(photo_run: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the run, with the features that it has seen."""
    shutil.copytree(photo_run.path, tmp_path / "run")
    monkeypatch.setattr(image_data, "CACHE", photo_run.data / "cache")
    monkeypatch.setattr(worth_of, "FEWEST_ROWS", 3)
    return tmp_path / "run"


def test_photos_are_named_by_a_pattern_of_their_paths(run: Path) -> None:
    record = treadle.worth_of(run, without=["*/0[0-2]*", "red/00.png"], seeds=2)
    names = {entry["thing"] for entry in record["things"]}
    assert names == {"*/0[0-2]* (9 photos)", "red/00.png (1 photo)"}
    assert record["model"] == "head" and "photos took turns" in " ".join(record["sentences"])
    assert len(list(run.glob("worth-of/*/seed-*/*/judged.safetensors"))) == 6


@pytest.mark.parametrize(
    ("without", "words"), [("pink/*", "no photo to learn from"), ("red", "no 'red' would be left")]
)
def test_what_cannot_be_priced_is_refused_in_words(run: Path, without: str, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        treadle.worth_of(run, without=without, seeds=2)


def test_what_is_for_tables_is_refused(run: Path) -> None:
    with pytest.raises(OptionError, match="--each is for tables"):
        treadle.worth_of(run, each="label")


def test_corrected_photos_are_found_by_their_paths(run: Path, tmp_path: Path) -> None:
    listed = "photo,given,corrected\nred/03.png,red,green\nblue/04.png,blue,red\n"
    (tmp_path / "fixed.csv").write_text(listed)
    record = treadle.worth_of(run, corrections=str(tmp_path / "fixed.csv"), seeds=2)
    (entry,) = record["things"]
    assert entry["adds"] and entry["thing"] == "the 2 corrected answers of fixed.csv"
