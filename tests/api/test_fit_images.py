"""Photos from start to end: found, looked at once, learned, measured, and started from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import treadle
from tests import small
from tests.conftest import Finished
from treadle.errors import UserError


def fit(data: Path, cache: Path, out: Path, **options: Any) -> treadle.Run:
    return treadle.fit(data, cache=cache, out=out, **{"until": "2 epochs", "threads": 1, **options})


def said(run: treadle.Run, topic: str) -> str:
    return " ".join(line["sentence"] for line in run.journal if line["topic"] == topic)


def test_colours_are_told_apart_far_better_than_by_guessing(photo_run: Finished) -> None:
    result = photo_run.run.result
    assert (result["kind"], result["task"]) == ("images", "classes")
    assert sum(result["rows"].values()) == 42
    assert result["metric"]["test"] > result["baseline"]["test"] + 0.3
    assert result["metric"]["low"] <= result["metric"]["test"] <= result["metric"]["high"]


def test_the_journal_says_what_was_found_and_looked_at(photo_run: Finished) -> None:
    assert "42 photos of 3 kinds: blue 14, green 14, red 14" in said(photo_run.run, "data")
    assert "42 took" in said(photo_run.run, "features")
    assert (photo_run.path / "report.html").exists()


def test_photos_seen_before_are_taken_from_the_cache(photo_run: Finished, tmp_path: Path) -> None:
    run = fit(photo_run.data / "photos", photo_run.data / "cache", tmp_path / "run")
    assert "42 were known from before" in said(run, "features")


def test_a_run_starts_from_an_earlier_one_and_says_what_that_saved(
    photo_run: Finished, tmp_path: Path
) -> None:
    photos, cache = photo_run.data / "photos", photo_run.data / "cache"
    run = fit(photos, cache, tmp_path / "run", start_from=photo_run.path, seed=1)
    assert "were learned already" in said(run, "transfer")


def test_equal_photos_under_two_names_stay_in_one_part(photo_run: Finished, tmp_path: Path) -> None:
    photos = small.photos(tmp_path / "photos")
    for name in ("red", "green", "blue"):
        for path in sorted((photos / name).iterdir())[:7]:
            path.with_name(f"copy-{path.name}").write_bytes(path.read_bytes())
    run = fit(photos, photo_run.data / "cache", tmp_path / "run")
    assert sum(run.result["rows"].values()) == 63
    assert "21" in said(run, "data") + said(run, "split")


def test_a_list_of_paths_and_labels_will_do(photo_run: Finished, tmp_path: Path) -> None:
    photos = photo_run.data / "photos"
    rows = [f"{path},{path.parent.name}" for path in sorted(photos.rglob("*.png"))]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label", *rows]))
    given = tmp_path / "labels.csv"
    run = fit(given, photo_run.data / "cache", tmp_path / "run", photos=photos)
    assert run.result["kind"] == "images" and sum(run.result["rows"].values()) == 42


def test_a_broken_photo_is_left_out_and_said(photo_run: Finished, tmp_path: Path) -> None:
    photos = small.photos(tmp_path / "photos", each=33)
    (photos / "red" / "broken.png").write_bytes(b"\x89PNG nothing behind")
    run = fit(photos, photo_run.data / "cache", tmp_path / "run")
    assert sum(run.result["rows"].values()) == 99
    assert "broken.png" in " ".join(line["sentence"] for line in run.journal)


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photos" / "red").mkdir(parents=True)
    (tmp_path / "photos" / "red" / "notes.txt").write_text("nothing here yet")
    with pytest.raises(UserError, match=r"neither photos nor tables.*\.txt"):
        treadle.fit(tmp_path / "photos", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_one_class_and_a_table_in_memory_are_refused(tmp_path: Path) -> None:
    photos = small.photos(tmp_path / "photos", each=3)
    with pytest.raises(UserError, match="one sub-folder a class"):
        treadle.fit(photos / "red", kind="images", out=tmp_path / "run")
    (tmp_path / "one").mkdir()
    (photos / "red").rename(tmp_path / "one" / "red")
    with pytest.raises(UserError, match="only one class"):
        treadle.fit(tmp_path / "one", out=tmp_path / "run")
    with pytest.raises(UserError, match="in memory"):
        treadle.fit(small.customers(), kind="images", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_last_block_can_be_trained_along(photo_run: Finished, tmp_path: Path) -> None:
    photos, cache = photo_run.data / "photos", photo_run.data / "cache"
    run = fit(photos, cache, tmp_path / "run", unfreeze=1)
    assert set(run.result["members"]) == {"head", "unfrozen"}
    assert run.predict(photos / "red")["prediction"].null_count() == 0
