"""The beginning of a run: nothing half-written stays, nothing of other people's is removed."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import treadle
from treadle.api.machine import code_hash, differences, files_of, machine_and_versions, pick_device
from treadle.api.resume import resume
from treadle.api.start import begin, new_folder
from treadle.errors import DataError, Interrupted, OptionError, RunError
from treadle.folder import RunFolder

CONFIG = {"kind": "module", "options": {"lr": 0.1, "groups": {"0": {"momentum": 0.9}}}}
MACHINE = {"threads": 1, "versions": {"torch": "2"}, "data": {"sha256": "a"}}


def started(folder: RunFolder, **options: Any) -> list[str]:
    """Begin and end; return what must be said."""
    with begin(folder, CONFIG, MACHINE, **options) as said:
        return said


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "deep" / "run")


def test_writes_what_was_asked_and_on_what_before_anything_else(folder: RunFolder) -> None:
    with begin(folder, CONFIG, MACHINE) as said:
        assert said == []
        assert folder.config == {"format": 1, **CONFIG}
        assert folder.plan == {"machine": MACHINE}


def fail(folder: RunFolder, error: BaseException, *made: str) -> None:
    """Begin a run, make some folders in it, and fail."""
    with begin(folder, CONFIG, MACHINE):
        for name in made:
            (folder.path / name).mkdir(parents=True)
            (folder.path / name / "MANIFEST.json").write_text("{}")
        raise error


def test_a_users_mistake_leaves_nothing_behind(folder: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        fail(folder, DataError("no rows."), "model")
    assert list(tmp_path.iterdir()) == []


def test_what_was_saved_already_stays_in_spite_of_a_mistake(folder: RunFolder) -> None:
    with pytest.raises(DataError):
        fail(folder, DataError("no rows."), "checkpoints/step-000000001")
    assert folder.is_run and folder.checkpoints()


def test_a_folder_with_other_things_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.bin").write_text("precious")
    with pytest.raises(RunError, match="holds other things already"):
        started(RunFolder(tmp_path))
    assert (tmp_path / "model" / "mine.bin").read_text() == "precious"


def test_a_run_that_is_there_is_refused_unless_it_is_to_be_replaced(folder: RunFolder) -> None:
    started(folder)
    with pytest.raises(RunError, match="an unfinished run") as raised:
        started(folder)
    assert "treadle resume" in raised.value.hint
    folder.write_json("result.json", {})
    with pytest.raises(RunError, match="a finished run"):
        started(folder)
    (folder.path / "mine.txt").write_text("kept")
    started(folder, overwrite=True)
    assert folder.result is None and (folder.path / "mine.txt").read_text() == "kept"


def test_resume_without_a_run_begins_one(folder: RunFolder) -> None:
    assert started(folder, resume=True) == []
    assert folder.is_run


def test_ctrl_c_outside_the_loop_is_told_as_an_interruption(folder: RunFolder) -> None:
    with pytest.raises(Interrupted):
        fail(folder, KeyboardInterrupt())


def test_every_difference_of_options_and_machine_is_listed(folder: RunFolder) -> None:
    started(folder)
    config = {"kind": "module", "options": {"lr": 0.2, "groups": {"0": {"momentum": 0.8}}}}
    machine = {"threads": 4, "versions": {"torch": "3"}, "data": {"sha256": "b"}}
    with pytest.raises(RunError) as raised:
        begin(folder, config, machine, resume=True).__enter__()
    for line in (
        "options lr: was 0.1, is 0.2",
        "options groups 0 momentum: was 0.9, is 0.8",
        "threads: was 1, is 4",
        "versions torch: was 2, is 3",
        "the data has changed",
    ):
        assert line in raised.value.message
    assert folder.config["options"]["lr"] == 0.1


def test_another_machine_goes_on_when_asked_and_every_difference_is_said(
    folder: RunFolder,
) -> None:
    started(folder)
    machine = MACHINE | {"threads": 4, "versions": {"torch": "3"}}
    with pytest.raises(RunError, match="cannot be resumed to the bit") as raised:
        begin(folder, CONFIG, machine, resume=True).__enter__()
    assert "--not-exact" in raised.value.hint
    with begin(folder, CONFIG, machine, resume=True, not_exact=True) as said:
        assert said == [
            "not exact: threads: was 1, is 4.",
            "not exact: versions torch: was 2, is 3.",
        ]


def test_other_options_are_refused_even_when_not_exact(folder: RunFolder) -> None:
    started(folder)
    with pytest.raises(RunError, match="other options"):
        begin(
            folder, {"kind": "table", "options": {}}, MACHINE, resume=True, not_exact=True
        ).__enter__()


def test_a_second_process_is_refused(folder: RunFolder) -> None:
    started(folder)
    other = "import sys; from treadle.folder import RunFolder\nwith RunFolder(sys.argv[1]).lock(): "
    other += "print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", other, str(folder.path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None and holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunError, match=f"another process \\(number {holder.pid}\\)"):
            started(folder, resume=True)
        holder.stdin.close()
    assert started(folder, resume=True) == []


def test_new_folders_are_named_by_the_time_and_never_twice(tmp_path: Path) -> None:
    first = new_folder(tmp_path)
    first.path.mkdir(parents=True)
    second = new_folder(tmp_path)
    assert first.path != second.path and second.path.parent == tmp_path


def test_differences_name_the_place_and_both_values() -> None:
    was: dict[str, Any] = {"a": 1, "b": {"c": [1], "d": None}, "gone": 2}
    now: dict[str, Any] = {"a": 1, "b": {"c": [2], "d": None}, "new": 3}
    assert differences(was, now) == ["b c: was [1], is [2]", "gone: was 2, is None"]
    assert differences(was, json.loads(json.dumps(was))) == []


def test_the_recorded_tuple_names_what_results_depend_on() -> None:
    found = machine_and_versions(3)
    assert found["threads"] == 3 and found["code"] == code_hash()
    assert {"torch", "lightgbm", "polars", "numpy"} <= found["versions"].keys()
    assert {"python", "processor", "capability", "world_size"} <= found.keys()


def test_a_device_that_is_not_there_is_refused() -> None:
    assert pick_device("cpu").type == "cpu"
    with pytest.raises(OptionError, match="no device 'tpu3'"):
        pick_device("tpu3")


def test_paths_folders_and_patterns_stand_for_files_in_a_fixed_order(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "inner/c.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    names = [path.name for path in files_of([str(tmp_path), str(tmp_path / "*.csv")])]
    assert names == ["a.csv", "b.csv", "c.csv", "a.csv", "b.csv"]
    assert files_of([str(tmp_path / "nowhere.csv")]) == []


TRAIN = """
    import torch, treadle

    def build():
        torch.manual_seed(0)
        x = torch.randn(40, 2)
        module = torch.nn.Linear(2, 1)
        return treadle.fit(module, (x, x[:, :1]), loss="mean_squared_error", until="2 epochs",
                           out={out!r}, resume=True)

    def nothing():
        return 5
