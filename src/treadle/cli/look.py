"""The verbs that look: check, predict, explain, report, runs; and demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from treadle.cli import terminal

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
RunPath = Annotated[Path, typer.Argument(help="The run folder.", show_default=False)]


def check(
    data: Annotated[list[str], typer.Argument(help="As for fit.", show_default=False)],
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
    seed: Annotated[int, typer.Option(help="As for fit.")] = 0,
    json: Json = False,
) -> None:
    """Look at data before training: what each column is taken for, the split, what looks wrong."""
    given = {name: value for name, value in locals().items() if name != "json"}
    from treadle.api.check import check as check_data
    from treadle.api.options import FitOptions

    found = check_data(FitOptions.of(given))
    if json:
        terminal.print_json(found)
        return
    _print_check(found)


def predict(
    run: RunPath,
    data: Annotated[list[str], typer.Argument(help="New data, as for fit.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Where to write: .csv, .parquet, .jsonl")] = None,
    sheet: Annotated[str | None, typer.Option(help="Which sheet of an .xlsx file.")] = None,
    top: Annotated[int, typer.Option(help="Events: suggestions for each user.")] = 10,
    json: Json = False,
) -> None:
    """Predict new rows, in their order, beside their columns."""
    from treadle.api.predict import predict as predict_data

    place, summary = predict_data(run, data, out=out, sheet=sheet, top=top)
    if json:
        terminal.print_json(summary)
        return
    typer.echo(f"{summary['rows']:,} rows are in {place}.")
    if summary["problems"]:
        typer.echo(
            f"{summary['problems']:,} of them could not be scored; their column 'problem' says why."
        )


def explain(run: RunPath, json: Json = False) -> None:
    """Say in plain words what a run found, did and decided."""
    from treadle.report.words import explain as words

    sentences = words(run)
    if json:
        terminal.print_json({"run": str(run), "sentences": sentences})
        return
    from rich.console import Console

    console = Console(highlight=False)
    for sentence in sentences:
        console.print(sentence, markup=False)


def report(
    run: RunPath,
    out: Annotated[Path | None, typer.Option(help="Where to write the page.")] = None,
    json: Json = False,
) -> None:
    """Write a run's report: one HTML file that needs no connection."""
    from treadle.report.page import write

    place = write(run, out)
    terminal.print_json({"report": str(place)}) if json else typer.echo(f"Report: {place}")


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
    _print_table(found)


def demo(
    out: Annotated[Path, typer.Option(help="The run folder.")] = Path("demo-run"),
    json: Json = False,
) -> None:
    """Train on data that comes with scikit-learn, to see what a run looks like. Takes seconds."""
    from treadle.api.demo import demo as run_demo

    with terminal.Display(quiet=False) as display:
        run = run_demo(out, observer=display.observer)
    terminal.say_result(run.result, run.path, as_json=json)


def _print_check(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    for sentence in found["sentences"]:
        console.print(f"• {sentence}", markup=False)
    if found.get("columns"):
        table = Table("column", "taken for", "why", box=None, pad_edge=False, header_style="bold")
        for column in found["columns"]:
            table.add_row(column["name"], column["kind"].replace("_", " "), column.get("why", ""))
        console.print()
        console.print(table)
    console.print()
    for finding in found["findings"]:
        console.print(f"{finding['severity']}: {finding['sentence']}", markup=False)
        if finding.get("action"):
            console.print(f"    {finding['action']}", markup=False)
    if not found["findings"]:
        console.print("Nothing looks wrong.")


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not rows:
        console.print("There are no runs here yet.")
        return
    table = Table(*(name.replace("_", " ") for name in rows[0]), box=None, header_style="bold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    console.print(table)
