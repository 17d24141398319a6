"""Checkpoints: whole or not at all, checked before use, written beside the training."""

from __future__ import annotations

import contextlib
import json
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from treadle.errors import BrokenCheckpointError, SaveError
from treadle.loop import checkpoint, tensor_file
from treadle.loop.checkpoint import Saver, prune, read, read_newest, write
from treadle.loop.manifest import manifest_of
from treadle.loop.state import TrainState


def a_state(step: int = 0) -> TrainState:
    torch.manual_seed(0)
    module = nn.Linear(3, 2)
    state = TrainState(model=module, optimizers={"main": torch.optim.Adam(module.parameters())})
    state.step = step
    return state


def written(folder: Path, *steps: int) -> list[Path]:
    return [write(folder, *a_state(step).snapshot()) for step in steps]


def names(folder: Path) -> list[str]:
    return sorted(place.name for place in folder.iterdir())


def test_a_checkpoint_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    files, facts = a_state(120).snapshot()
    place = write(tmp_path, files, facts)
    assert place.name == "step-000000120"
    read_files, read_facts = read(place)
    assert read_facts == json.loads(json.dumps(facts))
    for name, tensors in files.items():
        assert read_files[name].keys() == tensors.keys()
        assert all(torch.equal(read_files[name][n], tensors[n]) for n in tensors)


def test_the_manifest_has_the_hash_of_every_file_and_is_written_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    real = checkpoint._write
    monkeypatch.setattr(
        checkpoint, "_write", lambda file, parts: (order.append(file.name), real(file, parts))[1]
    )
    place = written(tmp_path, 7)[0]
    manifest = json.loads((place / "MANIFEST.json").read_text())
    assert sorted([*manifest["sha256"], "MANIFEST.json"]) == names(place)
    assert order[-1] == "MANIFEST.json" and len(order) == len(names(place))
    assert names(tmp_path) == [place.name]


