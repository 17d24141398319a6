"""Model folders that somebody changed: each is refused in one sentence before it is used."""

from __future__ import annotations

import copy
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.conftest import Finished
from treadle.api.earlier import Earlier
from treadle.api.transfer import weights_file
from treadle.errors import RunError, UserError
from treadle.serve.predictor import load_predictor

Facts = dict[str, Any]
NONSENSE = (-1, 0, 10**7, 10**12, 2.5, "../x", None, [], {}, True, float("nan"))
RUNS = {"table_run": 60, "event_run": 60, "photo_run": 12}


@pytest.fixture(params=RUNS)
def model(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path, Any]:
    """Return a run's name, a copy of its model folder, and data to predict."""
    run: Finished = request.getfixturevalue(request.param)
    shutil.copytree(run.path / "model", tmp_path / "model")
    photos = [run.data / "photos/red/00.png"]
    return request.param, tmp_path / "model", run.tested.head(20) if len(run.tested) else photos


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where every value of nested JSON stands; of lists the first two."""
    if at:
        yield at
    if isinstance(value, (dict, list)):
        inner = value.items() if isinstance(value, dict) else enumerate(value[:2])
        for key, deeper in inner:
            yield from places(deeper, (*at, key))


def changed(facts: Facts, at: tuple[Any, ...], value: Any) -> str:
    found = copy.deepcopy(facts)
    holder: Any = found
    for key in at[:-1]:
        holder = holder[key]
    if value == "gone":
        del holder[at[-1]]
    else:
        holder[at[-1]] = value
    return json.dumps(found)


def test_nonsense_anywhere_in_a_model_is_refused_or_does_no_harm(
    model: tuple[str, Path, Any],
) -> None:
    name, folder, data = model
    facts = json.loads((folder / "model.json").read_text())
    tried = [(at, value) for at in places(facts) for value in (*NONSENSE, "gone")]
    refused = 0
    for at, value in random.Random(1).sample(tried, RUNS[name]):
        (folder / "model.json").write_text(changed(facts, at, value))
        try:
            load_predictor(folder).predict(data)
        except UserError:
            refused += 1
    assert refused > RUNS[name] / 3


def _no_bytes(file: Path) -> None:
    file.write_bytes(b"")


def _half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _pickle(file: Path) -> None:
    torch.save({"a": torch.ones(2)}, file)


def _other_shapes(file: Path) -> None:
    save_file({name: torch.zeros(3) for name in load_file(file)}, file)


def _other_names(file: Path) -> None:
    save_file({f"x{name}": tensor.clone() for name, tensor in load_file(file).items()}, file)


def _not_numbers(file: Path) -> None:
    held = {name: tensor.clone() for name, tensor in load_file(file).items()}
    for tensor in held.values():
        if tensor.is_floating_point():
            tensor.fill_(torch.nan)
    save_file(held, file)


@pytest.mark.parametrize(
    "change", [_no_bytes, _half, _pickle, _other_shapes, _other_names, _not_numbers, Path.unlink]
)
def test_weights_that_do_not_fit_are_refused(
    model: tuple[str, Path, Any], change: Callable[[Path], None]
) -> None:
    _, folder, data = model
    facts = json.loads((folder / "model.json").read_text())
    used = {f"{name}.safetensors" for name in facts.get("blend", [])}
    for file in [f for f in sorted(folder.glob("*.safetensors")) if not used or f.name in used]:
        whole = file.read_bytes()
        change(file)
        if "network" in file.name:  # kept to start from; prediction does not read it
            file.write_bytes(whole)
            continue
        with pytest.raises(RunError, match=r"cannot be used|not as training left it"):
            load_predictor(folder).predict(data)
        file.write_bytes(whole)
    load_predictor(folder).predict(data)


def test_a_name_in_a_model_never_becomes_a_path(photo_run: Finished, tmp_path: Path) -> None:
    shutil.copytree(photo_run.path / "model", tmp_path / "model")
    shutil.copy(tmp_path / "model/head.safetensors", tmp_path / "elsewhere.safetensors")
    facts = json.loads((tmp_path / "model/model.json").read_text()) | {"member": "../elsewhere"}
    (tmp_path / "model/model.json").write_text(json.dumps(facts))
    with pytest.raises(RunError, match="not as training left it"):
        load_predictor(tmp_path / "model")


def test_trees_over_more_columns_than_the_encoder_gives_are_refused(
    table_run: Finished, tmp_path: Path
) -> None:
    """LightGBM would be given a text with a name for each of a billion columns."""
    shutil.copytree(table_run.path / "model", tmp_path / "model")
    place = tmp_path / "model/model.json"
    facts = json.loads(place.read_text())
    facts["blend"] = {"trees": 1.0}
    facts["members"]["trees"]["layout"]["cardinalities"] = [2] * 10_000
    place.write_text(json.dumps(facts))
    with pytest.raises(RunError, match="trained on other columns"):
        load_predictor(tmp_path / "model")


@pytest.mark.parametrize("ending", [".pt", ".pth", ".pkl", ".bin", ".ckpt", ".joblib", ".npz"])
def test_weights_in_files_that_may_hold_code_are_not_opened(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"weights{ending}"
    file.write_bytes(b"never read")
    with pytest.raises(RunError, match="may hold code") as error:
        weights_file(file)
    assert "safetensors" in error.value.hint


def test_an_earlier_run_is_read_as_carefully(table_run: Finished, tmp_path: Path) -> None:
    shutil.copytree(table_run.path, tmp_path / "run")
    torch.save({"a": torch.ones(2)}, tmp_path / "run/model/neural.safetensors")
    with pytest.raises(RunError, match="cannot be used"):
        Earlier(tmp_path / "run", "table").tensors("neural")
    (tmp_path / "run/model/model.json").write_text("[" * 100_000)
    with pytest.raises(RunError, match="cannot be read"):
        Earlier(tmp_path / "run", "table")


def test_a_copied_model_answers_as_before(table_run: Finished, tmp_path: Path) -> None:
    shutil.copytree(table_run.path / "model", tmp_path / "model")
    found: pl.DataFrame = load_predictor(tmp_path / "model").predict(table_run.tested)
    assert found.equals(table_run.run.predict(table_run.tested))
