"""Runs that earlier versions wrote: each still opens, predicts as it did, and tells of itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

import treadle
from treadle.api.predict import predict
from treadle.errors import RunError
from treadle.folder import FORMAT
from treadle.report.page import write
from treadle.report.words import explain

KEPT = sorted(place.parent for place in Path(__file__).parent.glob("*/run"))


@pytest.fixture(params=KEPT, ids=lambda place: str(place.name))
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of one: what looks at a run may write its page anew."""
    return Path(shutil.copytree(request.param, tmp_path / request.param.name))


def test_there_is_one_of_the_format_that_is_written_now() -> None:
    assert FORMAT in {treadle.load(place / "run").folder.format for place in KEPT}


def test_it_opens_and_says_what_it_came_to(kept: Path) -> None:
    run = treadle.load(kept / "run")
    assert 0.5 < run.result["metrics"]["roc_auc"]["test"] <= 1
    assert run.journal and all(line["sentence"] for line in run.journal)


def test_it_answers_as_it_did(kept: Path) -> None:
    """Another processor may round otherwise; 1e-5 is far less than any answer is good for."""
    out, _ = predict(kept / "run", [str(kept / "rows.csv")], out=kept / "now.csv")
    found, then = pl.read_csv(out), pl.read_csv(kept / "answers.csv")
    assert found.columns == then.columns
    for name in then.columns:
        if then[name].dtype.is_float():
            assert (found[name] - then[name]).abs().max() < 1e-5, name  # type: ignore[operator]
        else:
            assert found[name].to_list() == then[name].to_list()


def test_it_gives_reasons_or_says_what_they_need(kept: Path) -> None:
    model = kept / "run" / "model"
    if (model / "reasons.json").exists():
        out, _ = predict(kept / "run", [str(kept / "rows.csv")], out=kept / "now.csv", reasons=1)
        assert pl.read_csv(out)["reason_1"].null_count() == 0
        return
    with pytest.raises(RunError, match="keeps no rows to compare with") as raised:
        predict(kept / "run", [str(kept / "rows.csv")], out=kept / "now.csv", reasons=1)
    assert "train it again" in str(raised.value) and not (kept / "now.csv").exists()


def test_its_report_and_its_words_are_made_of_it(kept: Path) -> None:
    html = write(kept / "run").read_text()
    assert all(word in html for word in ("left", "trees", "network", "income"))
    assert len(explain(kept / "run")) > 3


def test_it_is_small(kept: Path) -> None:
    assert sum(file.stat().st_size for file in kept.rglob("*") if file.is_file()) < 200_000
