"""Reasons beside suggestions: which items of the past they would rank lower without."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import torch
from torch import Tensor

from tests.conftest import Finished
from treadle.api.predict import predict
from treadle.models.ranking import Cases
from treadle.serve import event_reasons
from treadle.serve.event_reasons import EventReasons, because
from treadle.serve.predictor import load_predictor


class Counting:
    """Scores by a table: each item of the past adds its row once an event, the last one twice."""

    def __init__(self, table: Tensor) -> None:
        self.table = torch.cat([torch.zeros(1, table.shape[1]), table])
        self.asked = 0

    def scores(self, items: Tensor, times: Tensor, kinds: Tensor) -> Tensor:
        self.asked += len(items)
        found: Tensor = self.table[items].sum(1) + self.table[items[:, -1]]
        return found


def past_of(items: list[int]) -> Cases:
    """Return one case: a user with these events, all of them taken."""
    count = len(items)
    return Cases(
        items=torch.tensor(items),
        times=torch.arange(count, dtype=torch.float64),
        kinds=torch.ones(count, dtype=torch.int64),
        goal=torch.ones(count, dtype=torch.bool),
        start=torch.tensor([0]),
        end=torch.tensor([count]),
        stop=torch.tensor([count]),
        group=torch.tensor([0]),
    )


def test_parts_are_what_the_log_odds_lose_without_an_item() -> None:
    table = torch.randn(6, 6, generator=torch.Generator().manual_seed(0))
    cases, codes = past_of([1, 2, 1, 3]), torch.tensor([5, 6])
    items, parts = EventReasons(Counting(table)).parts(cases, 0, codes)
    assert items.tolist() == [1, 2, 3]

    def odds(past: list[int]) -> Tensor:
        scores = Counting(table).scores(torch.tensor([past]), torch.zeros(1), torch.zeros(1))[0]
        new = scores[[3, 4, 5]].double()
        share = new.softmax(0)
        return (share / (1 - share)).log()[1:]

    for row, left in enumerate([[2, 3], [1, 1, 3], [1, 2, 1]]):
        assert parts[row] == pytest.approx(odds([1, 2, 1, 3]) - odds(left), abs=1e-5)


def test_the_strongest_are_named_first_and_what_lowers_or_hardly_moves_is_not() -> None:
    table = torch.zeros(5, 5)
    table[0, 4], table[1, 4], table[2, 4] = 1.0, 2.0, -1.0
    table[0, 3] = 0.5
    finds = EventReasons(Counting(table))
    assert finds.strongest(past_of([3, 1, 2]), 0, torch.tensor([5, 0]), 3) == [[2, 1], []]
    assert finds.strongest(past_of([3, 1, 2]), 0, torch.tensor([5]), 1) == [[2]]


def test_without_a_past_there_is_no_reason() -> None:
    finds = EventReasons(Counting(torch.zeros(3, 3)))
    assert finds.strongest(past_of([]), 0, torch.tensor([1, 2]), 3) == [[], []]


def test_of_a_long_past_the_later_items_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_reasons, "EVENTS_LOOKED_AT", 3)
    scorer = Counting(torch.eye(9))
    items, _ = EventReasons(scorer).parts(past_of([1, 2, 3, 4, 4, 5]), 0, torch.tensor([9]))
    assert items.tolist() == [4, 5] and scorer.asked == 3


def test_titles_are_said_where_there_are_some() -> None:
    found = because([2, 1], ["50", "181"], {"50": "Star Wars (1977)"})
    assert found == ["because of: 181", "because of: Star Wars (1977)"]


def test_an_item_that_was_looked_at_and_is_suggested_says_so() -> None:
    found = because([2, 1], ["50", "181"], {}, suggested=2)
    assert found == ["because of: 181, which was looked at already", "because of: 50"]


def test_suggestions_stay_what_they_were_and_are_owed_to_items_of_the_past(
    event_run: Finished,
) -> None:
    rows = event_run.tested.filter(pl.col("user").is_in(["u1", "u2", "u3"]))
    plain = event_run.run.predict(rows)
    told = event_run.run.predict(rows, reasons=2)
    names = ["reason_1", "reason_2"]
    assert told.drop(names).equals(plain) and told.columns == [*plain.columns, *names]
    past = {user: set(part["item"]) for (user,), part in rows.group_by("user")}
    said = told.filter(pl.col("reason_1").is_not_null())
    assert said.height > told.height / 2
    for row in said.iter_rows(named=True):
        assert row["reason_1"].removeprefix("because of: ") in past[row["user"]]
        assert row["reason_2"] != row["reason_1"]


def test_files_get_reasons_and_the_method_is_named(event_run: Finished, tmp_path: Path) -> None:
    out = tmp_path / "suggestions.csv"
    given = tmp_path / "log.csv"
    event_run.tested.head(40).write_csv(given)
    _, summary = predict(event_run.path, [str(given)], out=out, top=3, reasons=1)
    assert "odds of a suggestion" in summary["reasons"]["method"]
    assert "reason_1" in pl.read_csv(out).columns


def test_it_is_said_how_long_the_reasons_of_many_users_take(
    event_run: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setattr("treadle.serve.reasons.LONG_SECONDS", 0.0)
    model = load_predictor(event_run.path / "model")
    model.answer(event_run.tested, top=2, reasons=1, tell=heard.append)  # type: ignore[attr-defined]
    assert len(heard) == 1 and heard[0].startswith("the reasons of 120 users take about")
