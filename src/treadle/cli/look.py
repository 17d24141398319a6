"""The verbs that look: check, predict, explain, report, runs; and demo."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from treadle.cli import terminal
from treadle.cli.columns_told import columns_told

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
ROWS_WORD = {"table": "Rows", "images": "Photos", "events": "Events and moments"}
PART_WORDS = {
    "train": "to learn from",
    "validation": "to watch the learning",
    "test": "for one test at the end",
}
RUNS_COLUMNS = ("run", "state", "learns", "figure", "baseline", "started")
COMPARISON = "comparison.html"
RunPath = Annotated[Path, typer.Argument(help="The run folder.", show_default=False)]


def check(
    data: Annotated[
        list[str], typer.Argument(help="As for fit; or a run folder.", show_default=False)
    ],
    target: Annotated[str | None, typer.Option(help="The column to predict.")] = None,
    kind: Annotated[str | None, typer.Option(help="table, images or events.")] = None,
    positive: Annotated[
        str | None, typer.Option(help="Of two classes, the one you look for.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="As for fit.")] = None,
    group: Annotated[str | None, typer.Option(help="As for fit.")] = None,
    label_delay: Annotated[str | None, typer.Option(help="As for fit.")] = None,
    validation: Annotated[list[str] | None, typer.Option(help="As for fit.")] = None,
    test: Annotated[list[str] | None, typer.Option(help="As for fit.")] = None,
    user: Annotated[str | None, typer.Option(help="As for fit.")] = None,
    item: Annotated[str | None, typer.Option(help="As for fit.")] = None,
    event: Annotated[str | None, typer.Option(help="As for fit.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="As for fit.")] = None,
    sheet: Annotated[str | None, typer.Option(help="As for fit.")] = None,
    photos: Annotated[str | None, typer.Option(help="As for fit.")] = None,
    corrections: Annotated[str | None, typer.Option(help="As for fit.")] = None,
    seed: Annotated[int, typer.Option(help="As for fit.")] = 0,
    deep: Annotated[
        bool,
        typer.Option(
            "--deep",
            help="Look deeper, for up to a minute: answers that may be wrong, rows or photos "
            "nearly the same, where answers are worst.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="With --deep: a folder for label_errors.csv. A finished run's: its report is "
            "told, too.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Look at data before training: what each column is taken for, the split, what looks wrong."""
    given = {n: value for n, value in locals().items() if n not in ("json", "deep", "out")}
    from treadle.api.check import check as check_data
    from treadle.api.options import FitOptions

    found = check_data(FitOptions.of(given), deep=deep, out=out)
    if json:
        terminal.print_json(found)
        return
    _print_check(found)


def predict(
    run: RunPath,
    data: Annotated[list[str], typer.Argument(help="New data, as for fit.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Where to write: .csv, .parquet, .jsonl")] = None,
    sheet: Annotated[str | None, typer.Option(help="Which sheet of an .xlsx file.")] = None,
    photos: Annotated[
        str | None, typer.Option(help="Images: the folder of the photos that a CSV names.")
    ] = None,
    top: Annotated[int, typer.Option(help="Events: suggestions for each user.")] = 10,
    reasons: Annotated[
        int, typer.Option(min=0, help="So many reasons for each answer, such as 3.")
    ] = 0,
    reasons_photos: Annotated[
        str | None,
        typer.Option(help="Images: a folder for the photos, what moved the answer framed."),
    ] = None,
    json: Json = False,
) -> None:
    """Predict new rows, in their order, beside their columns."""
    from treadle.api.predict import predict as predict_data

    progress = terminal.console(stderr=True)
    place, summary = predict_data(
        run,
        data,
        out=out,
        sheet=sheet,
        photos=photos,
        top=top,
        reasons=reasons,
        reasons_photos=reasons_photos,
        tell=lambda words: terminal.say(progress, words, bullet="• "),
    )
    if json:
        terminal.print_json(summary)
        return
    out_words = terminal.console()
    for note in summary["notes"]:
        terminal.say(out_words, note, bullet="• ")
    terminal.say(out_words, f"{summary['rows']:,} rows are in {place}.")
    if summary["problems"]:
        terminal.say(
            out_words,
            f"{summary['problems']:,} of them {_without_answer(summary['kind'])}; the column "
            "'problem' says why.",
        )