"""


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "train.py"
    path.write_text(textwrap.dedent(TRAIN).format(out=str(tmp_path / "run")))
    return str(path)


def test_an_own_module_is_resumed_by_a_function_of_the_users(tmp_path: Path, script: str) -> None:
    first = resume_of(script, "build")
    run = resume(tmp_path / "run", module_from=f"{script}:build")
    assert run.result["stopped"] == first["stopped"]


def resume_of(script: str, name: str) -> dict[str, Any]:
    scope: dict[str, Any] = {}
    exec(Path(script).read_text(), scope)
    result: dict[str, Any] = scope[name]().result
    return result


@pytest.mark.parametrize(
    ("module_from", "found"),
    [
        (None, "a run keeps no code"),
        ("{script}", "a run keeps no code"),
        ("{script}:nowhere", "no function 'nowhere'"),
        ("{script}:nothing", "returned a int"),
        ("absent.py:build", "no file absent.py"),
    ],
)
def test_what_cannot_resume_a_module_is_refused_in_words(
    tmp_path: Path, script: str, module_from: str | None, found: str
) -> None:
    resume_of(script, "build")
    given = module_from.format(script=script) if module_from else None
    with pytest.raises(OptionError, match=found):
        resume(tmp_path / "run", module_from=given)


def test_options_that_cannot_reach_into_a_users_function_are_refused(
    tmp_path: Path, script: str
) -> None:
    resume_of(script, "build")
    with pytest.raises(OptionError, match="cannot reach into your function"):
        resume(tmp_path / "run", module_from=f"{script}:build", until="9 epochs")


def test_resuming_where_there_is_no_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no run"):
        resume(tmp_path / "nowhere")
    assert treadle.UserError.exit_code == 2
