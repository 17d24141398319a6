"""Where a model answers worst, as the report shows it."""

from __future__ import annotations

from treadle.contracts import Json
from treadle.report.fails import fails, fails_in_words, suggestions

EXAMPLE = {
    "row": 1204,
    "true": "yes",
    "said": "no",
    "cells": {"city": "Oslo", "income": 1234.5678, "since": None},
}
PART = {
    "where": "'city' is Oslo",
    "columns": ["city"],
    "rows": 40,
    "mean": 0.3,
    "low": 0.2,
    "high": 0.4,
    "rest": 0.1,
    "examples": [EXAMPLE],
}


def found(*parts: Json, **more: object) -> Json:
    told = {"rows": 400, "unit": "share", "mean": 0.12, "low": 0.1, "high": 0.15, "target": "left"}
    return {"fails": told | {"parts": [*parts], "examples": [EXAMPLE]} | more}


def test_a_part_is_told_beside_the_rest_and_drawn_beside_all() -> None:
    shown = fails(found(PART), "table")
    assert shown is not None and shown.chart is not None
    assert shown.parts[0].sentence == (
        "Where 'city' is Oslo (40 of 400 rows), it is wrong for 30 of 100; elsewhere for 10."
    )
    assert "30 of 100" in shown.chart and "all rows" in shown.chart


def test_examples_are_rows_with_their_cells_the_truth_and_what_was_said() -> None:
    shown = fails(found(PART), "table")
    assert shown is not None and shown.parts[0].rows is not None
    assert shown.parts[0].rows.names == ["row", "true left", "it said", "city", "income", "since"]
    assert shown.parts[0].rows.rows == [["1,204", "yes", "no", "Oslo", "1,234.57", "–"]]


def test_where_costs_choose_it_is_said_that_mistakes_which_pay_count_as_wrong() -> None:
    costs = {"task": "two_classes", "money": {"model": {"cost": 1.0}}}
    shown = fails(found(PART), "table", costs)
    assert shown is not None and "worth making counts as wrong" in shown.note
    assert shown.note in fails_in_words(found(PART), "table", costs)
    for result in ({"task": "two_classes"}, costs | {"task": "number"}):
        plain = fails(found(PART), "table", result)
        assert plain is not None and plain.note == ""


def test_where_no_part_stands_out_that_is_said_and_mistakes_are_shown() -> None:
    shown = fails(found(), "table")
    assert shown is not None and shown.chart is None
    assert shown.parts[0].sentence.startswith("No part of the data stands out: of 400 rows")
    assert shown.parts[0].rows is not None
    assert fails_in_words(found(), "table") == []


def test_of_numbers_the_largest_mistakes_are_shown_for_none_is_surer() -> None:
    told = found()
    told["fails"]["unit"] = "distance"
    shown = fails(told, "table")
    assert shown is not None and shown.parts[0].sentence.endswith("Its largest mistakes:")


def test_where_no_moment_stands_out_the_sentence_has_one_subject() -> None:
    shown = fails(found(k=10), "events")
    assert shown is not None
    assert shown.parts[0].sentence == (
        "No part of the data stands out: of 400 moments of the validation part the next item is "
        "not among ten suggestions for 12 of 100, and nowhere clearly more."
    )


def test_numbers_are_off_by_so_much() -> None:
    part = PART | {"mean": 12.34, "rest": 4.5}
    words = fails_in_words(found(part, unit="distance", mean=5.0), "table")
    assert words == [
        "Where 'city' is Oslo (40 of 400 rows), it is off by 12.3; elsewhere off by 4.50."
    ]


def test_suggestions_miss_moments() -> None:
    part = PART | {"where": "'events so far' is below 5", "examples": []}
    words = fails_in_words(found(part, k=10), "events")
    assert words[0].startswith(
        "Where 'events so far' is below 5 (40 of 400 moments), the next item is not among ten "
        "suggestions for 30 of 100; elsewhere for 10."
    )


def test_moments_show_which_suggestion_came() -> None:
    entry = {"user": "7", "before": ["a"], "suggested": ["b", "c"], "next": ["c"], "rank": 2}
    (shown,) = suggestions({"suggestions": [entry]})
    assert shown.suggested == [("b", False), ("c", True)] and shown.rank == 2 and shown.next == "c"


def test_files_of_another_shape_show_nothing() -> None:
    for wrong in ({}, {"fails": 3}, {"fails": {"mean": "x"}}, {"fails": {"mean": 0.1, "rows": 0}}):
        assert fails(wrong, "table") is None
    torn = found(PART | {"mean": None}, PART | {"examples": "none"})
    shown = fails(torn, "table")
    assert shown is not None and len(shown.parts) == 1 and shown.parts[0].rows is None
    assert suggestions({"suggestions": ["x", {}]})[0].next == ""
