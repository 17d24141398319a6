"""Reasons beside the answers about photos: where, in words, and framed in the photo."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import treadle
from tests.conftest import Finished
from treadle.api.predict import predict
from treadle.errors import OptionError
from treadle.serve.photo_reasons import Place, marked, picture_name
from treadle.serve.predictor import load_predictor

WHERE = r"(upper|middle|lower)( (left|middle|right))?"
SAID = re.compile(
    rf"^{WHERE}: (raises|lowers) the chance of '\w+' by (less than )?[\d.e-]+ in 100$"
)


@pytest.fixture(scope="module")
def spotted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run that tells plain squares from such with a bright spot in the upper left."""
    place = tmp_path_factory.mktemp("spots")
    random = np.random.default_rng(0)
    for name in ("plain", "spot"):
        (place / "photos" / name).mkdir(parents=True)
        for number in range(30):
            pixels = random.normal(90, 8, (160, 160, 3))
            if name == "spot":
                pixels[8:32, 8:32] += random.normal(120, 40, (24, 24, 1))
            image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            image.save(place / "photos" / name / f"{number:02}.png")
    treadle.fit(
        place / "photos",
        positive="spot",
        until="12 epochs",
        threads=1,
        cache=place / "cache",
        out=place / "run",
    )
    return place


def test_the_place_that_decides_is_the_first_reason(spotted: Path) -> None:
    found = treadle.load(spotted / "run").predict(spotted / "photos" / "spot", reasons=2)
    first = found["reason_1"].str.starts_with("upper left: raises the chance of 'spot'")
    assert first.mean() >= 0.9
    assert all(SAID.match(told) for told in found["reason_1"])
    places = found.select(pl.col("reason_1", "reason_2").str.split(":").list.first()).rows()
    assert all(one != other for one, other in places)


def test_reasons_stand_behind_the_probabilities_and_change_nothing_else(
    photo_run: Finished, tmp_path: Path
) -> None:
    names = ["reason_1", "reason_2"]
    photos = photo_run.data / "photos" / "red"
    (tmp_path / "broken.png").write_bytes(b"no picture")
    given = [*sorted(photos.iterdir())[:3], tmp_path / "broken.png"]
    plain = photo_run.run.predict(given)
    told = photo_run.run.predict(given, reasons=2)
    assert told.columns == [*plain.columns[:-1], *names, "problem"]
    assert told.drop(names).equals(plain)
    assert told["reason_1"].is_null().to_list() == [False, False, False, True]


def test_photos_are_written_with_their_places_framed(spotted: Path, tmp_path: Path) -> None:
    photos, folder = spotted / "photos" / "spot", tmp_path / "pictures"
    out = tmp_path / "answers.csv"
    _, summary = predict(
        spotted / "run", [str(photos)], out=out, reasons=1, reasons_photos=str(folder)
    )
    assert "left out" in summary["reasons"]["method"]
    names = sorted(file.name for file in folder.iterdir())
    assert names == [f"{n + 1:05d}-{n:02}.jpg" for n in range(30)]
    assert pl.read_csv(out)["reason_1"].null_count() == 0
    before = np.asarray(Image.open(photos / "00.png").convert("RGB")).astype(int)
    after = np.asarray(Image.open(folder / names[0])).astype(int)
    changed = np.abs(after - before).max(axis=2) > 90
    assert changed[:42, :42].any() and not changed[60:, 60:].any()


def test_pictures_without_reasons_or_of_a_table_are_refused(
    photo_run: Finished, table_run: Finished
) -> None:
    with pytest.raises(OptionError, match="--reasons names") as raised:
        predict(photo_run.path, [str(photo_run.data / "photos")], reasons_photos="seen")
    assert "--reasons 1" in str(raised.value.hint)
    rows = str(table_run.data / "test.csv")
    with pytest.raises(OptionError, match="not for photos"):
        predict(table_run.path, [rows], reasons=1, reasons_photos="seen")


def test_it_is_said_how_long_the_reasons_of_many_photos_take(
    photo_run: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setattr("treadle.serve.reasons.LONG_SECONDS", 0.0)
    model = load_predictor(photo_run.path / "model")
    model.predict(photo_run.data / "photos" / "red", reasons=1, tell=heard.append)  # type: ignore[call-arg]
    assert len(heard) == 1 and heard[0].startswith("the reasons of 14 photos take about")


def test_a_chance_that_is_sure_anyway_still_has_its_place(spotted: Path) -> None:
    finds = load_predictor(spotted / "run" / "model").reasons()  # type: ignore[attr-defined]
    places = [Place(box=(0, 0, 0.25, 0.25), effect=2e-9)]
    told = finds.told(places, 1, 2)
    assert told == ["upper left: raises the chance of 'spot' by less than 0.1 in 100", None]


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((0, 0, 0.25, 0.25), "upper left"),
        ((0.75, 0.75, 1, 1), "lower right"),
        ((0.25, 0.5, 0.5, 0.75), "middle"),
        ((0.75, 0.25, 1, 0.5), "middle right"),
        ((0.25, 0, 0.5, 0.25), "upper middle"),
    ],
)
def test_places_are_said_in_thirds(box: tuple[float, float, float, float], words: str) -> None:
    assert Place(box=box, effect=0.1).words == words


def test_places_of_tiny_and_of_long_photos_can_be_framed(tmp_path: Path) -> None:
    places = [Place(box=(0, 0, 0.25, 0.5), effect=0.2), Place(box=(0.75, 0.5, 1, 1), effect=0.1)]
    for size in ((3, 2), (4000, 40)):
        Image.new("RGB", size).save(tmp_path / "photo.png")
        image = marked(tmp_path / "photo.png", places)
        assert max(image.size) == min(max(size), 1024)
        assert np.asarray(image).max() > 100


def test_pictures_of_equal_names_do_not_hide_one_another() -> None:
    assert picture_name(1, "a/photo.png") != picture_name(2, "b/photo.png")
    assert picture_name(1, "../../etc/passwd") == "00001-passwd.jpg"
