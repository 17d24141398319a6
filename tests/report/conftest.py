"""Run folders as `fit` leaves them, one of each kind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.report.runs import MakeRun, curve, event, result
from treadle.contracts import Json
from treadle.folder import RunFolder


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Return a function that writes a run folder: files by name, journals as lists."""

    def make(name: str = "loans", **files: Json | list[Json]) -> RunFolder:
        run = RunFolder.create(tmp_path / name)
        for file, content in ({"config": {"format": 1, "kind": "table"}} | files).items():
            if isinstance(content, list):
                lines = "".join(json.dumps(line) + "\n" for line in content)
                (run.path / f"{file}.jsonl").write_text(lines, encoding="utf-8")
            else:
                run.write_json(f"{file}.json", content)
        return run

    return make


@pytest.fixture
def two_classes(make_run: MakeRun) -> RunFolder:
    return make_run(
        "loans",
        plan={"task": "two_classes", "task_sentence": "repaid is taken as two classes."},
        result=result("roc_auc", 0.7012, 0.694, 0.708, baseline={"name": "guessing", "test": 0.5}),
        findings={
            "target": "repaid",
            "classes": ["yes", "no"],
            "positive": "no",
            "columns": [{"name": "id", "kind": "left_out", "why": "taken for an identifier"}],
            "health": [{"severity": "warning", "title": "copies", "sentence": "9 rows twice"}],
            "confusion": {"classes": ["yes", "no"], "matrix": [[80, 5], [9, 6]], "threshold": 0.3},
            "calibration": [
                {"predicted": 0.1, "observed": 0.12, "count": 80},
                {"predicted": 0.6, "observed": 0.5, "count": 20},
            ],
            "ranking_curve": {"precision": [0.9, 0.5, 0.15], "recall": [0.1, 0.5, 1.0]},
        },
        events=[
            event(0, "start", "training starts"),
            event(20, "horizon", "the time holds 900 steps", value=900),
            event(100, "horizon", "the plan stays", value=900),
            event(300, "rate", "the rate was lowered", value=0.3),
            event(600, "stop", "training stopped at step 600", value="no_better"),
        ],
        metrics=curve(("train_loss", "validation_loss", "roc_auc", "learning_rate")),
    )
