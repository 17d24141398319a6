"""What was noticed, in the report and in words."""

from __future__ import annotations

from typing import Any

from treadle.report.noticed import noticed, noticed_in_words


def verdict(name: str, confidence: float, **more: Any) -> dict[str, Any]:
    said = {"name": name, "confidence": confidence, "sentence": f"it is {name}.", "action": "do."}
    return {**said, "taken": False, "saw": {}, **more}


def test_a_sound_training_has_nothing_to_say() -> None:
    assert noticed({"verdicts": []}) == noticed({}) == noticed_in_words({}) == []


def test_the_surest_comes_first_with_its_sureness_in_words() -> None:
    found = noticed({"verdicts": [verdict("spike", 0.6), verdict("leak", 0.95)]})
    assert [(told.title, told.sure) for told in found] == [
        ("An input gives the answer away", "nearly certain"),
        ("Some rows are broken, or unlike all others", "possible"),
    ]


def test_what_was_seen_to_is_shown_as_good_to_know() -> None:
    taken = noticed({"verdicts": [verdict("overfitting", 0.9, taken=True)]})
    assert [told.level for told in taken] == ["mild"]
    assert [told.level for told in noticed({"verdicts": [verdict("leak", 0.9)]})] == ["bad"]


def test_words_begin_large_and_hold_sentence_and_action() -> None:
    assert noticed_in_words({"verdicts": [verdict("spike", 0.9)]}) == ["It is spike. Do."]


def test_what_a_newer_treadle_or_nobody_wrote_breaks_nothing() -> None:
    odd = [verdict("new_name", 0.5), {"name": 3}, "text", None, verdict("leak", "high")]  # type: ignore[arg-type]
    found = noticed({"verdicts": odd})
    assert [told.title for told in found] == ["New name", "An input gives the answer away"]
    assert noticed({"verdicts": "none"}) == []
