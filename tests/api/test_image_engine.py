"""The engine that looks at the photos of a run: decided once, kept, and used by `predict`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import treadle
from tests import small
from tests.conftest import Finished
from treadle.api import image_data, image_engine
from treadle.api.resume import resume
from treadle.models import vision, vision_engine, vision_packed, vision_trial
from treadle.models.vision_packed import engine_problem
from treadle.models.vision_trial import Choice

TOPIC = image_engine.TOPIC


def fit(data: Path, out: Path, **options: Any) -> treadle.Run:
    cache = out.with_name(f"{out.name}-cache")
    return treadle.fit(data, cache=cache, out=out, **{"until": "2 epochs", "threads": 1, **options})


def decided(run: treadle.Run) -> list[dict[str, Any]]:
    return [line for line in run.journal if line["topic"] == TOPIC]


def engine_of(path: Path) -> str:
    facts = json.loads((path / "model" / "model.json").read_text())["facts"]
    return str(facts["engine"])


@pytest.fixture(scope="module")
def bf16_run(tmp_path_factory: pytest.TempPathFactory) -> treadle.Run:
    """A run whose trial came out for bf16; trying itself is tested beside the trial."""
    if problem := engine_problem("packed_bf16"):
        pytest.skip(problem)
    place = tmp_path_factory.mktemp("bf16")
    with pytest.MonkeyPatch.context() as patch:
        choice = Choice(engine="packed_bf16", sentence="bf16 it is.", saw={"plain": 9})
        patch.setattr(vision_trial, "choose_engine", lambda *_: choice)
        return fit(small.photos(place / "photos"), place / "run")


def test_few_photos_are_looked_at_the_plain_way_and_it_is_said(photo_run: Finished) -> None:
    (line,) = decided(photo_run.run)
    assert line["value"] == "plain" and "too few" in line["sentence"]
    assert engine_of(photo_run.path) == "plain"


def test_eager_pins_the_plain_way(tmp_path: Path) -> None:
    run = fit(small.photos(tmp_path / "photos", each=8), tmp_path / "run", engine="eager")
    assert not decided(run)
    assert engine_of(run.path) == "plain"


def test_the_choice_is_in_the_journal_and_in_the_model(bf16_run: treadle.Run) -> None:
    (line,) = decided(bf16_run)
    assert (line["value"], line["sentence"]) == ("packed_bf16", "bf16 it is.")
    assert engine_of(bf16_run.path) == "packed_bf16"


def test_predict_uses_the_engine_of_training(
    bf16_run: treadle.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[str] = []
    true = vision.Backbone.features

    def watched(self: vision.Backbone, photos: Any) -> Any:
        used.append(self.engine)
        return true(self, photos)

    monkeypatch.setattr(vision.Backbone, "features", watched)
    found = treadle.load(bf16_run.path).predict(bf16_run.path.parent / "photos")
    assert found["prediction"].null_count() == 0
    assert set(used) == {"packed_bf16"}


def test_predict_goes_another_way_where_it_must_and_says_so(
    bf16_run: treadle.Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    photos = bf16_run.path.parent / "photos"
    expected = treadle.load(bf16_run.path).predict(photos)
    for module in (vision_engine, vision_packed):
        monkeypatch.setattr(
            module, "engine_problem", lambda e: "" if e == "plain" else "it is not here"
        )
    found = treadle.load(bf16_run.path).predict(photos)
    assert "it is not here, so they are looked at the way 'plain'" in caplog.text
    for name in (column for column in found.columns if column.startswith("probability")):
        gap = (found[name] - expected[name]).abs().max()
        assert isinstance(gap, float) and gap < 0.05
    assert isinstance(found, pl.DataFrame)


def test_models_from_before_there_were_engines_open(photo_run: Finished, tmp_path: Path) -> None:
    older = tmp_path / "run"
    shutil.copytree(photo_run.path, older)
    file = older / "model" / "model.json"
    facts = json.loads(file.read_text())
    del facts["facts"]["engine"]
    file.write_text(json.dumps(facts))
    photos = photo_run.data / "photos"
    assert treadle.load(older).predict(photos).equals(photo_run.run.predict(photos))


def test_a_resumed_run_takes_what_was_decided(
    bf16_run: treadle.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> Choice:
        raise AssertionError("it was decided already")

    stopped = tmp_path / "run"
    shutil.copytree(bf16_run.path, stopped)
    for name in ("result.json", "report.html", "findings.json"):
        (stopped / name).unlink(missing_ok=True)
    shutil.rmtree(stopped / "model")
    monkeypatch.setattr(vision_trial, "choose_engine", never)
    monkeypatch.setattr(image_data, "CACHE", tmp_path / "cache")  # a resumed run names none
    run = resume(stopped)
    assert len(decided(run)) == 1
    assert engine_of(run.path) == "packed_bf16"
