"""What a person sees in a terminal: a live bar while training turns, plain lines elsewhere."""

from __future__ import annotations

import json
import sys
import textwrap
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from treadle.cli.glance import drawn, words_of

if TYPE_CHECKING:
    from rich.console import Console

    from treadle.api.training import Observer
    from treadle.watch.progress import Glance

PLAIN_EVERY_SECONDS = 5.0
ENDLESS = 10_000
STEPS_TOLD = 3
NEXT = {"data": "preparing", "stop": "looking at what was learned", "test": "writing the report"}
HIDDEN = ("start", "forecast", "forecast_check", "track_record")
UNSTEPPED = ("tune",)  # counted in decisions
WARNINGS = ("warning", "broken_checkpoint", "not_exact")


class Display:
    """Shows a training as it turns, on stderr: stdout is for results.

    A terminal gets a bar that is redrawn, with the journal's sentences above it; anything else
    gets a plain line every few seconds.
    """

    def __init__(self) -> None:
        self.console = console(stderr=True)
        self._live: Any = None
        self._last_plain = time.monotonic()

    @property
    def observer(self) -> Observer:
        from treadle.api.training import Observer

        return Observer(glance=self.glance, line=self.line)

    def __enter__(self) -> Display:
        if self.console.is_terminal:
            from rich.live import Live

            self._live = Live(
                "  reading the data …",
                console=self.console,
                refresh_per_second=8,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def line(self, line: dict[str, Any]) -> None:
        """Print one sentence of the journal; such as say that all stays as it is are left out."""
        saw = line.get("saw", {})
        if line["topic"] in HIDDEN or saw.get("same") or saw.get("with_the_answer"):
            return
        sentence = str(line["sentence"])
        if self._live is not None and "time" not in line:  # on its way, not for the journal
            self._live.update(f"  {sentence}")
            return
        stepped = line.get("step") and line["topic"] not in UNSTEPPED and "step" not in sentence
        where = f"step {line['step']:,}: " if stepped else ""
        style = "yellow" if line["topic"] in WARNINGS else None
        say(self.console, f"{where}{sentence}", bullet="• ", style=style)
        if self._live is not None and line["topic"] in NEXT:
            self._live.update(f"  {NEXT[line['topic']]} …")

    def glance(self, glance: Glance) -> None:
        """Show where training stands."""
        if self._live is not None:
            self._live.update(drawn(glance, self.console.width))
        elif time.monotonic() - self._last_plain > PLAIN_EVERY_SECONDS:
            self._last_plain = time.monotonic()
            say(self.console, words_of(glance), bullet="  ")


def console(*, stderr: bool = False) -> Console:
    """Return a console for plain words: no colours but ours, nothing read as mark-up.

    Outside a terminal it is as wide as any line: what is read by programs is never wrapped.
    """
    from rich.console import Console

    out = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not out.is_terminal:
        out.width = ENDLESS
    return out


def say(out: Console, words: str, *, bullet: str = "", style: str | None = None) -> None:
    """Print words, wrapped and indented below their bullet; on one line outside a terminal."""
    text = bullet + words
    if out.is_terminal:
        indent = " " * len(bullet)
        text = "\n".join(
            textwrap.fill(
                line,
                width=max(20, out.width - 1),
                subsequent_indent=indent,
                break_long_words=False,
                break_on_hyphens=False,
            )
            for line in text.split("\n")
        )
    out.print(text, style=style, soft_wrap=True)


def say_result(result: dict[str, Any], path: Path, *, as_json: bool) -> None:
    """Print how a fit ended: one JSON object, or the answer in words."""
    if as_json:
        print_json(result)
        return
    from treadle.folder import RunFolder
    from treadle.report.answer import answer
    from treadle.report.next_steps import next_steps
    from treadle.report.noticed import noticed_in_words

    out = console()
    say(out, "")
    for number, sentence in enumerate(answer(RunFolder(path)).sentences):
        say(out, sentence, style="bold" if number == 0 else None)
    for words in noticed_in_words(result):
        say(out, f"What we noticed: {words}", style="yellow")
    for step in next_steps(RunFolder(path))[:STEPS_TOLD]:
        say(out, f"What to do next: {step.words}")
    say(out, "")
    if (path / "report.html").exists():
        say(out, f"Report:  {path / 'report.html'}")
    say(out, f"Details: treadle explain {path}")
    if result.get("kind") in ("table", "images", "events"):
        say(out, f"Use it:  treadle predict {path} NEW_DATA --out answers.csv")


def print_json(value: Any) -> None:
    """Print one JSON object on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()
