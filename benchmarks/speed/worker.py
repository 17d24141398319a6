"""One contender in a process of its own: `python -m benchmarks.speed.worker MODULE:NAME SPEC`.

The spec is JSON: the sizes of the work, the seeds, the number of threads, the contender's options.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
import warnings
from pathlib import Path

from benchmarks.speed.gate import Gate


def main() -> None:
    place, spec = sys.argv[1], json.loads(sys.argv[2])
    _stay_on(int(spec["threads"]))
    gate = Gate(int(spec["warm_steps"]))
    warnings.filterwarnings("ignore")
    try:
        module, name = place.split(":")
        contender = importlib.import_module(f"benchmarks.speed.contenders.{module}")
        getattr(contender, name)(spec, gate)
    except Exception as problem:
        traceback.print_exc()
        gate.say({"failed": f"{type(problem).__name__}: {problem}"})


def _stay_on(num_processors: int) -> None:
    """Keep to so many processors, each of a core of its own, whatever a library would take."""
    if not hasattr(os, "sched_setaffinity"):
        return
    allowed = sorted(os.sched_getaffinity(0))
    cores: dict[str, int] = {}
    for processor in allowed:
        siblings = Path(f"/sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list")
        cores.setdefault(siblings.read_text() if siblings.exists() else str(processor), processor)
    chosen = list(cores.values()) if len(cores) >= num_processors else allowed
    os.sched_setaffinity(0, chosen[:num_processors])


if __name__ == "__main__":
    main()
