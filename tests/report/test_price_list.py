"""What the report shows of what data earned."""

from __future__ import annotations

from tests.report.runs import MakeRun
from treadle.contracts import Json
from treadle.report.page import render
from treadle.report.price_list import MOST_SHOWN, price_list, priced_in_words


def thing(name: str, earned: float, low: float, high: float, verdict: str, **more: object) -> Json:
    return {
        "thing": name,
        "earned": earned,
        "low": low,
        "high": high,
        "verdict": verdict,
        **more,
    }


FOUND = {
    "metric": "roc_auc",
    "higher_is_better": True,
    "things": [
        thing("supplier=B (1,240 rows)", 0.012, 0.004, 0.021, "earns"),
        thing("supplier=<b>", 0.0, -0.01, 0.01, "unclear"),
        thing("supplier=F (9 rows)", -0.02, -0.03, -0.01, "harms"),
    ],
    "sentences": ["B earned.", "D is unclear.", "F harms.", "How it was measured: so."],
}


def test_things_are_drawn_with_intervals_and_told_below_each_other(make_run: MakeRun) -> None:
    shown = price_list(make_run(**{"worth-of": FOUND}))
    assert shown is not None
    assert (
        shown.chart.count('class="dot ours"') == 2 and shown.chart.count('class="dot other"') == 1
    )
    assert "left of 0 it harms" in shown.chart
    assert shown.lines == FOUND["sentences"][:3] and shown.how == FOUND["sentences"][3:]


def test_the_page_and_the_words_of_a_run_hold_its_price_list(make_run: MakeRun) -> None:
    run = make_run(**{"worth-of": FOUND})
    page = render(run)
    assert "What the data earned" in page and "B earned." in page
    assert "<b>" not in page.split("What the data earned")[1].split("</figure>")[0]
    assert priced_in_words(run) == FOUND["sentences"][:3]


def test_money_is_drawn_where_it_is_known(make_run: MakeRun) -> None:
    money = {"earned": 1200.0, "low": 300.0, "high": 2100.0, "verdict": "earns", "unit": "€"}
    found = FOUND | {
        "things": [thing("a", 0.1, 0.0, 0.2, "unclear", money=money | {"per": "year"})]
    }
    shown = price_list(make_run(**{"worth-of": found}))
    assert shown is not None and "earned a year, €" in shown.chart and "1,200" in shown.chart


def test_of_many_things_the_first_are_drawn_and_damaged_ones_are_passed_over(
    make_run: MakeRun,
) -> None:
    many = [thing(f"t{i}", i, i - 1.0, i + 1.0, "earns") for i in range(MOST_SHOWN + 3)]
    shown = price_list(make_run(**{"worth-of": FOUND | {"things": [{"thing": "broken"}, *many]}}))
    assert shown is not None and shown.left_out == 4 and "broken" not in shown.chart


def test_a_run_without_a_list_shows_none(make_run: MakeRun) -> None:
    run = make_run()
    assert price_list(run) is None and priced_in_words(run) == []
    assert "What the data earned" not in render(run)
