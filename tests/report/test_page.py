"""The report is one file that shows what is there, asks nothing of the network, and is safe."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.report.runs import MakeRun, curve, event, result
from treadle.contracts import Json
from treadle.errors import RunError, SaveError
from treadle.folder import RunFolder
from treadle.report.page import write

VOID = {"meta", "img", "br"}
HOSTILE = "</text></svg><script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


class Elements(HTMLParser):
    """Reads a page strictly: every element is closed where it was opened."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def written(run: RunFolder) -> str:
    return write(run.path).read_text(encoding="utf-8")


def test_writes_one_file_into_the_run_or_where_it_is_told(
    two_classes: RunFolder, tmp_path: Path
) -> None:
    assert write(two_classes.path) == two_classes.path / "report.html"
    assert write(two_classes.path, tmp_path / "other.html").is_file()
    assert not list(two_classes.path.glob(".*"))


def test_shows_answer_baseline_curves_mistakes_and_journal(two_classes: RunFolder) -> None:
    page = written(two_classes)
    for words in (
        "70 times in 100; guessing: 50.",
        "Collect more rows.",
        "0.6940 – 0.7080",
        "Curve of loss: training from",
        "Calibration: said 10%, happened 12%",
        "Of 15 that truly were “no” it found 6 and missed 9",
        "From a probability of 0.300 on, the model says “no”.",
        "taken for an identifier",
        "The rate was lowered",
    ):
        assert words in page, words


def test_decisions_are_marked_in_the_curves_but_not_those_that_changed_nothing(
    two_classes: RunFolder,
) -> None:
    page = written(two_classes)
    marks = re.findall(r'<ol class="marks">(.*?)</ol>', page, re.DOTALL)[0]
    assert [f"step {step}" in marks for step in (20, 100, 300, 400, 600)] == [
        True,
        False,
        True,
        True,
        True,
    ]
    assert "The best on validation" in marks


def test_asks_nothing_of_the_network_and_runs_no_script(two_classes: RunFolder) -> None:
    page = written(two_classes)
    elements = Elements(page)
    assert not {"script", "link", "iframe", "object", "embed", "form"} & set(elements.names)
    assert not re.search(r"https?://|@import|url\(", page)
    assert "default-src 'none'" in page
    assert not [name for name, _ in elements.attributes if name.startswith("on")]


def test_every_chart_says_in_words_what_it_shows(two_classes: RunFolder) -> None:
    charts = re.findall(r"<svg[^>]*>", written(two_classes))
    assert len(charts) >= 8
    assert all(
        'role="img"' in chart and re.search('aria-label="[^"]{10,}"', chart) for chart in charts
    )


def hostile_files() -> dict[str, Json | list[Json]]:
    word = HOSTILE
    return {
        "config": {"format": 1, "kind": word, "options": {word: word}},
        "plan": {"task": word, "task_sentence": word, "until_sentence": word, "versions": [word]},
        "data": {"fingerprint": word, "split": {word: word}},
        "result": result(
            word,
            0.5,
            0.4,
            0.6,
            baseline={"name": word, "test": 0.3},
            baselines=[{"name": word, "metrics": {word: {"test": 0.2}}}, word],
            advice=[word, 3, None],
            engine=word,
            rows={word: 3},
            stopped={"sentence": word, "best_step": 40},
        ),
        "findings": {
            "target": word,
            "classes": [word, "b"],
            "positive": word,
            "columns": [{"name": word, "kind": word, "why": word}, word],
            "health": [{"severity": word, "title": word, "sentence": word, "action": word}],
            "split_sentences": [word],
            "confusion": {"classes": [word, "b"], "matrix": [[1, 2], [0, 0]], "threshold": 0.5},
            "scatter": {"actual": [1, 2], "predicted": [1, 1]},
            "members": [{"name": word, "sentence": word, "metric_validation": 0.1}],
            "importance": [{"feature": word, "drop": 0.1, "low": 0.0, "high": 0.2}],
            "importance_told": {"metric": word, "rows": 3, "sentences": [word]},
            "examples": [{word: word}],
            "items": [{word: [word, {word: word}]}],
            "wrong_photos": [
                {"file": word, "data_uri": "data:image/png;base64,AAAA", "true": word},
                {"file": "javascript", "data_uri": "javascript:alert(1)"},
                {"file": "quote", "data_uri": 'data:image/png;base64,AA" onerror="alert(1)'},
                {"file": "drawing", "data_uri": "data:image/svg+xml;base64,AAAA"},
            ],
        },
        "events": [event(20, word, word, value=word, time=word)],
        "metrics": curve((word, "train_loss", "{0.__class__}")),
    }


