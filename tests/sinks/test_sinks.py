"""Curves and words reach each place; a place that fails hurts nobody."""

from __future__ import annotations

import importlib
import json
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest

from treadle import sinks
from treadle.errors import MissingExtraError, OptionError, RunError, TreadleError
from treadle.sinks import open_sink, replay
from treadle.sinks.sink import Sink

STAND_INS = Path(__file__).parent / "stand_ins"
WORDS = {"attempt": 1, "step": 30, "topic": "stop", "sentence": "it stopped."}


def point(step: int, attempt: int = 1, **values: float | None) -> dict[str, object]:
    return {"attempt": attempt, "step": step, "epoch": step // 10, "values": values}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of three validations whose second attempt turned the last one again."""
    folder = tmp_path / "first"
    folder.mkdir()
    config = {"format": 1, "kind": "module", "options": {"lr": 0.1, "weight": None}}
    (folder / "config.json").write_text(json.dumps(config))
    points = [point(10, loss=1.0), point(20, loss=0.5), point(20, 2, loss=0.4, bad=None)]
    lines = "".join(json.dumps(line) + "\n" for line in points)
    (folder / "metrics.jsonl").write_text(lines + '{"torn')
    (folder / "events.jsonl").write_text(json.dumps(WORDS | {"attempt": 2}) + "\n")
    return folder


def stand_in(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Put the stand-in where the package would be, even where the package is installed."""
    for loaded in [m for m in sys.modules if m.split(".")[0] == name]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.syspath_prepend(STAND_INS)
    module = importlib.import_module(name)
    monkeypatch.setitem(sys.modules, name, module)
    return module


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return stand_in("mlflow", monkeypatch)


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return stand_in("wandb", monkeypatch)


def read_tensorboard(folder: Path) -> tuple[dict[str, list[tuple[int, float]]], list[str]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    tags = found.Tags()
    curves = {
        tag: [(event.step, round(event.value, 6)) for event in found.Scalars(tag)]
        for tag in tags["scalars"]
    }
    return curves, tags["tensors"]


def test_tensorboard_reads_back_the_curves_and_words_of_a_run(run: Path) -> None:
    replay("tensorboard", run)
    curves, texts = read_tensorboard(run / "tensorboard")
    assert curves == {"loss": [(10, 1.0), (20, 0.4)], "epoch": [(10, 1.0), (20, 2.0)]}
    assert sorted(texts) == ["config/text_summary", "stop/text_summary"]


def test_tensorboard_forgets_the_steps_that_a_resumed_run_turns_again(tmp_path: Path) -> None:
    sink = open_sink("tensorboard", tmp_path, options={"logdir": str(tmp_path / "elsewhere")})
    for line in (point(10, loss=3.0), point(20, loss=2.0), point(20, 2, loss=1.0)):
        sink(line)
    sink.close()
    assert sink.failure == ""
    curves, _ = read_tensorboard(tmp_path / "elsewhere")
    assert curves["loss"] == [(10, 3.0), (20, 1.0)]


def test_mlflow_gets_metrics_parameters_and_words_under_names_it_takes(
    run: Path, mlflow: ModuleType
) -> None:
    sink = open_sink("mlflow", run, options={"tracking_uri": "file:here", "experiment": "mine"})
    sink({"step": 10, "epoch": 1, "values": {"hit@10": 0.25, "broken": float("nan")}})
    sink(WORDS)
    sink.close()
    assert sink.failure == ""
    assert mlflow.calls == [
        ("client", "file:here"),
        ("experiment", "mine"),
        ("run", "7", "first"),
        ("parameter", "format", "1"),
        ("parameter", "kind", "module"),
        ("parameter", "options.lr", "0.1"),
        ("status", "abc", "RUNNING"),
        ("metric", "hit_at_10", 0.25, 10),
        ("metric", "epoch", 1.0, 10),
        ("tag", "treadle.stop", "step 30: it stopped."),
        ("end", "abc"),
    ]


def test_a_resumed_run_goes_on_in_the_same_mlflow_run(run: Path, mlflow: ModuleType) -> None:
    replay("mlflow", run)
    mlflow.calls.clear()
    replay("mlflow", run)
    assert not [call for call in mlflow.calls if call[0] == "run"]
    assert ("status", "abc", "RUNNING") in mlflow.calls


def test_wandb_gets_curves_over_our_own_step_and_keeps_off_the_terminal(
    run: Path, wandb: ModuleType
) -> None:
    replay("wandb", run, options={"mode": "offline", "project": "mine"})
    (_, given), *calls = wandb.calls
    assert (given["project"], given["name"], given["id"]) == ("mine", "first", None)
    assert given["config"]["options"]["lr"] == 0.1
    assert given["settings"].console == "off"
    assert calls == [
        ("axis", "*", "step"),
        ("log", {"loss": 1.0, "epoch": 1, "step": 10}),
        ("log", {"loss": 0.4, "epoch": 2, "step": 20}),
        ("end", {"said/stop": "step 30: it stopped."}),
    ]
    assert json.loads((run / "tracked.json").read_text()) == {"wandb": "xyz"}


def test_wandb_without_a_key_never_asks_at_the_terminal(run: Path, wandb: ModuleType) -> None:
    with pytest.raises(TreadleError, match="wandb login"):
        replay("wandb", run)
    assert wandb.calls == []


def test_a_failing_place_is_said_once_and_never_reaches_the_run(
    run: Path, mlflow: ModuleType
) -> None:
    said: list[str] = []
    sink = open_sink("mlflow", run, say=said.append)
    mlflow.broken = True
    for step in range(3):
        sink(point(step, loss=1.0))
    sink.close()
    sink(point(4, loss=1.0))
    sink.close()
    assert said == [
        "Nothing more is sent to mlflow: ConnectionError: the server went away. The run itself "
        "goes on, and its folder holds everything."
    ]


def test_a_replay_that_fails_is_an_error(run: Path, mlflow: ModuleType) -> None:
    mlflow.broken = True
    with pytest.raises(TreadleError, match="not wholly sent to mlflow: ConnectionError"):
        replay("mlflow", run)


class Stuck:
    """A place that waits for ever, as an unreachable server does."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def begin(self, step: int) -> None:
        self.let_go.wait()

    def curve(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        pass

    def words(self, step: int, topic: str, sentence: str) -> None:
        pass

    def end(self) -> None:
        pass


def test_a_place_that_hangs_keeps_nobody_waiting() -> None:
    place, said = Stuck(), []
    sink = Sink("slow", place, say=said.append)
    sink(point(1, loss=1.0))
    sink.close(patience_seconds=0.01)
    assert "had not taken everything after 0.01 seconds" in said[0]
    place.let_go.set()


def test_without_a_word_from_the_caller_failures_are_logged(
    run: Path, mlflow: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    mlflow.broken = True
    sink = open_sink("mlflow", run)
    sink(point(1, loss=1.0))
    sink.close()
    assert "Nothing more is sent to mlflow" in caplog.text


def test_an_unknown_sink_or_option_is_answered_with_the_known_ones(run: Path) -> None:
    with pytest.raises(OptionError, match="did you mean 'tensorboard'"):
        open_sink("tensorbord", run)
    with pytest.raises(OptionError, match="did you mean 'logdir'"):
        open_sink("tensorboard", run, options={"log_dir": "x"})


def test_an_absent_package_is_answered_with_what_to_install(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "treadle\[track\]"'):
        open_sink("wandb", run)


def test_replay_needs_a_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no run"):
        replay("tensorboard", tmp_path / "nowhere")
