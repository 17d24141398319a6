"""`treadle collect`: what more data would bring, and a request for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from treadle.cli import terminal
from treadle.cli.look import Json, RunPath


def collect(
    run: RunPath,
    budget: Annotated[
        str | None,
        typer.Option(help='About how long it may take: "5 minutes" (2 minutes by default).'),
    ] = None,
    inflow: Annotated[
        str | None,
        typer.Option(help='How many examples come in a time: "200 a week".', show_default=False),
    ] = None,
    data: Annotated[
        list[str] | None, typer.Option(help="Where the data lies now, if it was moved.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where to write the request as plain text, beside RUN/request.html."),
    ] = None,
    json: Json = False,
) -> None:
    """Say what more data would bring, which to collect first, and write a request for it."""
    from treadle.api.collect import collect as collect_for

    progress = terminal.console(stderr=True)
    found = collect_for(
        run,
        data=data or (),
        budget=budget,
        inflow=inflow,
        out=out,
        say=lambda words: terminal.say(progress, words, bullet="• "),
    )
    if json:
        terminal.print_json(found)
        return
    _print(found)


def _print(found: dict[str, Any]) -> None:
    out = terminal.console()
    for place, sentence in enumerate(found["sentences"]):
        terminal.say(out, sentence, style="bold" if place == 0 else None)
    terminal.say(out, "")
    files = found["files"]
    if "request" not in files:
        terminal.say(out, "No request was written: nothing that was measured is worth asking for.")
        return
    terminal.say(
        out,
        f"A request to forward to whoever collects: {files['request']}. It shows a few rows or "
        "photos of your data as they are: look at it first.",
    )
    if "text" in files:
        terminal.say(out, f"The same as plain text: {files['text']}.")