def test_words_of_a_run_are_never_taken_for_markup(make_run: MakeRun) -> None:
    page = written(make_run(HOSTILE.replace("/", "_"), **hostile_files()))
    elements = Elements(page)
    assert "script" not in elements.names
    assert not [name for name, _ in elements.attributes if name.startswith("on")]
    pictures = [value for name, value in elements.attributes if name == "src"]
    assert pictures == ["data:image/png;base64,AAAA"]
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    "value", ["word", 7, -1.5, True, None, [], [[]], [1, "x", None], {}, {"a": 1}]
)
def test_files_of_any_shape_still_give_a_page(make_run: MakeRun, value: object) -> None:
    keys = (
        "metric metrics baseline baselines rows stopped seconds advice task target classes "
        "positive columns health split_sentences confusion calibration ranking_curve scatter "
        "members importance importance_told examples items wrong_photos test_scorings engine "
        "samples_per_second "
        "task_sentence until_sentence split"
    ).split()
    odd: Json = dict.fromkeys(keys, value)
    deep: Json = {key: {"name": value, "test": value, "metrics": value} for key in keys}
    nested: Json = {key: [{"name": value, "drop": value, "predicted": value}] for key in keys}
    line = {"attempt": value, "step": value, "time": value, "topic": value, "sentence": value}
    for content in (odd, deep, nested):
        run = make_run(
            result=content,
            findings=content,
            plan=content,
            data=content,
            events=[line, line | {"value": value}, line | {"step": 3, "value": 1}],
            metrics=[
                line | {"values": value},
                {"attempt": 1, "step": 10**400, "epoch": value, "values": {"x": 1e308, "y": value}},
                {"attempt": 1, "step": 7, "epoch": value, "values": {"x": value, "y": 2}},
            ],
        )
        Elements(written(run))


def test_broken_files_are_left_out_of_the_page(two_classes: RunFolder) -> None:
    for name in ("plan.json", "findings.json", "data.json"):
        (two_classes.path / name).write_text('{"cut sh')
    assert "ranks the right one higher 70 times" in written(two_classes)


def test_baselines_stand_beside_every_metric_they_were_measured_in(make_run: MakeRun) -> None:
    named = [
        {"name": "bestsellers", "metrics": {"hit@10": {"test": 0.08}, "ndcg@10": 0.0423}},
        {"name": "transitions", "metrics": {"hit@10": {"test": 0.151, "low": 0.14, "high": 0.16}}},
    ]
    figures = {"hit@10": {"test": 0.19, "low": 0.18, "high": 0.2}, "ndcg@10": {"test": 0.11}}
    base = {"name": "bestsellers", "test": 0.08}
    told = result("hit@10", 0.19, 0.18, 0.2, baseline=base, baselines=named, metrics=figures)
    page = written(make_run(result=told))
    assert "transitions: 0.1510, 95 % interval 0.1400 to 0.1600" in page
    assert '<td class="number">0.0423</td>' in page


def test_many_classes_are_told_by_their_commonest_confusions(make_run: MakeRun) -> None:
    names = [f"kind {i}" for i in range(40)]
    counts = [[10 if i == j else 0 for j in range(40)] for i in range(40)]
    counts[3][7] = 5
    page = written(make_run(findings={"confusion": {"classes": names, "matrix": counts}}))
    assert "5 of 15 that truly were “kind 3” were taken for “kind 7”" in page
    assert '<table class="confusion' not in page


def test_a_run_without_result_says_so(make_run: MakeRun) -> None:
    page = written(make_run(metrics=curve(("train_loss",))))
    assert "not finished" in page and "This run has no result yet" in page


def test_a_bare_run_gives_a_page(make_run: MakeRun) -> None:
    Elements(written(make_run()))


def test_curves_of_the_members_stand_in_for_missing_ones(
    make_run: MakeRun, two_classes: RunFolder
) -> None:
    make_run("loans/members/trees", metrics=curve(("train_loss", "roc_auc")))
    (two_classes.path / "metrics.jsonl").unlink()
    page = written(two_classes)
    assert "<h3>trees</h3>" in page and "Curve of roc auc" in page


def test_the_best_step_of_a_member_is_found_in_its_curve(make_run: MakeRun) -> None:
    run = make_run(result=result("mean_absolute_error", 5.0, 4.0, 6.0))
    make_run("loans/members/neural", metrics=curve(("train_loss", "mean_absolute_error")))
    assert "whose weights were kept: mean_absolute_error 0.04979." in written(run)


def test_a_run_without_test_part_lists_what_validation_measured(make_run: MakeRun) -> None:
    measured = {"train_loss": 0.2, "loss": 0.4387, "accuracy": 0.874}
    metric = {"name": "loss", "validation": 0.4387}
    page = written(make_run(result={"metric": metric, "validation_metrics": measured}))
    assert "0.8740" in page and '<th scope="col" class="number">validation</th>' in page
    assert ">train_loss" not in page


def test_long_journals_and_curves_stay_a_page_that_opens(make_run: MakeRun) -> None:
    events = [event(step, "note", f"line {step}") for step in range(10_000)]
    points = [
        {"attempt": 1, "step": step, "epoch": 0, "values": {"train_loss": 1 / (1 + step)}}
        for step in range(20_000)
    ]
    run = make_run(events=events, metrics=points)
    assert len(written(run)) < 1_500_000


def test_no_run_no_report(tmp_path: Path, two_classes: RunFolder) -> None:
    with pytest.raises(RunError, match="there is no run"):
        write(tmp_path / "nothing")
    with pytest.raises(SaveError, match="could not be written"):
        write(two_classes.path, tmp_path / "absent" / "report.html")
