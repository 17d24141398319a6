"""Run as a script (`make faults`): try faults by the thousand, and print what became of each kind.

Storage first: kills at system calls, failing disks, power cuts, flipped bits, files cut short.
Then, for each kind of training and each engine, random schedules of kill and resume. What ended
wrong is printed, and the exit code is 1. --write puts the table into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.faults import storage, storage_damage
from tests.faults.interposer import compiler
from tests.faults.schedules import sweep_schedules
from tests.faults.training_kinds import KINDS, engines_of

PAGE = Path(__file__).parent.parent.parent / "docs" / "reliability.md"
BEGIN, END = "<!-- written by make faults -->", "<!-- end -->"
SCHEDULES_AT_ONCE = 250
SHOWN = 3


@dataclass
class Row:
    """What was tried of one kind of fault, and what ended wrong."""

    what: str
    tried: int
    kills: int
    wrong: list[str]
    seconds: float


def main() -> int:
    options = _options()
    rows: list[Row] = []
    for what, sweep in _sweeps(options):
        print(f"{what} …", end=" ", flush=True)
        row = _timed(what, sweep)
        rows.append(row)
        print(_line(row), flush=True)
        for problem in row.wrong[:SHOWN]:
            print(f"    {problem}", flush=True)
        if options.results:
            options.results.write_text(json.dumps([vars(row) for row in rows], indent=1))
    if options.write:
        write_page(rows)
    return 1 if any(row.wrong for row in rows) else 0


def _sweeps(options: argparse.Namespace) -> list[tuple[str, Callable[[], Row]]]:
    """Return what is to be tried, by name."""
    seed, found = options.seed, []
    if not options.only or "storage" in options.only:
        found += _storage_sweeps(options.kills, seed)
    for kind in KINDS:
        for engine in engines_of(kind):
            if not options.only or kind in options.only:
                found.append(_schedule_sweep(kind, engine, options, seed))
    return found


def _storage_sweeps(count: int, seed: int) -> list[tuple[str, Callable[[], Row]]]:
    sweeps: dict[str, Callable[[int, int, Path], Any]] = {
        "one bit of a file flipped": storage_damage.sweep_flips,
        "a file cut short": storage_damage.sweep_truncations,
    }
    if compiler():
        sweeps = {
            "killed at a system call of a save": storage.sweep_kills,
            "a call of a save fails": storage.sweep_errors,
            "the power cut during a save": storage.sweep_power_cuts,
            **sweeps,
        }
    else:
        print("There is no C compiler here: kills at system calls and power cuts are left out.")

    def of(what: str, sweep: Callable[[int, int, Path], Any]) -> Callable[[], Row]:
        def turn() -> Row:
            with tempfile.TemporaryDirectory(prefix="treadle-faults-") as place:
                tally = sweep(count, seed, Path(place))
            kills = tally.tried if sweep is storage.sweep_kills else 0
            return Row(what, tally.tried, kills, tally.wrong, 0.0)

        return turn

    return [(what, of(what, sweep)) for what, sweep in sweeps.items()]


def _schedule_sweep(
    kind: str, engine: str, options: argparse.Namespace, seed: int
) -> tuple[str, Callable[[], Row]]:
    what = f"{kind}, {engine}"

    def turn() -> Row:
        """Try schedules until there were enough of them, and enough kills."""
        tried, kills, wrong, number = 0, 0, [], seed
        with tempfile.TemporaryDirectory(prefix="treadle-faults-home-") as home:
            while tried < options.schedules or kills < options.kills:
                count = min(SCHEDULES_AT_ONCE, max(options.schedules - tried, 25))
                tally = sweep_schedules(kind, engine, count, number, home=Path(home))
                tried, kills, number = tried + tally.tried, kills + tally.kills, number + 1
                wrong += tally.wrong
        return Row(what, tried, kills, wrong, 0.0)

    return what, turn


def _timed(what: str, sweep: Callable[[], Row]) -> Row:
    start = time.monotonic()
    row = sweep()
    row.seconds = time.monotonic() - start
    return row


def _line(row: Row) -> str:
    kills = f", {row.kills:,} kills" if row.kills else ""
    return f"{row.tried:,} tried{kills}, {len(row.wrong)} wrong, {row.seconds / 60:.1f} minutes"


def write_page(rows: list[Row], page: Path = PAGE) -> None:
    """Put the table between its two marks."""
    lines = [
        f"Counted on {datetime.now(UTC).date().isoformat()}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}.",
        "",
        "| fault | tried | kills among them | ended wrong | minutes |",
        "|---|---|---|---|---|",
        *(
            f"| {row.what} | {row.tried:,} | {row.kills or '–':{',' if row.kills else ''}} "
            f"| {len(row.wrong)} | {row.seconds / 60:.1f} |"
            for row in rows
        ),
    ]
    text = page.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n\n" + "\n".join(lines) + f"\n\n{END}{after}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1_000, help="of each kind and engine")
    parser.add_argument("--schedules", type=int, default=500, help="of each kind and engine")
    parser.add_argument("--only", type=lambda text: text.split(","), help="storage,own,neural,…")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, help="a JSON file to write beside")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md's table")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
