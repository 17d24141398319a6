"""A state.json that somebody edited, under a manifest that is right: refused in words, or passed
over for the next older checkpoint; never a traceback."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from torch import nn

import treadle
from treadle.errors import TreadleError
from treadle.loop.checkpoint import finished, read_newest, write
from treadle.loop.facts import DEEPEST, is_deeper_than
from treadle.loop.manifest import FACTS, MANIFEST, manifest_of

LAST, OLDER = 30, 25
WEIRD: list[Any] = [
    None, True, -1, 0, 1 << 70, 1.5, float("nan"), float("inf"), -1e300, "", "5", "\0", [], {},
    [[]], {"": {}}, [None] * 1_000, {"$tensor": "nothing"}, {"$dict": 3}, {"$array": "x"},
    {"$tuple": [[1]]},
]  # fmt: skip


class Stop(Exception):
    pass


def fit(out: Path, *, until: str = "9 epochs", **more: Any) -> treadle.Run:
    x_NF = torch.randn(40, 2, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    return treadle.fit(
        module,
        (x_NF, x_NF.sum(1, keepdim=True)),
        loss="mean_squared_error",
        validation=(x_NF, x_NF.sum(1, keepdim=True)),
        schedule="plateau",
        batch_size=8,
        validate_every=4,
        average=0.9,
        until=until,
        engine="eager",
        out=out,
        **more,
    )


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped, with two checkpoints."""
    out = tmp_path_factory.mktemp("hostile") / "run"

    def save(state: Any) -> None:
        if state.step in (OLDER, LAST):
            write(out / "checkpoints", *state.snapshot())
        if state.step == LAST:
            raise Stop

    with pytest.raises(Stop):
        fit(out, watchers=[save])
    return out


@pytest.fixture
def run(begun: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(begun, tmp_path / "run"))


def newest(out: Path) -> Path:
    return finished(out / "checkpoints")[-1]


def write_facts(place: Path, text: str) -> None:
    """Put other facts into a checkpoint, and the right hashes into its manifest."""
    (place / FACTS).write_text(text)
    hashes = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in place.iterdir()
        if file.name != MANIFEST
    }
    (place / MANIFEST).write_bytes(manifest_of(hashes))


def edited(place: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    facts = json.loads((place / FACTS).read_text())
    edit(facts)
    write_facts(place, json.dumps(facts))


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


EDITS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "step is NaN": lambda f: f.update(step=float("nan")),
    "step is a word": lambda f: f.update(step="30"),
    "step is another's": lambda f: f.update(step=f["step"] - 1),
    "step is true": lambda f: f.update(step=True),
    "position below zero": lambda f: f.update(position=-8),
    "epoch is no whole number": lambda f: f.update(epoch=1.5),
    "scale is infinite": lambda f: f.update(scale=float("inf")),
    "seconds below zero": lambda f: f.update(seconds=-1.0),
    "horizon is missing": lambda f: f.pop("horizon"),
    "something is too much": lambda f: f.update(more=1),
    "history goes beyond": lambda f: f["history"][-1].update(step=10_000),
    "history goes back": lambda f: f["history"].reverse(),
    "a huge history": lambda f: f.update(history=f["history"] * 2_000),
    "history of words": lambda f: f.update(history=["a"]),
    "best of the future": lambda f: f.update(best_step=10_000),
    "best without its value": lambda f: f.update(best_value=None),
    "best is NaN": lambda f: f.update(best_value=float("nan")),
    "deep memory": lambda f: f["memory"].update(mine=json.loads(nested(DEEPEST + 1))),
    "memory is a list": lambda f: f.update(memory=[]),
    "tensors that are not there": lambda f: f["skeletons"].update(model={"$tensor": "gone"}),
    "skeletons of numbers": lambda f: f["skeletons"].update(model=5),
    "no skeleton of the optimizers": lambda f: f["skeletons"].pop("optimizers"),
    "a key that cannot be one": lambda f: f["skeletons"].update(model={"$dict": [[[1], 2]]}),
}


@pytest.mark.parametrize("what", EDITS)
def test_facts_that_cannot_be_are_passed_over_by_name_for_the_older_checkpoint(
    run: Path, what: str
) -> None:
    place = newest(run)
    edited(place, EDITS[what])
    found, said = read_newest(run / "checkpoints")
    assert found is not None and found[1]["step"] == OLDER
    assert len(said) == 1 and str(place / FACTS) in said[0] and "set aside" in said[0]
    assert len(said[0]) < 1_000


@pytest.mark.parametrize("text", ["", "null", "[]", "5", '"x"', "{", nested(100_000)])
def test_what_is_no_object_is_passed_over_too(run: Path, text: str) -> None:
    place = newest(run)
    write_facts(place, text)
    _, said = read_newest(run / "checkpoints")
    assert len(said) == 1 and place.name in said[0]


def test_a_state_of_another_model_is_refused_in_words(run: Path) -> None:
    for place in finished(run / "checkpoints"):
        edited(place, lambda f: f["skeletons"]["model"]["$dict"].pop())
    with pytest.raises(TreadleError, match=r"does not fit what is trained here: .* Missing key"):
        fit(run, resume=True)


def paths_in(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to everything in nested lists and objects."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        yield (*at, key)
        if isinstance(inner, (dict, list)):
            yield from paths_in(inner, (*at, key))


@settings(
    max_examples=30,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_whatever_is_put_anywhere_a_resume_ends_in_a_result_or_in_words(
    begun: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    out = Path(shutil.copytree(begun, tmp_path_factory.mktemp("edited") / "run"))
    place = newest(out)
    facts = json.loads((place / FACTS).read_text())
    for _ in range(data.draw(st.integers(1, 2))):
        # first the part, then the place in it: most places are in the skeletons
        part = data.draw(st.sampled_from(sorted(facts.keys() - {"memory"})))
        inside = facts[part] if isinstance(facts[part], (dict, list)) else []
        *way, key = (part, *data.draw(st.sampled_from([(), *paths_in(inside)])))
        target: Any = facts
        for name in way:
            target = target[name]
        if data.draw(st.booleans()) and isinstance(target, dict) and way:
            target.pop(key, None)
        else:
            target[key] = copy.deepcopy(data.draw(st.sampled_from(WEIRD)))
    write_facts(place, json.dumps(facts))
    said = ended(out)
    event(said.split(":")[0])
    assert 0 < len(said) < 2_000
    shutil.rmtree(out)


def ended(out: Path) -> str:
    """Resume a run, and return how it ended; whatever is not said in words is raised."""
    try:
        return str(fit(out, resume=True).result["stopped"]["reason"])
    except TreadleError as error:
        return error.message


def test_depth_is_told_without_running_out_of_it() -> None:
    deep: Any = []
    for _ in range(50_000):
        deep = [deep]
    assert is_deeper_than(deep, DEEPEST) and not is_deeper_than([{"a": [1]}], 3)
    assert is_deeper_than([{"a": [[]]}], 3)