@pytest.mark.parametrize("where", ["first", "middle", "last"])
@pytest.mark.parametrize(
    "name",
    [
        "model.safetensors",
        "optimizers.safetensors",
        "random.safetensors",
        "totals.safetensors",
        "best.safetensors",
        "average.safetensors",
        "extras.safetensors",
        "state.json",
    ],
)
def test_a_flipped_bit_is_found_and_named_and_an_older_checkpoint_used(
    tmp_path: Path, name: str, where: str
) -> None:
    old, new = written(tmp_path, 5, 9)
    raw = bytearray((new / name).read_bytes())
    raw[{"first": 0, "middle": len(raw) // 2, "last": -1}[where]] ^= 1
    (new / name).write_bytes(raw)
    with pytest.raises(BrokenCheckpointError, match=name):
        read(new)
    found, said = read_newest(tmp_path)
    assert found is not None and found[1]["step"] == 5
    assert len(said) == 1 and name in said[0]
    assert old.exists()


def test_any_flipped_bit_of_the_manifest_is_found_or_does_no_harm(tmp_path: Path) -> None:
    place = written(tmp_path, 5)[0]
    manifest = place / "MANIFEST.json"
    raw = manifest.read_bytes()
    expected = read(place)[1]
    for number in range(0, len(raw) * 8, 7):
        changed = bytearray(raw)
        changed[number // 8] ^= 1 << number % 8
        manifest.write_bytes(changed)
        with contextlib.suppress(BrokenCheckpointError):
            assert read(place)[1] == expected


@pytest.mark.parametrize("size", [0, 10, -1])
@pytest.mark.parametrize("name", ["model.safetensors", "state.json", "MANIFEST.json"])
def test_a_truncated_file_is_found(tmp_path: Path, name: str, size: int) -> None:
    place = written(tmp_path, 5)[0]
    (place / name).write_bytes((place / name).read_bytes()[:size])
    with pytest.raises(BrokenCheckpointError):
        read(place)


@pytest.mark.parametrize("name", ["model.safetensors", "state.json", "MANIFEST.json"])
def test_an_absent_file_is_found(tmp_path: Path, name: str) -> None:
    place = written(tmp_path, 5)[0]
    (place / name).unlink()
    with pytest.raises(BrokenCheckpointError, match=name):
        read(place)


@pytest.mark.parametrize("text", ["[]", "{}", '{"format": 1, "sha256": []}', "null", "{"])
def test_a_manifest_of_another_shape_is_broken_not_a_crash(tmp_path: Path, text: str) -> None:
    place = written(tmp_path, 5)[0]
    (place / "MANIFEST.json").write_text(text)
    with pytest.raises(BrokenCheckpointError):
        read(place)


def test_a_checkpoint_of_a_newer_format_is_not_guessed_at(tmp_path: Path) -> None:
    place = written(tmp_path, 5)[0]
    manifest = json.loads((place / "MANIFEST.json").read_text()) | {"format": 99}
    (place / "MANIFEST.json").write_text(json.dumps(manifest))
    with pytest.raises(BrokenCheckpointError, match="newer"):
        read(place)


def test_a_broken_checkpoint_is_set_aside_so_that_pruning_keeps_whole_ones(tmp_path: Path) -> None:
    written(tmp_path, 5, 20, 30)
    for step in (20, 30):
        (tmp_path / f"step-{step:09d}" / "state.json").write_text("torn")
    found, said = read_newest(tmp_path)
    assert found is not None and found[1]["step"] == 5 and len(said) == 2
    written(tmp_path, 8)
    prune(tmp_path, 2, None)
    assert read_newest(tmp_path)[0][1]["step"] == 8  # type: ignore[index]
    assert {"step-000000005", "step-000000008"} <= set(names(tmp_path))


def test_a_step_saved_again_is_the_newest_and_the_first_is_left_alone(tmp_path: Path) -> None:
    files, facts = a_state(5).snapshot()
    for scale in range(1, 12):
        write(tmp_path, files, facts | {"scale": scale})
    assert read(tmp_path / "step-000000005")[1]["scale"] == 1
    assert read_newest(tmp_path)[0][1]["scale"] == 11  # type: ignore[index]
    prune(tmp_path, 1, 5)
    assert names(tmp_path) == ["step-000000005.11"]


def test_steps_of_more_digits_are_newer_not_older(tmp_path: Path) -> None:
    written(tmp_path, 999_999_999, 1_000_000_000)
    prune(tmp_path, 1, None)
    assert names(tmp_path) == ["step-1000000000"]


def test_a_manifest_of_the_first_treadle_without_a_hash_of_its_own_is_read(tmp_path: Path) -> None:
    place = written(tmp_path, 5)[0]
    manifest = json.loads((place / "MANIFEST.json").read_text())
    del manifest["own"]
    (place / "MANIFEST.json").write_text(json.dumps(manifest, indent=1))
    assert read(place)[1]["step"] == 5


def test_a_manifest_that_leaves_out_the_facts_or_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    place = written(tmp_path, 5)[0]
    hashes = json.loads((place / "MANIFEST.json").read_text())["sha256"]
    facts = hashes.pop("state.json")
    elsewhere = hashes | {"state.json": facts, "../step-000000005/state.json": facts}
    for listed in (hashes, elsewhere):
        (place / "MANIFEST.json").write_bytes(manifest_of(listed))
        with pytest.raises(BrokenCheckpointError, match=r"MANIFEST.json does not list"):
            read(place)


def test_what_is_checked_is_what_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = written(tmp_path, 5)[0]
    expected = read(place)[0]["model"]["/weight"]
    real = checkpoint.content_of

    def changed_after(path: Path) -> bytearray:
        content = real(path)
        path.write_bytes(b"another")
        return content

    monkeypatch.setattr(checkpoint, "content_of", changed_after)
    assert torch.equal(read(place)[0]["model"]["/weight"], expected)


def test_the_library_of_the_format_reads_what_was_written(tmp_path: Path) -> None:
    tensors = {
        name: torch.arange(6).reshape(2, 3).to(dtype).T for dtype, name in tensor_file.NAMES.items()
    } | {"none": torch.empty(0, 3), "one": torch.tensor(2.5, dtype=torch.float64)}
    place = write(tmp_path, {"model": tensors}, a_state(5).snapshot()[1])
    for found in (load_file(place / "model.safetensors"), read(place)[0]["model"]):
        assert found.keys() == tensors.keys()
        for name, tensor in tensors.items():
            assert found[name].dtype == tensor.dtype and found[name].shape == tensor.shape
            assert torch.equal(found[name].to(torch.complex64), tensor.to(torch.complex64))


def test_a_type_that_no_file_can_hold_is_named_before_anything_is_written(tmp_path: Path) -> None:
    wide = {"model": {"mine": torch.zeros(2, dtype=torch.complex128)}}
    with pytest.raises(SaveError, match="'mine' is of type complex128"):
        write(tmp_path, wide, a_state(5).snapshot()[1])
    assert names(tmp_path) == []


def test_no_checkpoint_at_all_gives_none(tmp_path: Path) -> None:
    assert read_newest(tmp_path / "nowhere") == (None, [])


def test_pruning_keeps_the_newest_and_the_best(tmp_path: Path) -> None:
    written(tmp_path, 1, 2, 3, 10, 200)
    prune(tmp_path, 2, 2)
    assert names(tmp_path) == ["step-000000002", "step-000000010", "step-000000200"]


def test_temporary_folders_of_a_crash_are_collected(tmp_path: Path) -> None:
    orphan = tmp_path / ".step-000000004.123.tmp"
    orphan.mkdir()
    (orphan / "model.safetensors").write_bytes(b"half")
    assert read_newest(tmp_path) == (None, [])
    Saver(tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize("fails", ["_write", "sync_folder"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("io")])
def test_a_disk_error_leaves_earlier_checkpoints_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str, error: Exception
) -> None:
    written(tmp_path, 5)

    def failing(*_: Any) -> None:
        raise error

    monkeypatch.setattr(checkpoint, fails, failing)
    with pytest.raises(SaveError, match="step 9") as raised:
        written(tmp_path, 9)
    assert "Earlier checkpoints are whole" in raised.value.hint
    monkeypatch.undo()
    assert names(tmp_path) == ["step-000000005"]
    assert read_newest(tmp_path)[0][1]["step"] == 5  # type: ignore[index]


def test_a_failed_save_is_raised_at_the_next_due_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saver, state = Saver(tmp_path, every_seconds=0.0), a_state(1)

    def failing(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "_write", failing)
    saver(state)
    saver.wait()
    monkeypatch.undo()
    with pytest.raises(SaveError, match="No space left"):
        saver(state)
    saver.close(state)
    assert names(tmp_path) == ["step-000000001"]


def test_what_happens_after_a_save_began_is_not_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_write, state = threading.Event(), a_state(3)
    real = checkpoint._write

    def waiting(path: Path, parts: Any) -> str:
        may_write.wait(10)
        return real(path, parts)

    monkeypatch.setattr(checkpoint, "_write", waiting)
    expected = state.module.state_dict()["weight"].clone()
    saver = Saver(tmp_path, every_seconds=0.0)
    saver(state)
    assert "step-000000003" not in names(tmp_path)
    with torch.no_grad():
        for parameter in state.module.parameters():
            parameter.fill_(99.0)
    state.step, state.memory["late"] = 4, {}
    saver(state)  # one is under way: no other is begun
    may_write.set()
    saver.wait()
    files, facts = read(tmp_path / "step-000000003")
    assert torch.equal(files["model"]["/weight"], expected)
    assert facts["step"] == 3 and facts["memory"] == {}


def test_saves_only_when_due(tmp_path: Path) -> None:
    saver, state = Saver(tmp_path, every_seconds=3600.0), a_state(1)
    saver(state)
    assert not tmp_path.exists() or names(tmp_path) == []
    saver.close(state)
    assert names(tmp_path) == ["step-000000001"]


def test_saves_only_at_the_ends_of_blocks_and_at_last_the_newest_of_them(tmp_path: Path) -> None:
    saver, state = Saver(tmp_path, every_seconds=3600.0, every_steps=10), a_state()
    for step in range(1, 38):
        state.step = step
        saver(state)
    saver.close(state)
    assert names(tmp_path) == ["step-000000030"]
    assert read(tmp_path / "step-000000030")[1]["step"] == 30


def test_nothing_is_saved_before_the_first_block_ended(tmp_path: Path) -> None:
    saver, state = Saver(tmp_path, every_seconds=0.0, every_steps=10), a_state(3)
    saver(state)
    saver.close(state)
    assert not tmp_path.exists() or names(tmp_path) == []


def test_only_the_newest_few_and_the_best_are_kept_as_training_goes_on(tmp_path: Path) -> None:
    saver, state = Saver(tmp_path, every_seconds=0.0, keep=2), a_state()
    for step in range(1, 8):
        state.step = step
        if step == 3:
            state.keep_best(0.5)
        saver(state)
        saver.wait()
    assert names(tmp_path) == ["step-000000003", "step-000000006", "step-000000007"]


def test_a_state_that_cannot_be_saved_says_so_at_once(tmp_path: Path) -> None:
    state = a_state(1)
    state.memory["mine"] = {"set": {1, 2}}
    saver = Saver(tmp_path, every_seconds=0.0)
    with pytest.raises(SaveError, match="set is not JSON"):
        saver(state)


@pytest.mark.parametrize("error", [ValueError("a bug"), SystemExit(3), MemoryError()])
@pytest.mark.parametrize("dies_in", ["commit", "prune"])
def test_whatever_ends_the_thread_is_said_by_the_next_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies_in: str, error: BaseException
) -> None:
    saver, state = Saver(tmp_path, every_seconds=0.0), a_state(1)

    def dying(*_: Any) -> None:
        raise error

    monkeypatch.setattr(checkpoint, dies_in, dying)
    saver(state)
    saver.wait()
    monkeypatch.undo()
    with pytest.raises(SaveError, match=f"died at step 1: {type(error).__name__}"):
        saver(state)
    saver(state)
    saver.close(state)
    assert read_newest(tmp_path)[0][1]["step"] == 1  # type: ignore[index]


def test_a_thread_that_ends_before_it_can_say_anything_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saver, state = Saver(tmp_path, every_seconds=0.0), a_state(1)
    monkeypatch.setattr(Saver, "_write", lambda *_: None)
    saver(state)
    with pytest.raises(SaveError, match="died at step 1: it ended without a word"):
        saver.close(state)


def test_a_thread_that_cannot_be_started_is_a_failed_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saver, state = Saver(tmp_path, every_seconds=0.0), a_state(1)

    def no_more(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_more)
    with pytest.raises(SaveError, match="step 1 could not be written: can't start new thread"):
        saver(state)
    monkeypatch.undo()
    saver.close(state)
    assert names(tmp_path) == ["step-000000001"]


def test_a_place_where_nothing_can_be_written_is_refused_before_the_first_step(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "checkpoints"):
        with pytest.raises(SaveError, match="checkpoints cannot be written to"):
            Saver(place)


def test_a_broken_checkpoint_that_cannot_be_set_aside_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, new = written(tmp_path, 5, 9)
    (new / "state.json").write_text("torn")

    def read_only(*_: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "rename", read_only)
    found, said = read_newest(tmp_path)
    assert found is not None and found[1]["step"] == 5
    assert "could not be set aside: [Errno 30]" in said[0]


def test_the_thread_that_saves_calls_no_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []

    def profile(frame: Any, event: str, _: Any) -> None:
        if event == "call" and "/torch/" in frame.f_code.co_filename:
            called.append(frame.f_code.co_filename)

    saver, state = Saver(tmp_path, every_seconds=0.0), a_state(1)
    saver(state)
    saver.wait()
    threading.setprofile(profile)
    try:
        saver(state)
        saver.wait()
    finally:
        threading.setprofile(None)  # type: ignore[arg-type]
    assert called == [] and saver.saved_step == 1


class Clock:
    """A clock that moves on when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def saved_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, costs: list[float], every_seconds: float
) -> list[float]:
    """Return when saves begin in an hour, where each costs so many seconds (the last for good)."""
    clock, begun = Clock(), list[float]()

    def commit(folder: Path, step: int, files: Any) -> Path:
        clock.now += costs[min(len(begun), len(costs) - 1)]
        return folder

    monkeypatch.setattr(checkpoint, "commit", commit)
    saver = Saver(tmp_path, every_seconds=every_seconds, clock=clock)
    state = a_state()
    while clock.now < 3_600:
        clock.now += 1.0
        state.step += 1
        before = saver._thread
        now = clock.now
        saver(state)
        if saver._thread is not before:
            begun.append(now)
            saver.wait()
    return begun


@pytest.mark.parametrize(
    ("costs", "expected"),
    [
        ([0.1], [60, 60]),
        ([2.0], [200, 200]),
        ([1_000.0], [600]),
        ([30.0, 1.0], [600, 100, 100]),
        ([1.0, 30.0, 1.0], [100, 100, 100]),
    ],
    ids=["cheap", "dear", "dearer than all", "dear once at first", "dear once in between"],
)
def test_saves_wait_longer_where_they_cost_more_than_a_hundredth_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, costs: list[float], expected: list[float]
) -> None:
    begun = saved_at(tmp_path, monkeypatch, costs, checkpoint.EVERY_SECONDS)
    assert begun[0] == 60
    paid = [costs[min(i, len(costs) - 1)] for i in range(len(begun))]
    waited = [b - a - cost for a, b, cost in zip(begun, begun[1:], paid, strict=False)]
    assert waited[: len(expected)] == pytest.approx(expected, abs=1.0)


def test_an_interval_that_was_asked_for_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = saved_at(tmp_path, monkeypatch, [20.0], 30.0)
    assert len(begun) > 60 and all(b - a == 50 for a, b in pairwise(begun))


def test_of_the_broken_ones_the_newest_two_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4):
        place = written(tmp_path, step)[0]
        (place / "state.json").write_bytes(b"{}")
        read_newest(tmp_path)
    mine = tmp_path / "broken-notes"
    mine.mkdir()
    Saver(tmp_path)
    assert names(tmp_path) == ["broken-notes", "broken-step-000000003", "broken-step-000000004"]
