"""Examples of suggestions, and where they miss; by what items are called."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import treadle
from tests import small
from treadle.contracts import Json
from treadle.folder import RunFolder

TITLES = {f"i{number}": f"Film {number}" for number in range(30)}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> treadle.Run:
    place = tmp_path_factory.mktemp("films")
    films = pl.DataFrame({"item": list(TITLES), "title": list(TITLES.values())})
    films.write_csv(place / "films.csv")
    return treadle.fit(
        small.purchases(),
        items=place / "films.csv",
        until="1 epochs",
        threads=1,
        out=place / "run",
    )


def shown(run: treadle.Run) -> list[Json]:
    found: list[Json] = (RunFolder(run.path).findings or {})["suggestions"]
    return found


def test_moments_are_shown_by_what_items_are_called(run: treadle.Run) -> None:
    examples = shown(run)
    assert len(examples) == 8
    for one in examples:
        assert {*one["before"], *one["next"], *one["suggested"]} <= set(TITLES.values())
        assert not set(one["before"]) & set(one["suggested"])


def test_the_rank_is_that_of_the_first_suggestion_that_came(run: treadle.Run) -> None:
    examples = shown(run)
    assert any(one["rank"] for one in examples)
    for one in examples:
        ranks = [place for place, name in enumerate(one["suggested"], 1) if name in one["next"]]
        assert (ranks[0] if ranks else one["rank"]) == one["rank"]


def test_predictions_name_titles_beside_items(run: treadle.Run) -> None:
    found = run.predict(small.purchases())
    assert found.columns[:4] == ["user", "rank", "item", "title"]
    assert found["title"].to_list() == [TITLES[item] for item in found["item"]]


def test_titles_of_other_items_are_refused_when_read(run: treadle.Run, tmp_path: Path) -> None:
    import json
    import shutil

    from treadle.errors import RunError

    shutil.copytree(run.path, tmp_path / "run")
    file = tmp_path / "run" / "model" / "model.json"
    facts = json.loads(file.read_text())
    file.write_text(json.dumps(facts | {"titles": ["one"]}))
    with pytest.raises(RunError, match="names titles of other items"):
        treadle.load(tmp_path / "run").predict(small.purchases())
