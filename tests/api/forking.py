"""Runs programs in processes of their own that can be killed, without importing torch each time.

`Forks` starts one process that imports torch and a copy of the package once, and forks for every
program: a function of tests/api/programs.py, called with JSON. Run as a script, this file is that
process.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SOURCE = HERE.parent.parent / "src" / "treadle"


class Forks:
    """A process that forks. The package is copied first: a run remembers the code it ran on."""

    def __init__(self, place: Path) -> None:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(SOURCE, place / "treadle", ignore=ignored)
        self.place = place
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "forking.py")],
            env=os.environ | {"PYTHONPATH": str(place), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, program: str, **arguments: Any) -> int:
        """Run a program and return how its process ended: an exit code, or minus a signal."""
        assert self.process.stdin is not None and self.process.stdout is not None
        order = {"program": program, "arguments": arguments}
        self.process.stdin.write(json.dumps(order, default=str) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def serve() -> None:
    """Fork for every line of stdin, and print how each child ended."""
    sys.path.insert(0, str(HERE))
    import polars  # noqa: F401 imported once, used in the children alone
    import programs
    import torch

    import treadle.api.fit_module
    import treadle.data.own
    import treadle.data.split
    import treadle.loop.checkpoint
    import treadle.loop.step
    import treadle.watch.horizon
    import treadle.watch.progress
    import treadle.watch.validation  # noqa: F401

    torch.set_num_threads(1)
    torch.optim.AdamW([torch.zeros(1)])  # the first optimizer of a process imports torch's compiler
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(_run(getattr(programs, order["program"]), order["arguments"]))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _run(program: Any, arguments: dict[str, Any]) -> int:
    from treadle.errors import TreadleError

    sys.stdout = sys.stderr
    try:
        program(**arguments)
    except TreadleError as error:
        Path(f"{arguments['out']}.said").write_text(f"{type(error).__name__}: {error}")
        return error.exit_code
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    serve()
