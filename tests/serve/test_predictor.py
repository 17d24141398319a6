"""Model folders as predict reads them: what is no model is refused, and nothing is unpickled."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from tests.conftest import Finished
from treadle.errors import RunError
from treadle.serve.predictor import load_predictor, read_facts


def copied(run: Finished, to: Path) -> Path:
    shutil.copytree(run.path / "model", to / "model")
    return to / "model"


@pytest.mark.parametrize("kind", ["table_run", "photo_run", "event_run"])
def test_a_model_folder_is_all_that_predicting_needs(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    run: Finished = request.getfixturevalue(kind)
    predictor = load_predictor(copied(run, tmp_path))
    data = run.data / "photos" / "red" if kind == "photo_run" else run.tested
    assert predictor.predict(data).equals(run.run.predict(data))


@pytest.mark.parametrize("kind", ["table_run", "photo_run", "event_run"])
def test_a_model_folder_holds_safetensors_and_json_alone(
    request: pytest.FixtureRequest, kind: str
) -> None:
    run: Finished = request.getfixturevalue(kind)
    endings = {path.suffix for path in (run.path / "model").iterdir()}
    assert endings == {".json", ".safetensors"}


def test_a_folder_without_a_model_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="resume it first"):
        read_facts(tmp_path)
    (tmp_path / "weights.safetensors").touch()
    with pytest.raises(RunError, match="module of your own"):
        read_facts(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "cannot be read"), ("[]", "no JSON object"), ('{"format": 2}', "newer Treadle")],
)
def test_a_broken_or_newer_model_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(RunError, match=words):
        read_facts(tmp_path)


def test_a_model_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(json.dumps({"format": 1, "kind": "sounds"}))
    with pytest.raises(RunError, match="sounds"):
        load_predictor(tmp_path)


def test_rows_are_answered_alike_alone_and_together(table_run: Finished) -> None:
    together = table_run.run.predict(table_run.tested)["probability_yes"]
    alone = [table_run.run.predict(table_run.tested[i])["probability_yes"][0] for i in range(5)]
    assert alone == pytest.approx(together[:5].to_list(), abs=1e-6)


def test_columns_in_another_order_and_columns_besides_change_nothing(table_run: Finished) -> None:
    rows = table_run.tested
    turned = rows.select(reversed(rows.columns)).with_columns(note=pl.lit("hello"))
    expected = table_run.run.predict(rows)["probability_yes"]
    assert table_run.run.predict(turned)["probability_yes"].equals(expected)


def test_a_table_without_rows_is_answered_with_none(table_run: Finished) -> None:
    found = table_run.run.predict(table_run.tested.head(0))
    assert found.height == 0 and "probability_yes" in found.columns
