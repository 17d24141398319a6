"""The track record: what came of earlier forecasts, kept beside the user's runs.

One line of JSON for each forecast whose truth has arrived, in `forecasts.jsonl` of the user's own
data folder: TREADLE_DATA, else XDG_DATA_HOME/treadle, else ~/.local/share/treadle. Several
processes may append at once: a line is one write. What cannot be read or written is passed over: a
record is never a reason for a training to fail.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

from treadle.contracts import Json
from treadle.folder import finite

FILE = "forecasts.jsonl"
NEWEST = 200
"""How many of the newest forecasts count."""

BYTES_READ = 256 * 1024
LEVEL = 0.8
PRIOR = 20.0
"""How many forecasts that came true as often as they should the record begins with."""

NARROWEST, WIDEST = 0.7, 1.8
FEW_ROWS = 1_000
FEWEST = 8
"""Forecasts below which nothing is said of a part of them."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A forecast whose truth is known.

    of:    what tells it from others: the run, and the steps it was made at and for
    rows:  of the train part
    width: the factor that its band was made with
    """

    of: str
    held: bool
    too_hopeful: bool
    rows: int
    width: float


def folder() -> Path:
    """Return the user's own folder for what outlives a run."""
    if own := os.environ.get("TREADLE_DATA"):
        return Path(own)
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "treadle"


def keep(line: Json) -> None:
    """Append one checked forecast, all of it or nothing."""
    # the line break before it: the line before may have been torn by a crash
    text = ("\n" + json.dumps(finite(line), ensure_ascii=False) + "\n").encode()
    place = folder()
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(place / FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, text)
        finally:
            os.close(file)
    except OSError:
        return


def read() -> list[Kept]:
    """Return the newest forecasts that were checked, each once, oldest first."""
    found: dict[str, Kept] = {}
    for line in _newest_lines(folder() / FILE):
        if (kept := _kept(line)) is not None:
            found[kept.of] = kept
    return list(found.values())[-NEWEST:]


def _newest_lines(path: Path) -> Iterator[Json]:
    """Yield the lines of the file's end that can be read; the first may be cut in two."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - BYTES_READ))
            content = file.read()
    except OSError:
        return
    for text in content.split(b"\n"):
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict):
            yield line


def _kept(line: Json) -> Kept | None:
    """Return what a line says; None where it is not one of ours."""
    held, width, rows = line.get("held"), line.get("width"), line.get("rows")
    if not isinstance(held, bool) or not isinstance(width, (int, float)):
        return None
    if not math.isfinite(width) or width <= 0 or not isinstance(rows, int):
        return None
    of = f"{line.get('run')} {line.get('at_step')} {line.get('for_step')} {line.get('metric')}"
    return Kept(
        of=of, held=held, too_hopeful=line.get("too_hopeful") is True, rows=rows, width=width
    )


def factor(record: Sequence[Kept]) -> float:
    """Return by what the next bands are made wider (above 1) or narrower, from what came true.

    The share that held is taken together with PRIOR forecasts that held as they should; the factor
    is what would make a normal distribution's band of that share one of 80 %.
    """
    if not record:
        return 1.0
    held = (sum(kept.held for kept in record) + LEVEL * PRIOR) / (len(record) + PRIOR)
    normal = NormalDist()
    needed = normal.inv_cdf((1 + LEVEL) / 2) / normal.inv_cdf((1 + min(held, 0.99)) / 2)
    made_with = math.exp(sum(math.log(kept.width) for kept in record) / (len(record) + PRIOR))
    return round(min(WIDEST, max(NARROWEST, made_with * needed)), 3)


def sentence(record: Sequence[Kept]) -> str:
    """Return the record in words: "31 of the last 38 came true; too hopeful on small data"."""
    if not record:
        return ""
    held = sum(kept.held for kept in record)
    told = f"{held} of the last {len(record)} forecasts here came true (8 of 10 should)"
    small = [kept for kept in record if kept.rows < FEW_ROWS]
    large = [kept for kept in record if kept.rows >= FEW_ROWS]
    parts = [(small, f"on small data (fewer than {FEW_ROWS:,} rows)"), (large, "on larger data")]
    leanings = [f"{lean} {where}" for part, where in parts if (lean := _leaning(part))]
    return "; ".join([told, *leanings])


def _leaning(part: Sequence[Kept]) -> str:
    """Return which way the misses of a part lie, where there are too many of one kind."""
    if len(part) < FEWEST:
        return ""
    hopeful = sum(not kept.held and kept.too_hopeful for kept in part)
    gloomy = sum(not kept.held and not kept.too_hopeful for kept in part)
    most = max(2.0, 2 * (1 - LEVEL) / 2 * len(part))
    if hopeful > most and hopeful > gloomy:
        return "too hopeful"
    if gloomy > most and gloomy > hopeful:
        return "not hopeful enough"
    return ""
