"""How much of the processors others took while a contender trained. Linux tells; others do not."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

STATISTICS = Path("/proc/stat")


class Moment(NamedTuple):
    """The clock, and the processor seconds spent so far by everyone and by one process."""

    clock: float
    everyone: float
    one: float


def moment(process: int) -> Moment | None:
    """Return the times so far; None where the system does not tell them."""
    own = Path(f"/proc/{process}/stat")
    if not STATISTICS.exists() or not own.exists():
        return None
    user, nice, system, _idle, _waiting, *interrupts = map(
        int, STATISTICS.read_text().split("\n", 1)[0].split()[1:9]
    )
    # the name, in brackets, may hold spaces; user and system time are the 12th and 13th after it
    fields = own.read_text().rsplit(")", 1)[1].split()
    tick = os.sysconf("SC_CLK_TCK")
    everyone = (user + nice + system + sum(interrupts)) / tick
    return Moment(time.monotonic(), everyone, (int(fields[11]) + int(fields[12])) / tick)


def taken_by_others(before: Moment | None, after: Moment | None) -> tuple[float, float] | None:
    """Return the processor seconds that others took between two moments, and all there were.

    The kernel counts in ticks of about 10 ms, so one short turn says nothing: add up many.
    """
    if before is None or after is None or after.clock <= before.clock:
        return None
    others = (after.everyone - before.everyone) - (after.one - before.one)
    return others, (after.clock - before.clock) * (os.cpu_count() or 1)
