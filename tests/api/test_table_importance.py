"""What a model goes by is measured at the end of a fit, told in words, and kept for reasons."""

from __future__ import annotations

import json

import polars as pl

from tests.conftest import Finished
from treadle.api.reason_background import background_facts
from treadle.api.table_importance import in_words
from treadle.study.importance import Importance


def test_a_fit_measures_what_the_model_goes_by(table_run: Finished) -> None:
    findings = table_run.run.folder.findings or {}
    found = {entry["feature"]: entry for entry in findings["importance"]}
    # in this table two columns tell each row's age, and who leaves follows from it
    assert any("age" in entry["columns"] for entry in found.values() if entry["matters"])
    for entry in found.values():
        assert entry["low"] <= entry["drop"] <= entry["high"]
        assert entry["matters"] == (entry["low"] > 0)
    assert findings["importance_told"]["sentences"]
    topics = [line["topic"] for line in table_run.run.journal]
    assert topics.count("importance") == 1


def test_what_was_shown_to_help_is_kept_with_the_model(table_run: Finished) -> None:
    kept = json.loads((table_run.path / "model" / "reasons.json").read_text())
    entries = (table_run.run.folder.findings or {})["importance"]
    surely = [e for e in entries if e["drop"] > 3.290527 / 1.959964 * (e["drop"] - e["low"])]
    helping = [name for entry in surely for name in entry["columns"]]
    assert sorted(kept["helping"]) == sorted(helping)


def test_what_it_goes_by_is_told_in_plain_words() -> None:
    kept = background_facts(pl.DataFrame({name: [1.0, 2.0] for name in "abcd"}))
    found = [
        Importance(group=0, drop=0.3, low=0.2, high=0.4),
        Importance(group=2, drop=0.2, low=0.1, high=0.3),
        Importance(group=1, drop=0.1, low=0.05, high=0.15),
        Importance(group=3, drop=0.0, low=-0.1, high=0.1),
    ]
    first, second = in_words(found, kept)
    assert first == "the model goes by 'a' most, then by 'c' and 'b'."
    assert second.startswith("'d' does not matter, as far as can be told")
    assert in_words(found[:1], kept) == ["the model goes by 'a' most."]
    (nothing,) = in_words(found[3:], kept)
    assert nothing.startswith("no column matters for sure")
