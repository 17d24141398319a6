"""`treadle collect` in a terminal: the plan first, the answer, and where the request is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import small
from tests.cli.conftest import Treadle


@pytest.fixture
def run(treadle: Treadle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    small.customers(400).write_csv("customers.csv")
    made = ("--target", "left", "--model", "trees", "--out", "run", "--until", "20 epochs")
    assert treadle("fit", "customers.csv", *made, "--threads", "1").exit_code == 0
    return "run"


def test_the_plan_comes_first_and_the_answer_names_the_request(treadle: Treadle, run: str) -> None:
    said = treadle("collect", run, "--budget", "30 seconds", "--out", "request.txt")
    assert said.exit_code == 0
    assert said.err.strip().splitlines()[0].startswith("• ") and "trainings on parts" in said.err
    assert "With twice the data" in said.out and "run/request.html" in said.out
    assert Path("request.txt").read_text().startswith("Please collect")


def test_json_is_one_object(treadle: Treadle, run: str) -> None:
    found = treadle("collect", run, "--budget", "30 seconds", "--json").json
    assert {"metric", "now", "verdict", "twice", "sentence", "parts", "files"} <= set(found)


def test_a_budget_that_is_none_is_a_users_mistake(treadle: Treadle, run: str) -> None:
    said = treadle("collect", run, "--budget", "soon")
    assert said.exit_code == 2 and '--budget "soon" is no length of time' in said.err
    said = treadle("collect", run, "--inflow", "some")
    assert said.exit_code == 2 and "--inflow 'some' was not understood" in said.err
