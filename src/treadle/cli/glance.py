"""One look at a training as it turns: a bar and its figures, drawn to fit the terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

    from treadle.watch.progress import Glance

INDENT = "  "
SMALLEST_BAR = 10
LARGEST_BAR = 40


def words_of(glance: Glance) -> str:
    """Return the whole glance as one plain line."""
    return " · ".join(filter(None, [glance.name, *_figures(glance), _time_left(glance)]))


def drawn(glance: Glance, width: int) -> Text:
    """Return a bar with the figures beside it, or below it where the terminal is narrow."""
    from rich.text import Text

    bar_width = max(SMALLEST_BAR, min(LARGEST_BAR, width // 5))
    bar = Text(INDENT, no_wrap=True, overflow="ellipsis")
    bar.append_text(_bar(glance.share, bar_width)).append(f" {glance.name}", style="bold")
    rest = [*_figures(glance), _time_left(glance)]
    beside = " · ".join(filter(None, rest))
    if bar.cell_len + 3 + len(beside) < width:
        return bar.append(f" · {beside}")
    if left := _time_left(glance):
        bar.append(f" · {left}")
    for line in _packed(_figures(glance), width - len(INDENT) - 1):
        bar.append(f"\n{INDENT}{line}")
    return bar


def _bar(share: float, width: int) -> Text:
    from rich.text import Text

    full = 0 if math.isnan(share) else round(share * width)
    return Text("━" * full, style="green").append("─" * (width - full), style="grey37")


def _packed(figures: list[str], width: int) -> list[str]:
    """Return figures in as few lines as hold them."""
    lines: list[str] = []
    for figure in filter(None, figures):
        longer = f"{lines[-1]} · {figure}" if lines else figure
        if lines and len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(figure)
    return lines


def _figures(glance: Glance) -> list[str]:
    whole = float(glance.epoch).is_integer() and glance.epoch == glance.step
    return [
        f"epoch {glance.epoch:,.{0 if whole else 1}f}",
        f"step {glance.step:,}",
        f"loss {glance.loss:.4g}" if math.isfinite(glance.loss) else "",
        f"{glance.metric_name} {glance.metric:.4g}" if glance.metric is not None else "",
        f"{_short(glance.samples_per_second)} samples/s",
    ]


def _time_left(glance: Glance) -> str:
    return f"at most {_duration(glance.seconds_left)} left" if glance.seconds_left > 0 else ""


def _short(number: float) -> str:
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.1f}{unit}"
    return f"{number:.0f}"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{math.ceil(seconds)} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
