"""Checkpoints that somebody wrote: a manifest names files of its own folder, and nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from treadle.errors import BrokenCheckpointError
from treadle.loop.checkpoint import read, read_newest, write
from treadle.loop.manifest import MANIFEST, manifest_of

STEP = {"step": 5, "best_step": None}


class Hostile:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.mark,)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return write(tmp_path / "checkpoints", {"model": {"a": torch.ones(3)}}, STEP)


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def list_also(place: Path, name: str, content_of: Path) -> None:
    """Write a manifest, right in all its hashes, that names another file as well."""
    listed = json.loads((place / MANIFEST).read_text())["sha256"]
    (place / MANIFEST).write_bytes(manifest_of(listed | {name: sha256(content_of)}))


@pytest.mark.parametrize(
    "name",
    [
        "../secret.safetensors",
        "../../checkpoints/secret.safetensors",
        "./model.safetensors",
        "{outside}",
        "/etc/passwd",
        "/etc/passwd.safetensors",
        "..",
        ".",
        "",
        "a/../model.safetensors",
        "weights.pkl",
        "weights.pt",
        "MANIFEST.json",
    ],
)
def test_a_manifest_that_names_anything_else_is_refused(place: Path, name: str) -> None:
    outside = place.parent / "secret.safetensors"
    shutil.copy(place / "model.safetensors", outside)
    list_also(place, name.format(outside=outside), outside)
    with pytest.raises(BrokenCheckpointError, match="does not list a checkpoint's files"):
        read(place)


def test_a_link_in_a_checkpoint_is_refused(place: Path) -> None:
    outside = place.parent / "elsewhere.safetensors"
    (place / "model.safetensors").rename(outside)
    (place / "model.safetensors").symlink_to(outside)
    with pytest.raises(BrokenCheckpointError, match="is a link, not a file"):
        read(place)


def test_a_pipe_or_a_folder_in_place_of_a_file_stops_nothing(place: Path) -> None:
    (place / "model.safetensors").unlink()
    os.mkfifo(place / "model.safetensors")
    with pytest.raises(BrokenCheckpointError, match="a folder, a pipe or a device"):
        read(place)
    (place / "model.safetensors").unlink()
    (place / "model.safetensors").mkdir()
    with pytest.raises(BrokenCheckpointError, match="a folder, a pipe or a device"):
        read(place)


def test_a_name_that_is_there_twice_is_refused(place: Path) -> None:
    text = (place / MANIFEST).read_text()
    line = f'"state.json": "{sha256(place / "state.json")}"'
    assert line in text
    (place / MANIFEST).write_text(text.replace(line, f"{line}, {line}"))
    with pytest.raises(BrokenCheckpointError, match="twice"):
        read(place)


@pytest.mark.parametrize("content", [b"", b"[]", b"[" * 100_000, b'{"format": 1}', b"\xff", b"1"])
def test_a_manifest_of_another_shape_is_refused(place: Path, content: bytes) -> None:
    (place / MANIFEST).write_bytes(content)
    with pytest.raises(BrokenCheckpointError, match="MANIFEST"):
        read(place)


@pytest.mark.parametrize("writes", ["torch", "pickle"])
def test_a_pickle_under_the_name_of_tensors_is_never_unpickled(place: Path, writes: str) -> None:
    mark = place.parent / "mark"
    file = place / "model.safetensors"
    if writes == "torch":
        torch.save(Hostile(mark), file)
    else:
        file.write_bytes(pickle.dumps(Hostile(mark)))
    listed = {name: sha256(place / name) for name in ("model.safetensors", "state.json")}
    (place / MANIFEST).write_bytes(manifest_of(listed))
    found, said = read_newest(place.parent)
    assert found is None and "model.safetensors" in said[0] and not mark.exists()
    pickle.loads(pickle.dumps(Hostile(mark)))
    assert mark.exists()  # unpickled, it would have been there