def _without_answer(kind: str) -> str:
    """Return what is missing in rows with a problem; users not known get what is popular."""
    if kind == "events":
        return "have no suggestions, or none of their own"
    return "could not be scored"


def explain(run: RunPath, json: Json = False) -> None:
    """Say in plain words what a run found, did and decided."""
    from treadle.report.words import explain as words

    sentences = words(run)
    if json:
        terminal.print_json({"run": str(run), "sentences": sentences})
        return
    out = terminal.console()
    for number, sentence in enumerate(sentences):
        terminal.say(out, sentence, style="bold" if number == 0 else None)


def report(
    run: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...", help="The run folder; or several, to compare.", show_default=False
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="Where to write the page.")] = None,
    json: Json = False,
) -> None:
    """Write a run's report, or a page that compares runs: one HTML file, no connection needed."""
    if len(run) > 1:
        _compare(run, out, as_json=json)
        return
    from treadle.report.page import write

    place = write(run[0], out)
    if json:
        terminal.print_json({"run": str(run[0]), "report": str(place)})
    else:
        typer.echo(f"Report: {place}")


def _compare(runs: list[Path], out: Path | None, *, as_json: bool) -> None:
    from treadle.api.compare import compare
    from treadle.report.compare import in_words, write

    told = compare(*runs)
    place = write(told, out or Path(COMPARISON))
    if as_json:
        terminal.print_json(told | {"report": str(place)})
        return
    words = terminal.console()
    for number, sentence in enumerate(in_words(told)):
        terminal.say(words, sentence, style="bold" if number == 0 else None)
    typer.echo(f"Report: {place}")


def runs(
    folder: Annotated[Path, typer.Argument(help="Where to look.")] = Path("runs"),
    json: Json = False,
) -> None:
    """List the runs in a folder."""
    from treadle.report.words import runs_table

    found = runs_table(folder)
    if json:
        terminal.print_json({"runs": found})
        return
    _print_runs(found)


def demo(
    out: Annotated[Path, typer.Option(help="The run folder.")] = Path("demo-run"),
    json: Json = False,
) -> None:
    """Train on data that comes with scikit-learn, to see what a run looks like. Takes seconds."""
    from treadle.api.demo import demo as run_demo

    with terminal.Display() as display:
        run = run_demo(out, observer=display.observer)
    terminal.say_result(run.result, run.path, as_json=json)


def _print_check(found: dict[str, Any]) -> None:
    from rich.table import Table

    out = terminal.console()
    for sentence in found["sentences"]:
        terminal.say(out, sentence, bullet="• ")
    parts = ", ".join(f"{count:,} {PART_WORDS[part]}" for part, count in found["rows"].items())
    terminal.say(out, f"{ROWS_WORD[found['kind']]}: {parts}.", bullet="• ")
    if found["columns"]:
        table = Table("column", "taken for", "why", box=None, pad_edge=False, header_style="bold")
        for row in columns_told(found["columns"]):
            table.add_row(*row)
        terminal.say(out, "")
        out.print(table)
    terminal.say(out, "")
    for finding in found["findings"]:
        terminal.say(out, f"{finding['severity']}: {finding['sentence']}")
        if finding.get("action"):
            terminal.say(out, finding["action"], bullet="    ")
    if not found["findings"]:
        terminal.say(out, "Nothing looks wrong.")
    listed = found.get("label_errors", {}).get("file")
    if listed:
        terminal.say(out, f"The answers to look at, worst first, are in {listed}.")


def _print_runs(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    out = terminal.console()
    if not rows:
        terminal.say(out, "There are no runs here yet.")
        return
    table = Table(*RUNS_COLUMNS, box=None, pad_edge=False, header_style="bold")
    table.columns[0].overflow = "fold"
    for row in rows:
        figure = "" if row["value"] is None else f"{row['metric']} {row['value']:.4g}"
        base = "" if row["baseline"] is None else f"{row['baseline']:.4g}"
        state, learned = row["state"], row["target"] or row["kind"] or ""
        table.add_row(row["path"], state, learned, figure, base, _moment(row["started"]))
    out.print(table)
    for row in rows:
        if row["problem"]:
            terminal.say(out, f"{row['path']}: {row['problem']}", style="yellow")


def _moment(text: str | None) -> str:
    """Return a journal's moment as people here write it, to the minute."""
    if not text:
        return ""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M")
