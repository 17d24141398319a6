"""Run as a script: prepares a training once, and turns it in a forked child for each line it gets.

Arguments: kind, engine, a folder to work in, how many steps. A line is {"out", "resume",
"save_every", "point", "harm"}; the answer is how the child ended: an exit code, or minus a signal.
`point` says where the child kills itself: see `Killer`; `harm`, what is done to the training: see
`harmed`.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults import training_kinds


class Killer:
    """Kills its own process at one place of a training.

    place: "begin" (after so many of a thousand parts of a whole training, wherever that is),
           "before" or "after" the step, "watched" (behind all watchers of a step), "validation",
           "update" (between the gradients and an optimizer's update), "updated" (behind it),
           "slice" (before one of the slices that a batch is taken in), "schedule" (between the
           update and a torch scheduler), "sync" (where bytes are to reach the disk: checkpoints,
           decisions, records), "renamed" (what was written has its name)
    at:    at the so-manyth of it in this process
    number: the signal
    """

    def __init__(self, place: str, at: int, number: int = signal.SIGKILL) -> None:
        self.place, self.left, self.number = place, at, number

    def pass_by(self, place: str) -> None:
        if place != self.place:
            return
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), self.number)

    def around(self, function: Callable[..., Any], before: str, after: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def watched(*arguments: Any, **named: Any) -> Any:
            self.pass_by(before)
            answer = function(*arguments, **named)
            self.pass_by(after)
            return answer

        return watched


def armed(point: dict[str, Any], whole_seconds: float) -> None:
    """Arm this process to kill itself at a place of the training it is about to turn."""
    killer = Killer(point["place"], point["at"], point.get("signal", signal.SIGKILL))
    if killer.place == "begin":
        # SIGALRM, not handled, ends a process as suddenly as SIGKILL does
        signal.setitimer(signal.ITIMER_REAL, max(1e-4, whole_seconds * killer.left / 1_000))
        return
    from treadle.api import training
    from treadle.loop.step import EagerStep

    turn = training.turn

    def turned(state: Any, source: Any, step: Any, watchers: Any, until: Any) -> Any:
        for optimizer in state.optimizers.values():
            optimizer.step = killer.around(optimizer.step, "update", "updated")
        killing = [*watchers, lambda state: killer.pass_by("watched")]
        return turn(state, source, killer.around(step, "before", "after"), killing, until)

    training.turn = turned  # type: ignore[assignment]
    step = training_kinds.torch.optim.lr_scheduler.LRScheduler
    step.step = killer.around(step.step, "schedule", "")  # type: ignore[method-assign]
    EagerStep.forward = killer.around(EagerStep.forward, "slice", "")  # type: ignore[method-assign]
    os.fsync = killer.around(os.fsync, "sync", "")
    Path.rename = killer.around(Path.rename, "", "renamed")  # type: ignore[method-assign]
    Path.replace = killer.around(Path.replace, "", "renamed")  # type: ignore[method-assign]
    from treadle.watch.validation import Validator

    Validator.measure = killer.around(Validator.measure, "", "validation")  # type: ignore[method-assign]


def harmed(harm: dict[str, Any]) -> None:
    """Let steps of the training meet numbers that lead astray, by their number in the run.

    spoilt: [first, last, value] of steps in whose batch a row's floating numbers are that value
    faster: [first, last, factor] of steps whose learning rate is that many times what it should be
    steps:  how many steps there are in all, however long validation is no better
    """
    from treadle.api import training
    from treadle.loop.step import EagerStep
    from treadle.loop.until import steps

    turn, set_rates = training.turn, EagerStep.set_rates

    def value_at(state: Any, name: str) -> float | None:
        found = [
            value for first, last, value in harm.get(name, ()) if first <= state.step + 1 <= last
        ]
        return float(found[0]) if found else None

    def turned(state: Any, source: Any, step: Any, watchers: Any, until: Any) -> Any:
        def stepped(state: Any, batch: Any) -> None:
            value = value_at(state, "spoilt")
            step(state, batch if value is None else spoilt(batch, value))

        return turn(state, source, stepped, watchers, steps(harm["steps"]))

    def set_higher_rates(self: EagerStep, state: Any) -> None:
        set_rates(self, state)
        factor = value_at(state, "faster")
        for group in [g for o in state.optimizers.values() for g in o.param_groups]:
            group["lr"] *= 1.0 if factor is None else factor

    training.turn = turned  # type: ignore[assignment]
    EagerStep.set_rates = set_higher_rates  # type: ignore[method-assign]


def spoilt(batch: dict[str, Any], value: float) -> dict[str, Any]:
    """Return the batch with its first row of floating numbers replaced; times are left to order."""
    other = {name: tensor.clone() for name, tensor in batch.items()}
    for name, tensor in other.items():
        if tensor.is_floating_point() and name != "times":
            tensor[0] = value
    return other


def serve(kind: str, engine: str, place: Path, num_steps: int) -> None:
    """Prepare, and fork for every line."""
    import time

    import torch

    from treadle.api import machine

    torch.set_num_threads(1)
    machine.code_hash = functools.cache(machine.code_hash)  # what is imported does not change
    remember_captures(place / "captured.json")
    train = training_kinds.prepared(kind, engine, place, num_steps)
    train(place / "first", False, 60.0)  # what is imported and compiled late is there for all
    print(json.dumps("ready"), flush=True)
    whole_seconds = 1.0
    for line in sys.stdin:
        order, start = json.loads(line), time.monotonic()
        child = os.fork()
        if child == 0:
            os._exit(_run(train, order, whole_seconds))
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if order.pop("measure", False):
            whole_seconds = time.monotonic() - start
        print(json.dumps(ended), flush=True)


def remember_captures(file: Path) -> None:
    """Let a child find what an earlier one captured, where it would trace the same step again.

    Tracing takes seconds, finding by the same digest that the code is there takes none: whether
    the digest is right is tested elsewhere. Loading, checking and turning the code stay real.
    """
    from treadle.capture import background
    from treadle.loop import compiled

    real = background.capture_and_wait

    def capture_and_wait(order: Any) -> Any:
        known = json.loads(file.read_text()) if file.exists() else {}
        key = repr([(tuple(t.shape), str(t.dtype)) for t in order.tensors])
        if key not in known:
            answer = real(order)
            if isinstance(answer, background.Refused):
                return answer
            known[key] = vars(answer) | {"path": str(answer.path)}
            file.write_text(json.dumps(known))
        found = known[key]
        return background.Captured(**found | {"path": Path(found["path"])})

    for module in (background, compiled):
        module.capture_and_wait = capture_and_wait  # type: ignore[attr-defined]


def _run(train: training_kinds.Train, order: dict[str, Any], whole_seconds: float) -> int:
    from treadle.errors import TreadleError

    sys.stdout = sys.stderr
    out = Path(order["out"])
    try:
        if order.get("harm"):
            harmed(order["harm"])
        if order.get("point"):
            armed(order["point"], whole_seconds)
        digest = train(out, order["resume"], order["save_every"])
        out.with_suffix(".end").write_text(digest)
    except TreadleError as error:
        print(f"{out.name}: {error}", file=sys.stderr)
        return error.exit_code
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
