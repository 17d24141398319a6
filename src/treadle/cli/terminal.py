"""What a person sees in a terminal: a live line while training turns, plain lines elsewhere."""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from treadle.api.training import Observer

if TYPE_CHECKING:
    from treadle.watch.progress import Glance

PLAIN_EVERY_SECONDS = 5.0
HIDDEN = ("start",)


class Display:
    """Shows a training as it turns, on stderr: stdout is for results.

    A terminal gets one line that is redrawn, with the journal's sentences above it; anything
    else gets a plain line every few seconds.
    """

    def __init__(self, *, quiet: bool) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False, soft_wrap=False)
        self.quiet = quiet
        self._live: Any = None
        self._last_plain = 0.0

    @property
    def observer(self) -> Observer:
        return Observer(glance=self.glance, line=self.line)

    def __enter__(self) -> Display:
        if self.console.is_terminal and not self.quiet:
            from rich.live import Live

            self._live = Live(console=self.console, refresh_per_second=8, transient=True)
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
        """Print one sentence of the journal."""
        if self.quiet or line["topic"] in HIDDEN or line.get("saw", {}).get("same"):
            return
        from rich.text import Text

        sentence = str(line["sentence"])
        where = f"step {line['step']:,}: " if line.get("step") and "step" not in sentence else ""
        style = "yellow" if line["topic"] == "warning" else ""
        self.console.print(Text(f"• {where}{sentence}", style=style))

    def glance(self, glance: Glance) -> None:
        """Show where training stands."""
        if self._live is not None:
            self._live.update(_drawn(glance, self.console.width))
        elif not self.quiet and time.monotonic() - self._last_plain > PLAIN_EVERY_SECONDS:
            self._last_plain = time.monotonic()
            self.console.print(_words(glance), markup=False)


def _drawn(glance: Glance, width: int) -> Any:
    from rich.text import Text

    bar_width = 20 if width >= 100 else 10
    share = 0.0 if math.isnan(glance.share) else glance.share
    full = round(share * bar_width)
    text = Text("  ", no_wrap=True, overflow="ellipsis")
    text.append("━" * full, style="green").append("━" * (bar_width - full), style="grey37")
    return text.append(" " + _words(glance))


def _words(glance: Glance) -> str:
    parts = [
        glance.name,
        f"epoch {glance.epoch:.1f}",
        f"step {glance.step:,}",
        f"loss {glance.loss:.4f}" if math.isfinite(glance.loss) else "",
        f"{glance.metric_name} {glance.metric:.4f}" if glance.metric is not None else "",
        f"{_short(glance.samples_per_second)} rows/s",
        f"at most {_duration(glance.seconds_left)} left" if glance.seconds_left > 0 else "",
    ]
    return " · ".join(filter(None, parts))


def _short(number: float) -> str:
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.1f}{unit}"
    return f"{number:.0f}"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def say_result(result: dict[str, Any], path: Path, *, as_json: bool) -> None:
    """Print how a fit ended: one JSON object, or the answer in words."""
    if as_json:
        print_json(result)
        return
    from rich.console import Console
    from rich.markup import escape

    from treadle.report.words import explain

    console = Console(highlight=False)
    console.print()
    for number, sentence in enumerate(explain(path)[:6]):
        console.print(escape(sentence), style="bold" if number == 0 else None)
    console.print()
    report = path / "report.html"
    if report.exists():
        console.print(f"Report: {escape(str(report))}", soft_wrap=True)
    console.print(
        f"Run:    {escape(str(path))}   (treadle explain {escape(str(path))})", soft_wrap=True
    )


def print_json(value: Any) -> None:
    """Print one JSON object on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()
