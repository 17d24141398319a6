"""The request to forward: one page that asks nothing of the network, and the same as text."""

from __future__ import annotations

import pytest

from tests.report.runs import MakeRun, result
from treadle.contracts import Json
from treadle.errors import RunError
from treadle.folder import RunFolder
from treadle.report.request import request_text, write_request

REQUEST: Json = {
    "title": "Please collect 120 more examples where 'city' is <Rome>",
    "about": "A computer program has learned to predict 'late'.",
    "wanted": [
        {
            "what": "examples where 'city' is <Rome>",
            "count": 1200,
            "why": "There are only 1,200 such examples so far.",
            "when": "At 20 a day, as you say, that takes about 9 weeks: by 3 May 2026.",
        }
    ],
    "example": {
        "fields": [["city", "one of: Rome, Oslo"], ["late", "the answer: one of: no, yes"]],
        "rows": [["Rome", "yes"], ["Oslo", "no"]],
        "photos": [["data:image/jpeg;base64,AAAA", "crack"], ["https://example.org/x.png", "x"]],
        "left_out": 3,
    },
    "example_of": "where 'city' is Rome",
    "rules": ["fill in the same columns."],
    "date": "2026-03-01",
}


@pytest.fixture
def run(make_run: MakeRun) -> RunFolder:
    made = make_run(result=result("accuracy", 0.9, 0.88, 0.92))
    made.write_json("collect.json", {"request": REQUEST})
    return made


def test_the_page_says_what_how_many_why_when_and_shows_examples(run: RunFolder) -> None:
    page = write_request(run).read_text()
    for words in ("1,200</b> more examples", "There are only", "by 3 May 2026", "Rome · Oslo"):
        assert words in page
    assert "and 3 more columns" in page and "Fill in the same columns." in page


def test_words_of_the_data_are_escaped_and_nothing_leaves_the_page(run: RunFolder) -> None:
    page = write_request(run).read_text()
    assert "<Rome>" not in page and "&lt;Rome&gt;" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "data:image/jpeg;base64,AAAA" in page


def test_it_suits_a_phone_the_dark_and_paper(run: RunFolder) -> None:
    page = write_request(run).read_text()
    for words in ("width=device-width", "prefers-color-scheme: dark", "@media print"):
        assert words in page


def test_as_text_it_says_the_same(run: RunFolder) -> None:
    told = request_text(run)
    assert told.startswith("Please collect 120 more examples where 'city' is <Rome>\n====")
    assert "1. 1,200 more examples where 'city' is <Rome>" in told
    assert "- city: one of: Rome, Oslo (for example: Rome, Oslo)" in told
    assert max(map(len, told.splitlines())) <= 80


def test_a_run_without_one_says_how_to_get_one(make_run: MakeRun) -> None:
    made = make_run(result=result("accuracy", 0.9, 0.88, 0.92))
    with pytest.raises(RunError, match="no request for more data") as refused:
        request_text(made)
    assert "treadle collect" in refused.value.hint


def test_only_a_column_that_is_the_answer_is_set_apart(run: RunFolder) -> None:
    apart = '<tr class="answer">'
    assert apart in write_request(run).read_text(encoding="utf-8")
    run.write_json("collect.json", {"request": REQUEST, "noun": "event"})
    assert apart not in write_request(run).read_text(encoding="utf-8")
