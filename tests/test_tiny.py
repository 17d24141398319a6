"""The whole way in one small go: check, fit, predict, resume, explain, report. In seconds."""

from __future__ import annotations

from pathlib import Path

import treadle
from tests import small
from treadle.api.resume import resume
from treadle.report.page import write
from treadle.report.words import explain


def test_from_a_table_to_predictions_and_a_report(tmp_path: Path) -> None:
    frame = small.customers()
    frame[:200].write_csv(tmp_path / "customers.csv")
    assert treadle.check(tmp_path / "customers.csv", target="left")["task"] == "two_classes"

    run = treadle.fit(
        tmp_path / "customers.csv",
        target="left",
        model="neural",
        until="6 epochs",
        threads=1,
        out=tmp_path / "run",
    )
    figure, baseline = run.result["metric"]["test"], run.result["baseline"]["test"]
    assert baseline + 0.1 < figure < 1.0  # learned something, and not the answers

    found = run.predict(frame[200:])
    right = (found["prediction"] == frame[200:]["left"]).mean()
    assert isinstance(right, float) and 0.6 < right <= 1.0

    assert resume(run.path).result == run.result
    assert "left is “yes”" in explain(run.path)[0]
    assert "<svg" in write(run.path, tmp_path / "report.html").read_text(encoding="utf-8")
