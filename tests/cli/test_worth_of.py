"""`treadle worth-of` in a terminal and for programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import small
from tests.cli.conftest import Treadle

FIT = ("--model", "trees", "--until", "5 epochs", "--threads", "1")


@pytest.fixture
def run(treadle: Treadle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    small.customers(400).write_csv("customers.csv")
    assert treadle("fit", "customers.csv", "--target", "left", "--out", "run", *FIT).exit_code == 0
    return "run"


def test_the_plan_is_said_first_and_the_list_then(treadle: Treadle, run: str) -> None:
    said = treadle(
        "worth-of", run, "--without", "age, paid", "--without", "city=Rome", "--seeds", 2
    )
    assert said.exit_code == 0
    assert "2 things, 2 paired seeds: 6 trainings of boosted trees" in said.err
    assert "The columns 'age', 'paid'" in said.out and "city=Rome (" in said.out
    assert "How it was measured" in said.out and "run/report.html" in said.out
    found = treadle("worth-of", run, "--without", "city=Rome", "--seeds", 2, "--json").json
    assert {"thing", "earned", "low", "high", "verdict"} <= set(found["things"][0])


def test_a_mistake_ends_with_two_and_says_what_to_do(treadle: Treadle, run: str) -> None:
    said = treadle("worth-of", run, "--without", "agee")
    assert said.exit_code == 2 and "did you mean 'age'" in said.err
    assert "nothing was named" in treadle("worth-of", run).err
