"""`treadle worth-of`: what a part of the data earned."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from treadle.cli import terminal


def worth_of(
    run: Annotated[Path, typer.Argument(help="The run folder.", show_default=False)],
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="THING",
            help='A column (price), rows ("supplier=B", "age<18"), a list of rows (rows:FILE); '
            "may be repeated: one line each.",
            show_default=False,
        ),
    ] = None,
    each: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="One line for each value of a column, the most frequent first.",
            show_default=False,
        ),
    ] = None,
    corrections: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="What corrected answers brought or would bring.",
            show_default=False,
        ),
    ] = None,
    adding: Annotated[
        str | None,
        typer.Option(
            "--with", metavar="FILE", help="What further rows would bring.", show_default=False
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(metavar="NUMBER", help="Paired trainings of each thing.")
    ] = 5,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help='How long all may take: "10 minutes".', show_default=False
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(help="Where the data lies now, if it was moved.", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Say what a part of the data earned: the model trained with it beside the one without."""
    from treadle.api.worth_of import worth_of as price

    with terminal.Display() as display:
        found = price(
            run,
            without=without or (),
            each=each,
            corrections=corrections,
            adding=adding,
            seeds=seeds,
            budget=budget,
            data=data or None,
            observer=display.observer,
        )
    if json:
        terminal.print_json(found)
        return
    _say(found, run)


def _say(found: dict[str, Any], run: Path) -> None:
    out = terminal.console()
    terminal.say(out, "")
    lines = len(found["things"])
    for place, sentence in enumerate(found["sentences"]):
        bold = place < lines and found["things"][place]["verdict"] != "unclear"
        if place == lines:
            terminal.say(out, "")
        terminal.say(out, sentence, style="bold" if bold else None)
    terminal.say(out, "")
    terminal.say(out, f"Report:  {run / 'report.html'}")
